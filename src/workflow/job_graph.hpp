// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <list>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "workflow/job_runner.hpp"
#include "workflow/matrix.hpp"

namespace slipway::workflow {

/// What all graphs of a run share: those of called workflows, too.
struct SharedRun {
  const RunOrder& order;
  RunServices& services;
  EventSink& sink;
  std::stop_token stop;     ///< the run is cancelled
  Guarded<int> running{0};  ///< legs that have a place among RunServices::most_jobs
  Guarded<std::vector<JobResult>> results;
};

/// The jobs of one workflow and in which order they may run: each starts as soon as all it needs have ended.
class JobGraph final {
 public:
  struct Scope {
    const Workflow& workflow;
    std::string prefix;  ///< "caller / "; empty for the run's own workflow
    std::string title_prefix;
    Contexts base;  ///< github, inputs, vars, secrets
    std::string job_workflow_ref;
    bool is_anew =
        false;  ///< the calling job's ancestors ran again: nothing here is kept from the run before
  };
  struct Ended {
    Conclusion conclusion = Conclusion::success;
    Value jobs;  ///< the `jobs` context: id → {result, outputs}
  };

  JobGraph(SharedRun& run, Scope scope, const std::vector<const Job*>& jobs, std::stop_token stop);
  JobGraph(const JobGraph&) = delete;
  JobGraph& operator=(const JobGraph&) = delete;
  ~JobGraph();
  Ended run_all();

 private:
  struct Node;
  class Host;
  struct Message {
    Node* node;
    std::size_t leg;
    LegResult result;
  };

  Contexts contexts_of_job(const Node& node) const;
  void decide(Node& node);
  static std::string reason_to_skip(const Node& node);
  void start_legs(Node& node);
  void end_without_running(Node& node, Conclusion conclusion, const std::string& reason);
  void take(const Message& message);
  bool is_still_wanted(const Node& node) const;
  void run_one(Node& node, std::size_t leg, const std::stop_token& stop);
  std::optional<std::string> pass_environment(const LegOrder& order, const Reporter& reporter,
                                              const std::stop_token& stop) const;
  LegResult run_in_group(Node& node, std::size_t leg, const LegOrder& order,
                         std::stop_source& cancel);
  LegResult run_call(const Node& node, const LegOrder& order, std::stop_token stop);
  std::optional<LegResult> kept_result(const Node& node, std::size_t leg) const;
  bool is_kept(const Node& node, std::size_t leg) const;
  void report_end(const Node& node, std::size_t leg, const LegResult& result, std::int64_t took_ms);

  SharedRun& run_;
  Scope scope_;
  std::stop_token stop_;
  std::list<Node> nodes_;  // stable addresses: threads refer to them
  Guarded<std::vector<Message>> inbox_;
};

}  // namespace slipway::workflow
