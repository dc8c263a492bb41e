// SPDX-License-Identifier: Apache-2.0
#include "image/stage_run.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"
#include "formats/time.hpp"
#include "image/add_source.hpp"
#include "image/run_step.hpp"

namespace slipway::image {
namespace {

std::string hashed(std::initializer_list<std::string_view> parts) {
  formats::Sha256 sha;
  for (auto part : parts) sha.update(fmt::format("{}:{};", part.size(), part));
  return sha.hex();
}

// `RUN --mount=from=scratch`: an empty directory.
bool is_scratch(const Origin& origin) {
  return origin.kind == Origin::Kind::image && origin.name == "scratch";
}

bool is_context(const Origin& origin) {
  return origin.kind == Origin::Kind::context || origin.kind == Origin::Kind::directory;
}

// The sources of an ADD that are addresses are fetched when the step runs; their text is in the fingerprint.
CopyOp local_part(const CopyOp& copy) {
  CopyOp local = copy;
  std::erase_if(local.sources,
                [&](const auto& source) { return copy.is_add && is_remote_source(source); });
  return local;
}

std::string hash_text(FileHashes& hashes, const Node& node) {
  auto hash = hashes.of(node);
  return {hash.data(), hash.size()};
}

std::int64_t seconds_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(formats::now().time_since_epoch())
      .count();
}

}  // namespace

// The layers below the step that is being done.
struct StageRunner::Chain {
  std::vector<std::shared_ptr<Layer>>
      layers;  // lowest first, base image's included once they are unpacked
  bool has_base = false;
  std::string identity;
};

StageRunner::StageRunner(const Inputs& inputs, TaskGroup& group) : in_(inputs), group_(group) {
  runs_.resize(in_.list.stages.size());
}
StageRunner::~StageRunner() = default;

void StageRunner::report(Progress::Kind kind, int number, std::string text,
                         std::chrono::milliseconds took) {
  std::lock_guard lock(mutex_);
  if (in_.progress)
    in_.progress({.kind = kind, .step = number, .name = std::move(text), .took = took});
}

void StageRunner::fail_at(const Step& step, Fault fault, const std::string& message) const {
  throw Error(fault, with_source({in_.list.file, step.lines.first, 0, message}, in_.dockerfile_text,
                                 step.lines.last));
}

// Plans a stage after those that it takes something from: which these are is known only with the triggers of its base image.
void StageRunner::plan_one(int number, std::string& problems, const std::stop_token& stop) {
  auto& made = runs_[static_cast<std::size_t>(number)];
  if (made) return;
  const auto& stage = in_.list.stages[static_cast<std::size_t>(number)];
  auto at_from = [&](const Error& error) {
    return Error(
        error.fault(),
        with_source({in_.list.file, stage.from.lines.first, 0, error.what()}, in_.dockerfile_text));
  };
  auto run = std::make_unique<StageRun>();
  std::optional<oci::ImageConfig> config;
  run->base_stage = stage.base_stage;
  // The same command on nothing is another one on another processor.
  bool is_foreign = in_.arguments.target_platform != oci::Platform::host();
  run->base_key = is_foreign ? "scratch " + in_.arguments.target_platform.str() : "scratch";
  if (!stage.base_stage && !stage.base.empty()) {
    try {
      run->base_image = &in_.sources.image(stage.base, stage.platform, stop);
    } catch (const Error& error) {
      throw at_from(error);
    }
    config = run->base_image->image.config;
    run->base_key = run->base_image->key;
  }
  for (int used : stages_used(in_.list, number, in_.arguments,
                              config ? config->config.on_build : std::vector<std::string>{})) {
    plan_one(used, problems, stop);
  }
  const PlannedStage* below =
      stage.base_stage ? &runs_[static_cast<std::size_t>(*stage.base_stage)]->plan : nullptr;
  try {
    run->plan = plan_stage(in_.list, number, in_.arguments, below, config);
  } catch (const Error& error) {  // --platform is none
    throw at_from(error);
  }
  for (const auto& error : run->plan.errors) {
    problems += (problems.empty() ? "" : "\n") + with_source(error, in_.dockerfile_text);
  }
  run->reuse = reuse_of(*run, stage.name);
  made = std::move(run);
}

