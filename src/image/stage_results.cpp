// SPDX-License-Identifier: Apache-2.0
// What is told of the stages once they are planned or done.
#include <algorithm>

#include "image/check.hpp"
#include "image/layer_form.hpp"
#include "image/stage_run.hpp"

namespace slipway::image {

std::pair<int, int> StageRunner::counts() const {
  std::lock_guard lock(mutex_);
  return {next_number_, cached_};
}

void StageRunner::keep_records() {
  for (const auto& known : runs_) {
    if (!known) continue;
    auto& run = *known;
    if (!run.state.read([](const StageRun::State& state) { return state.is_done; })) continue;
    for (const auto& done : run.steps) {
      if (done.was_cached || !done.layer->is_available()) continue;
      in_.store.keep_step(done.key, done.record);
      in_.store.keep_step(done.record.identity, done.record);
    }
  }
}

std::vector<CacheEntry> StageRunner::cache_entries(bool all_stages, const std::stop_token& stop) {
  std::vector<CacheEntry> entries;
  const LayerForm form = layer_form(in_.request);
  auto add = [&](const std::string& key, const StepRecord& record, Layer& layer) {
    if (!layer.is_available()) return;
    entries.push_back({{key, record.identity}, record, layer.blob(form, stop)});
  };
  auto& target = stage(in_.list.target);
  for (const auto* steps : {&target.base_steps, &target.steps}) {
    for (const auto& done : *steps) add(done.key, done.record, *done.layer);
  }
  for (const auto& run : runs_) {
    if (!all_stages || !run || run.get() == &target) continue;
    for (const auto& key : run->keys) {
      auto record = in_.store.find_step(key);
      bool is_known = std::any_of(entries.begin(), entries.end(),
                                  [&](const auto& entry) { return entry.keys[0] == key; });
      if (!record || is_known) continue;
      Layer layer(record->layer, in_.store, in_.environment.store);
      add(key, *record, layer);
    }
  }
  return entries;
}

std::set<std::string> StageRunner::cache_mounts() const {
  std::set<std::string> names;
  for (const auto& run : runs_) {
    if (!run) continue;
    for (const auto& step : run->plan.steps) {
      const auto* ran = std::get_if<RunOp>(&step.op);
      if (!ran) continue;
      for (const auto& [mount, origin] : ran->mounts) {
        if (mount.type == MountFlag::Type::cache)
          names.insert(in_.store.cache_directory(mount.cache_id()).filename().string());
      }
    }
  }
  return names;
}

std::vector<Finding> StageRunner::findings() const {
  std::vector<Finding> all;
  for (const auto& run : runs_) {
    if (!run) continue;
    all.insert(all.end(), run->plan.findings.begin(), run->plan.findings.end());
    auto copies = check_copies(run->plan, in_.sources.context("").ignore);
    all.insert(all.end(), copies.begin(), copies.end());
  }
  return all;
}

}  // namespace slipway::image
