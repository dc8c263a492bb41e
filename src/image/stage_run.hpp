// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "image/build.hpp"
#include "image/build_cache.hpp"
#include "image/check.hpp"
#include "image/copy.hpp"
#include "image/graph.hpp"
#include "image/layer_store.hpp"
#include "image/sources.hpp"

namespace slipway::image {

/// A step that is done, in this build or an earlier one.
struct StepDone {
  std::shared_ptr<Layer> layer;
  StepRecord record;
  std::string key;
  std::size_t history = 0;  ///< see Step::history
  bool was_cached = false;
};

/// Which earlier results a stage may take for its steps.
enum class Reuse {
  by_key,  ///< those of the same instructions on the same files
  by_content,  ///< only those that start from the same contents: it copies from a stage that is run anew
  never,
};

/// A needed stage: its plan, the keys of its steps, and, once it was run, its layers.
struct StageRun {
  PlannedStage plan;
  Reuse reuse = Reuse::by_key;
  std::optional<int> base_stage;
  const BaseImage* base_image = nullptr;
  std::string base_key;
  std::vector<std::string> inputs;  ///< by step: what it copies or mounts, as part of its key
  std::vector<std::string>
      keys;  ///< by step: what the instructions and the context say, known before anything runs
  std::vector<std::string>
      contents;  ///< by step: the digest of what a COPY takes from a context; else empty
  std::vector<std::vector<Selected>> selected;  ///< by step: what that is
  struct State {
    bool is_started = false;
    bool is_done = false;
  };
  Guarded<State> state;
  // Written by the stage's task before is_done, read after it.
  std::vector<StepDone> base_steps;  ///< of the base stages, lowest first
  std::vector<StepDone> steps;
  std::string identity;
  std::mutex tree_mutex;
  std::unique_ptr<Tree> tree;  // guarded by tree_mutex until made

  [[nodiscard]] const std::string& last_key() const {
    return keys.empty() ? base_key : keys.back();
  }
};

/// Runs the steps of a build's stages: each stage on a thread of its own, when something that is not cached needs it.
class StageRunner final {
 public:
  struct Inputs {
    const BuildRequest& request;
    BuildEnvironment& environment;
    const StageList& list;
    const Arguments& arguments;
    std::string_view dockerfile_text;
    Sources& sources;
    LayerStore& store;
    const ProgressSink& progress;
  };
  StageRunner(const Inputs& inputs, TaskGroup& group);
  StageRunner(const StageRunner&) = delete;
  StageRunner& operator=(const StageRunner&) = delete;
  ~StageRunner();

  /// Plans all needed stages and computes their keys; nothing runs yet.
  ///   throws  Error{bad_input} with every diagnostic; Error{not_found} for an unknown base image
  void plan(const std::stop_token& stop);
  /// Starts a stage unless it is started. `on_layer` is told of the target stage's layers as they are done.
  void demand(int stage);
  /// Waits for a stage that was demanded. throws Cancelled when another stage failed
  StageRun& wait(int stage, const std::stop_token& stop);
  StageRun& stage(int number) { return *runs_.at(static_cast<std::size_t>(number)); }
  /// Called with every layer of the target stage as it is done, from the stage's thread.
  std::function<void(const std::shared_ptr<Layer>&)> on_target_layer;
  /// The root file system of a stage that is done.
  Tree& tree_of(StageRun& run, const std::stop_token& stop);
  /// Remembers the steps whose layers are on disk by now.
  void keep_records();
  [[nodiscard]] std::pair<int, int> counts() const;  ///< steps, of them cached
  /// The steps for a cache: of the target, or of every stage as far as they were built here some time.
  std::vector<CacheEntry> cache_entries(bool all_stages, const std::stop_token& stop);
  /// The cache mounts of all stages that are needed, named as LayerStore::cache_directory() does.
  [[nodiscard]] std::set<std::string> cache_mounts() const;
  /// What the checks that need variables found, by all stages.
  [[nodiscard]] std::vector<Finding> findings() const;

 private:
  struct Chain;
  void plan_one(int number, std::string& problems, const std::stop_token& stop);
  void add_key(StageRun& run, std::size_t index, const std::stop_token& stop);
  std::string origin_key(const Origin& origin, const std::stop_token& stop);
  Tree& origin_tree(const Origin& origin, const std::stop_token& stop);
  [[nodiscard]] Reuse reuse_of(const StageRun& run, const std::string& name) const;
  void demand_sources(const Step& step);
  void run(StageRun& run, const std::stop_token& stop);
  StepDone do_step(StageRun& run, std::size_t index, Chain& chain, const std::stop_token& stop);
  std::string identity_key(const Step& step, StageRun& run, std::size_t index,
                           const std::string& before, std::vector<Selected>& selected,
                           const std::stop_token& stop);
  std::optional<StepDone> find(const std::string& key);
  void execute(StageRun& run, std::size_t index, const std::string& id, Chain& chain,
               std::vector<Selected>& selected, const std::shared_ptr<Layer>& layer, int number,
               const std::stop_token& stop);
  void explain(const StageRun& run, std::size_t index, int number, bool was_cached);
  void report(Progress::Kind kind, int number, std::string text,
              std::chrono::milliseconds took = {});
  [[noreturn]] void fail_at(const Step& step, Fault fault, const std::string& message) const;

  Inputs in_;
  TaskGroup& group_;
  Tree nothing_{{}};                             // of scratch
  std::vector<std::unique_ptr<StageRun>> runs_;  // by stage; nullptr for those that nobody needs
  mutable std::mutex mutex_;                     // progress and counts
  int next_number_ = 0;                          // guarded by mutex_
  int cached_ = 0;                               // guarded by mutex_
};

}  // namespace slipway::image