// A step's key says by which instructions its sources were made, not that they were made anew; so does the identity of what a RUN mounts.
Reuse StageRunner::reuse_of(const StageRun& run, const std::string& name) const {
  if (in_.request.no_cache) return Reuse::never;
  for (const auto& wanted : in_.request.no_cache_stages) {
    if (!name.empty() && equals_ignoring_case(wanted, name)) return Reuse::never;
  }
  auto of = [&](int stage) { return runs_[static_cast<std::size_t>(stage)]->reuse; };
  Reuse least = run.base_stage ? of(*run.base_stage) : Reuse::by_key;
  for (const auto& step : run.plan.steps) {
    if (const auto* copy = std::get_if<CopyOp>(&step.op)) {
      if (copy->from.kind == Origin::Kind::stage && of(copy->from.stage) != Reuse::by_key)
        least = std::max(least, Reuse::by_content);
    } else if (const auto* ran = std::get_if<RunOp>(&step.op)) {
      for (const auto& [mount, origin] : ran->mounts) {
        if (origin.kind == Origin::Kind::stage && of(origin.stage) != Reuse::by_key)
          return Reuse::never;
      }
    }
  }
  return least;
}

void StageRunner::plan(const std::stop_token& stop) {
  std::string problems;
  for (int number : in_.list.needed) plan_one(number, problems, stop);
  if (!problems.empty()) throw Error(Fault::bad_input, problems);
  for (const auto& run : runs_) {
    if (!run || in_.request.check_only) continue;
    if (run->base_stage) run->base_key = stage(*run->base_stage).last_key();
    for (std::size_t i = 0; i < run->plan.steps.size(); ++i) add_key(*run, i, stop);
  }
}

std::string StageRunner::origin_key(const Origin& origin, const std::stop_token& stop) {
  if (origin.kind == Origin::Kind::stage) return stage(origin.stage).last_key();
  if (is_scratch(origin)) return "scratch";
  if (origin.kind == Origin::Kind::image) return in_.sources.image(origin.name, "", stop).key;
  return "context";
}

void StageRunner::add_key(StageRun& run, std::size_t index, const std::stop_token& stop) {
  const Step& step = run.plan.steps[index];
  const std::string& before = index == 0 ? run.base_key : run.keys.back();
  std::string inputs;
  std::string content;
  std::vector<Selected> selected;
  try {
    if (const auto* copy = std::get_if<CopyOp>(&step.op)) {
      if (is_context(copy->from)) {
        auto& context = in_.sources.context(copy->from.name);
        selected = select_files(local_part(*copy), *context.tree);
        std::vector<const Node*> files;
        for (const auto& one : selected) {
          files.push_back(&one.node);
          for (const auto& [path, node] : one.below) files.push_back(node);
        }
        context.hashes.learn(files, stop);
        content = content_digest(
            selected, [&](const Node& node) { return hash_text(context.hashes, node); }, false);
        inputs = content + remote_key(*copy, in_.request.secrets, in_.store, stop);
        content = inputs;
      } else {
        inputs = origin_key(copy->from, stop);
      }
    } else if (const auto* ran = std::get_if<RunOp>(&step.op)) {
      for (const auto& [mount, origin] : ran->mounts) {
        if (mount.type != MountFlag::Type::bind) continue;
        if (!is_context(origin)) {
          inputs += origin_key(origin, stop) + ";";
          continue;
        }
        auto& context = in_.sources.context(origin.name);
        CopyOp all{.sources = {mount.source.empty() ? "." : mount.source}};
        inputs += content_digest(
                      select_files(all, *context.tree),
                      [&](const Node& node) { return hash_text(context.hashes, node); }, false) +
                  ";";
      }
    }
  } catch (const Error& error) {
    fail_at(step, error.fault(), error.what());
  }
  run.keys.push_back(hashed({"step", before, fingerprint(step), inputs}));
  run.inputs.push_back(inputs);
  run.contents.push_back(std::move(content));
  run.selected.push_back(std::move(selected));
}

void StageRunner::demand_sources(const Step& step) {
  if (const auto* copy = std::get_if<CopyOp>(&step.op)) {
    if (copy->from.kind == Origin::Kind::stage) demand(copy->from.stage);
  } else if (const auto* ran = std::get_if<RunOp>(&step.op)) {
    for (const auto& [mount, origin] : ran->mounts) {
      if (origin.kind == Origin::Kind::stage) demand(origin.stage);
    }
  }
}

void StageRunner::demand(int number) {
  auto& wanted = stage(number);
  bool is_mine = wanted.state.with(
      [](StageRun::State& state) { return !std::exchange(state.is_started, true); });
  if (is_mine) {
    group_.start([this, &wanted](const std::stop_token& stop) { run(wanted, stop); });
  }
}

StageRun& StageRunner::wait(int number, const std::stop_token& stop) {
  auto& wanted = stage(number);
  bool done = wanted.state.wait(
      stop, Deadline::never(), [](const StageRun::State& state) { return state.is_done; },
      [](const auto&) {});
  if (!done) throw Cancelled();
  return wanted;
}

std::optional<StepDone> StageRunner::find(const std::string& key) {
  auto record = in_.store.find_step(key);
  if (!record) return std::nullopt;
  auto layer = std::make_shared<Layer>(record->layer, in_.store, in_.environment.store);
  if (!layer->is_available()) return std::nullopt;
  in_.store.touch_step(key);
  return StepDone{.layer = std::move(layer), .record = std::move(*record), .was_cached = true};
}

void StageRunner::run(StageRun& run, const std::stop_token& stop) {
  if (run.base_stage) demand(*run.base_stage);
  if (run.reuse ==
      Reuse::by_key) {  // what will run needs its sources: they start now, beside this stage
    for (std::size_t i = 0; i < run.plan.steps.size(); ++i) {
      if (!in_.store.find_step(run.keys[i])) demand_sources(run.plan.steps[i]);
    }
  } else {
    for (const auto& step : run.plan.steps) demand_sources(step);
  }
  Chain chain;
  if (run.base_stage) {
    auto& below = wait(*run.base_stage, stop);
    run.base_steps = below.base_steps;
    run.base_steps.insert(run.base_steps.end(), below.steps.begin(), below.steps.end());
    run.base_image = below.base_image;
    chain.identity = below.identity;
  } else {
    chain.identity = run.base_key;
  }
  for (const auto& done : run.base_steps) chain.layers.push_back(done.layer);
  bool is_target = run.plan.number == in_.list.target;
  if (is_target && on_target_layer) {
    for (const auto& layer : chain.layers) on_target_layer(layer);
  }
  for (std::size_t i = 0; i < run.plan.steps.size(); ++i) {
    auto done = do_step(run, i, chain, stop);
    done.key = run.keys[i];
    done.history = run.plan.steps[i].history;
    chain.identity = done.record.identity;
    chain.layers.push_back(done.layer);
    if (is_target && on_target_layer) on_target_layer(done.layer);
    run.steps.push_back(std::move(done));
  }
  run.identity = chain.identity;
  run.state.with([](StageRun::State& state) { state.is_done = true; });
}

// What the step's result is by the contents it starts from: the same although the instructions that led there were others.
std::string StageRunner::identity_key(const Step& step, StageRun& run, std::size_t index,
                                      const std::string& before, std::vector<Selected>& selected,
                                      const std::stop_token& stop) {
  std::string inputs;
  if (const auto* copy = std::get_if<CopyOp>(&step.op)) {
    if (is_context(copy->from)) {
      inputs = run.contents[index];
    } else {
      Tree& tree = origin_tree(copy->from, stop);
      selected = select_files(*copy, tree);
      FileHashes hashes{{}};
      std::vector<const Node*> files;
      for (const auto& one : selected) {
        files.push_back(&one.node);
        for (const auto& [path, node] : one.below) files.push_back(node);
      }
      hashes.learn(files, stop);
      inputs = content_digest(
          selected, [&](const Node& node) { return hash_text(hashes, node); }, true);
    }
  } else if (const auto* ran = std::get_if<RunOp>(&step.op)) {
    for (const auto& [mount, origin] : ran->mounts) {
      if (mount.type != MountFlag::Type::bind) continue;
      inputs += origin.kind == Origin::Kind::stage ? wait(origin.stage, stop).identity
                                                   : origin_key(origin, stop);
      if (is_context(origin)) return hashed({"context mount", run.keys[index]});
    }
  }
  return hashed({"identity", before, fingerprint(step), inputs});
}

StepDone StageRunner::do_step(StageRun& run, std::size_t index, Chain& chain,
                              const std::stop_token& stop) {
  const Step& step = run.plan.steps[index];
  const std::string& key = run.keys[index];
  int number = 0;
  {
    std::lock_guard lock(mutex_);
    number = ++next_number_;
  }
  auto cached = [&](StepDone done) {
    {
      std::lock_guard lock(mutex_);
      ++cached_;
    }
    report(Progress::Kind::cached, number, step.title);
    if (in_.request.explain) explain(run, index, number, true);
    return done;
  };
  if (run.reuse == Reuse::by_key) {
    if (auto done = find(key)) return cached(std::move(*done));
  }
  try {
    demand_sources(step);
    std::vector<Selected> selected;
    std::string identity = identity_key(step, run, index, chain.identity, selected, stop);
    if (run.reuse != Reuse::never) {
      if (auto done = find(identity)) {
        in_.store.keep_step(key, done->record);
        return cached(std::move(*done));
      }
    }
    auto started = std::chrono::steady_clock::now();
    report(Progress::Kind::started, number, step.title);
    explain(run, index, number, false);
    StepDone done{.record = {.identity = identity, .layer = LayerStore::new_id()}};
    done.layer = std::make_shared<Layer>(done.record.layer, in_.store, in_.environment.store);
    execute(run, index, done.record.layer, chain, selected, done.layer, number, stop);
    done.record.created = formats::iso8601_millis(formats::now());
    if (std::holds_alternative<RunOp>(
            step.op)) {  // others are kept once their blob or directory is
      in_.store.keep_step(key, done.record);
      in_.store.keep_step(identity, done.record);
    }
    auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - started);
    report(Progress::Kind::done, number, step.title, took);
    return done;
  } catch (const Error& error) {
    report(Progress::Kind::failed, number, step.title);
    std::string_view text = error.what();
    if (text.find("\n----") != std::string_view::npos) throw;
    fail_at(step, error.fault(), std::string(text));
  }
}

// Beside the records: what decided a step's key last time, by the step's place. What of it is another now says why the step is run.
void StageRunner::explain(const StageRun& run, std::size_t index, int number, bool was_cached) {
  const Step& step = run.plan.steps[index];
  const std::string& before = index == 0 ? run.base_key : run.keys[index - 1];
  std::vector<std::string> now{hashed({fingerprint(step)}), before, hashed({run.inputs[index]})};
  auto place = hashed({in_.request.context.string(), in_.list.file, std::to_string(run.plan.number),
                       std::to_string(index)});
  auto last = in_.store.find_reason(place);
  if (!was_cached || !last) in_.store.keep_reason(place, now);
  if (!in_.request.explain) return;
  std::string why = "nothing like it was built here before";
  if (was_cached)
    why = "the same instruction on the same files was built before";
  else if (run.reuse == Reuse::never)
    why = in_.request.no_cache ? "--no-cache" : "--no-cache-filter";
  else if (run.reuse == Reuse::by_content)
    why = "it comes after files of a stage that --no-cache-filter names, and they changed";
  else if (last && (*last)[0] != now[0])
    why = "its instruction or a variable in it changed";
  else if (last && (*last)[2] != now[2])
    why = "the files that it copies or mounts changed";
  else if (last && (*last)[1] != now[1])
    why = index == 0 ? "what the stage starts from changed" : "the step before it changed";
  else if (last)
    why = "its layer is no longer in the cache";
  report(Progress::Kind::message, number,
         fmt::format("{}: {}: {}", step.title, was_cached ? "cached" : "run", why));
}

Tree& StageRunner::tree_of(StageRun& run, const std::stop_token& stop) {
  std::lock_guard lock(run.tree_mutex);
  if (run.tree) return *run.tree;
  std::vector<TreeLayer> layers;
  if (run.base_image) {
    for (const auto& directory : in_.sources.unpacked(*run.base_image, stop))
      layers.emplace_back(directory);
  }
  for (const auto* steps : {&run.base_steps, &run.steps}) {
    for (const auto& done : *steps) layers.insert(layers.begin(), done.layer->tree(stop));
  }
  run.tree = std::make_unique<Tree>(std::move(layers));
  return *run.tree;
}

Tree& StageRunner::origin_tree(const Origin& origin, const std::stop_token& stop) {
  if (is_context(origin)) return *in_.sources.context(origin.name).tree;
  if (origin.kind == Origin::Kind::stage) {
    demand(origin.stage);
    return tree_of(wait(origin.stage, stop), stop);
  }
  if (is_scratch(origin)) return nothing_;
  return in_.sources.image_tree(in_.sources.image(origin.name, "", stop), stop);
}

void StageRunner::execute(StageRun& run, std::size_t index, const std::string& id, Chain& chain,
                          std::vector<Selected>& selected, const std::shared_ptr<Layer>& layer,
                          int number, const std::stop_token& stop) {
  const Step& step = run.plan.steps[index];
  std::vector<std::filesystem::path> base;
  if (run.base_image) base = in_.sources.unpacked(*run.base_image, stop);
  std::vector<TreeLayer> layers;
  if (const auto* ran = std::get_if<RunOp>(&step.op)) {
    std::vector<std::filesystem::path> lower = base;
    for (const auto& below : chain.layers) lower.insert(lower.begin(), below->directory(stop));
    layers.assign(lower.begin(), lower.end());
    Tree root(std::move(layers));
    RunWorld world{
        .runtime = in_.environment.runtime,
        .store = in_.store,
        .request = in_.request,
        .lower = std::move(lower),
        .root = root,
        .tree_of = [&](const Origin& origin) -> Tree& { return origin_tree(origin, stop); },
        .output =
            [&](std::string_view text) {
              report(Progress::Kind::output, number, std::string(text));
            }};
    auto outcome = run_step(*ran, id, world, stop);
    if (!outcome.layer) {
      fail_at(step, Fault::failed,
              fmt::format("{} did not complete successfully: exit code: {}{}",
                          step.title.substr(step.title.find("] ") + 2), outcome.exit_code,
                          outcome.reason.empty() ? "" : " (" + outcome.reason + ")"));
    }
    layer->set_directory(*outcome.layer);
    return;
  }
  for (const auto& directory : base) layers.emplace_back(directory);
  const auto* copy = std::get_if<CopyOp>(&step.op);
  if (copy && copy->link) {
    layers.clear();
  } else {
    for (const auto& below : chain.layers) layers.insert(layers.begin(), below->tree(stop));
  }
  Tree root(std::move(layers));
  std::int64_t now = in_.request.source_date_epoch.value_or(seconds_now());
  if (!copy) {
    layer->set_entries(
        std::make_shared<Entries>(mkdir_entries(std::get<MkdirOp>(step.op), root, now)));
    return;
  }
  CopyWorld world{.root = root, .keep_owner = !is_context(copy->from), .now = now};
  if (copy->is_add) {
    auto added = add_sources(*copy, *in_.sources.context(copy->from.name).tree, world,
                             in_.request.secrets, in_.store, stop);
    layer->hold(std::move(added.files));
    layer->set_entries(std::make_shared<Entries>(std::move(added.entries)));
    return;
  }
  if (is_context(copy->from)) selected = std::move(run.selected[index]);
  layer->set_entries(std::make_shared<Entries>(copy_entries(*copy, selected, world)));
}

}  // namespace slipway::image
