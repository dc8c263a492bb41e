// SPDX-License-Identifier: Apache-2.0
#include "workflow/job_graph.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/time.hpp"
#include "workflow/concurrency.hpp"
#include "workflow/job_state.hpp"
#include "workflow/remote_workflow.hpp"

// One thread (run_all) owns the nodes: it decides, starts legs and takes their results from the inbox. Each leg runs on a thread of
// its own, which reads only what of its node does not change while it runs (job, legs, strategy, contexts).
namespace slipway::workflow {

struct JobGraph::Node {
  enum class Phase { waiting, running, ended };
  struct OneLeg {
    Leg leg;
    std::string id;
    std::string title;
    bool started = false;
    std::stop_source cancel;
  };
  const Job* job = nullptr;
  std::vector<Node*> needs;
  std::set<Node*> ancestors;
  Phase phase = Phase::waiting;
  Conclusion conclusion = Conclusion::success;
  Contexts contexts;  // github, inputs, vars, needs
  Strategy strategy;
  std::vector<OneLeg> legs;
  int running = 0;
  std::size_t ended = 0;
  bool cancelled_by_failure = false;
  bool follows_new = false;  // an ancestor of it runs again
  bool is_new = true;        // it, or one of its legs, runs again
  std::map<std::string, std::string> outputs;
};

/// success(), failure() and cancelled() of a job's `if`: over all ancestors, or those named.
class JobGraph::Host final : public ExpressionHost {
 public:
  Host(const JobGraph& graph, const Node& node) : graph_(graph), node_(node) {}
  bool success(const std::vector<std::string>& jobs) const override {
    return !cancelled() &&
           all(jobs, [](const Node& n) { return n.conclusion == Conclusion::success; });
  }
  bool failure(const std::vector<std::string>& jobs) const override {
    return !all(jobs, [](const Node& n) { return n.conclusion != Conclusion::failure; });
  }
  bool cancelled() const override { return graph_.stop_.stop_requested(); }

 private:
  template <typename Holds>
  bool all(const std::vector<std::string>& jobs, Holds&& holds) const {
    return std::all_of(node_.ancestors.begin(), node_.ancestors.end(), [&](const Node* ancestor) {
      bool is_meant = jobs.empty() || std::any_of(jobs.begin(), jobs.end(), [&](const auto& name) {
                        return equals_ignoring_case(name, ancestor->job->id);
                      });
      return !is_meant || holds(*ancestor);
    });
  }
  const JobGraph& graph_;
  const Node& node_;
};

JobGraph::JobGraph(SharedRun& run, Scope scope, const std::vector<const Job*>& jobs,
                   std::stop_token stop)
    : run_(run), scope_(std::move(scope)), stop_(std::move(stop)) {
  for (const auto* job : jobs) nodes_.emplace_back().job = job;
  for (auto& node : nodes_) {
    for (const auto& name : node.job->needs) {
      for (auto& other : nodes_) {
        if (equals_ignoring_case(other.job->id, name)) node.needs.push_back(&other);
      }
    }
  }
  // The file's jobs have no cycles (read_workflow checks), so this ends.
  for (auto& node : nodes_) {
    std::vector<Node*> todo = node.needs;
    while (!todo.empty()) {
      auto* next = todo.back();
      todo.pop_back();
      if (node.ancestors.insert(next).second)
        todo.insert(todo.end(), next->needs.begin(), next->needs.end());
    }
  }
}

JobGraph::~JobGraph() = default;

Contexts JobGraph::contexts_of_job(const Node& node) const {
  auto contexts = scope_.base;
  contexts.values.erase("secrets");
  std::vector<Value::Member> needs;
  for (const auto* needed : node.needs) {
    needs.emplace_back(needed->job->id, Value::object({{"result", name_of(needed->conclusion)},
                                                       {"outputs", to_value(needed->outputs)}}));
  }
  contexts.values["needs"] = Value::object(std::move(needs));
  return contexts;
}

JobGraph::Ended JobGraph::run_all() {
  TaskGroup legs(
      std::stop_token{});  // legs hear of a cancellation by their own tokens: they clean up first
  auto is_ended = [](const Node* node) { return node->phase == Node::Phase::ended; };
  for (;;) {
    bool again = true;
    while (again) {  // a job that is skipped may free others
      again = false;
      for (auto& node : nodes_) {
        if (node.phase != Node::Phase::waiting ||
            !std::all_of(node.needs.begin(), node.needs.end(), is_ended))
          continue;
        decide(node);
        again = true;
      }
    }
    bool all_ended = true;
    for (auto& node : nodes_) {
      all_ended = all_ended && node.phase == Node::Phase::ended;
      if (node.phase != Node::Phase::running) continue;
      for (std::size_t i = 0; i < node.legs.size() && node.running < node.strategy.max_parallel;
           ++i) {
        if (node.legs[i].started) continue;
        node.legs[i].started = true;
        ++node.running;
        legs.start([this, &node, i](const std::stop_token& stop) { run_one(node, i, stop); });
      }
    }
    if (all_ended) break;
    std::vector<Message> messages;
    inbox_.wait(
        {}, Deadline::never(), [](const auto& inbox) { return !inbox.empty(); },
        [&](auto& inbox) { messages.swap(inbox); });
    for (const auto& message : messages) take(message);
  }
  legs.join();
  Ended ended;
  std::vector<Value::Member> jobs;
  bool any_ran = false;
  for (const auto& node : nodes_) {
    jobs.emplace_back(node.job->id, Value::object({{"result", name_of(node.conclusion)},
                                                   {"outputs", to_value(node.outputs)}}));
    any_ran = any_ran || node.conclusion != Conclusion::skipped;
    if (node.conclusion == Conclusion::failure) ended.conclusion = Conclusion::failure;
    if (node.conclusion == Conclusion::cancelled && ended.conclusion == Conclusion::success) {
      ended.conclusion = Conclusion::cancelled;
    }
  }
  if (!any_ran) ended.conclusion = Conclusion::skipped;
  ended.jobs = Value::object(std::move(jobs));
  return ended;
}

// A condition that asks for success() (also by naming no such function) is not what decides when a job before it has failed.
std::string JobGraph::reason_to_skip(const Node& node) {
  const auto& condition = node.job->condition;
  bool asks_for_success = !condition.expression.calls_any({"always", "failure", "cancelled"});
  std::vector<Node*> before = node.needs;
  before.insert(before.end(), node.ancestors.begin(), node.ancestors.end());
  for (const auto* other : before) {
    if (!asks_for_success || other->conclusion == Conclusion::success) continue;
    return fmt::format("it needs '{}', which ended with {}", other->job->id,
                       name_of(other->conclusion));
  }
  return "if: " + condition.text + " is false";
}

void JobGraph::decide(Node& node) {
  node.contexts = contexts_of_job(node);
  Host host(*this, node);
  node.contexts.host = &host;
  try {
    if (!evaluate(node.job->condition.expression, node.contexts).is_truthy()) {
      auto reason = reason_to_skip(node);
      bool stopped = stop_.stop_requested();
      return end_without_running(node, stopped ? Conclusion::cancelled : Conclusion::skipped,
                                 stopped ? "the run was cancelled" : reason);
    }
    node.contexts.host = nullptr;
    node.strategy = expand_strategy(*node.job, node.contexts);
    select_legs(node.strategy, run_.order.selectors.matrix);
    start_legs(node);
  } catch (const Error& error) {
    end_without_running(node, Conclusion::failure, error.what());
  }
}

void JobGraph::start_legs(Node& node) {
  if (node.strategy.legs.empty())
    return end_without_running(node, Conclusion::skipped, "no leg of its matrix is wanted");
  if (node.strategy.max_parallel <= 0)
    node.strategy.max_parallel = static_cast<int>(node.strategy.legs.size());
  for (const auto& leg : node.strategy.legs) {
    auto contexts = node.contexts;
    contexts.values["matrix"] = leg.matrix;
    contexts.values["strategy"] = node.strategy.context(leg.index);
    node.legs.push_back({.leg = leg,
                         .id = scope_.prefix + node.job->id + leg.suffix,
                         .title = scope_.title_prefix + job_title(*node.job, leg, contexts)});
  }
  node.phase = Node::Phase::running;
  node.follows_new = scope_.is_anew || std::any_of(node.ancestors.begin(), node.ancestors.end(),
                                                   [](const Node* n) { return n->is_new; });
  node.is_new = false;
  for (std::size_t i = 0; i < node.legs.size(); ++i) node.is_new = node.is_new || !is_kept(node, i);
}

// A calling job is kept when nothing that it called is to be run again.
bool JobGraph::is_kept(const Node& node, std::size_t index) const {
  const auto& kept = run_.order.kept;
  const auto& id = node.legs[index].id;
  if (node.follows_new) return false;
  if (!node.job->is_call()) return kept.succeeded.contains(id);
  auto is_inner = [start = id + " / "](const auto& name) { return name.starts_with(start); };
  bool any = std::any_of(kept.succeeded.begin(), kept.succeeded.end(),
                         [&](const auto& one) { return is_inner(one.first); });
  return any && std::none_of(kept.others.begin(), kept.others.end(), is_inner);
}

std::optional<LegResult> JobGraph::kept_result(const Node& node, std::size_t index) const {
  if (node.job->is_call() || !is_kept(node, index)) return std::nullopt;
  LegResult result{.conclusion = Conclusion::success, .reason = "kept from the run before"};
  const auto& outputs = run_.order.kept.succeeded.at(node.legs[index].id);
  result.outputs.assign(outputs.begin(), outputs.end());
  return result;
}

void JobGraph::end_without_running(Node& node, Conclusion conclusion, const std::string& reason) {
  node.phase = Node::Phase::ended;
  node.is_new =
      conclusion != Conclusion::skipped;  // what was skipped then is skipped now, or decided anew
  node.conclusion = conclusion;
  auto id = scope_.prefix + node.job->id;
  Reporter reporter(run_.sink, run_.order.facts.run_id, id);
  if (conclusion == Conclusion::failure) {
    reporter.emit({.kind = EventKind::annotation, .text = reason, .severity = Severity::error});
  }
  reporter.emit({.kind = EventKind::job_finished,
                 .text = reason,
                 .conclusion = std::string(name_of(conclusion))});
  run_.results.with([&](auto& results) {
    results.push_back({.id = id, .title = id, .conclusion = conclusion, .reason = reason});
  });
}

void JobGraph::take(const Message& message) {
  auto& node = *message.node;
  const auto& result = message.result;
  --node.running;
  ++node.ended;
  for (const auto& [name, value] : result.outputs) node.outputs[name] = value;
  bool failed = result.conclusion == Conclusion::failure && !result.continues_on_error;
  if (failed) node.conclusion = Conclusion::failure;
  if (result.conclusion == Conclusion::cancelled && node.conclusion == Conclusion::success)
    node.conclusion = Conclusion::cancelled;
  if (failed && node.strategy.fail_fast && node.legs.size() > 1) {
    for (auto& leg : node.legs) {
      leg.cancel.request_stop();
      if (leg.started) continue;
      leg.started = true;
      ++node.ended;
      LegResult cancelled{.conclusion = Conclusion::cancelled,
                          .reason = "another leg failed (fail-fast)"};
      report_end(node, static_cast<std::size_t>(&leg - node.legs.data()), cancelled, 0);
    }
  }
  if (node.ended == node.legs.size()) node.phase = Node::Phase::ended;
}

void JobGraph::report_end(const Node& node, std::size_t index, const LegResult& result,
                          std::int64_t took_ms) {
  const auto& leg = node.legs[index];
  std::map<std::string, std::string> outputs(result.outputs.begin(), result.outputs.end());
  Reporter(run_.sink, run_.order.facts.run_id, leg.id)
      .emit({.kind = EventKind::job_finished,
             .step_name = leg.title,
             .text = result.reason,
             .conclusion = std::string(name_of(result.conclusion)),
             .took_ms = took_ms,
             .outputs = std::move(outputs)});
  run_.results.with([&](auto& results) {
    results.push_back({.id = leg.id,
                       .title = leg.title,
                       .conclusion = result.conclusion,
                       .reason = result.reason,
                       .environment = result.environment,
                       .environment_url = result.environment_url,
                       .took_ms = took_ms});
  });
}

bool JobGraph::is_still_wanted(const Node& node) const {
  Host host(*this, node);
  auto contexts = node.contexts;
  contexts.host = &host;
  try {
    return evaluate(node.job->condition.expression, contexts).is_truthy();
  } catch (const Error&) {
    return false;
  }
}

// On the leg's own thread.
void JobGraph::run_one(Node& node, std::size_t index, const std::stop_token& group_stop) {
  auto& leg = node.legs[index];
  auto began = Deadline::Clock::now();
  std::stop_source cancel;
  auto request = [&cancel] { cancel.request_stop(); };
  // A cancelled run asks each job again: one with `if: always()` goes on (facts a.12).
  std::stop_callback by_run(stop_, [&] {
    if (!is_still_wanted(node)) cancel.request_stop();
  });
  std::stop_callback by_leg(leg.cancel.get_token(), request);
  std::stop_callback by_group(group_stop, request);
  LegOrder order{.run = run_.order,
                 .workflow = scope_.workflow,
                 .job = *node.job,
                 .id = leg.id,
                 .title = leg.title,
                 .base = node.contexts,
                 .job_workflow_ref = scope_.job_workflow_ref};
  order.base.values["secrets"] = scope_.base.values.at("secrets");
  order.base.values["matrix"] = leg.leg.matrix;
  order.base.values["strategy"] = node.strategy.context(leg.leg.index);
  LegResult result;
  // Whatever happens here, the graph's thread hears that the leg is over: it waits for nothing else.
  struct Told {
    Guarded<std::vector<Message>>& inbox;
    Message message;
    ~Told() {
      inbox.with([&](auto& messages) { messages.push_back(std::move(message)); });
    }
  } told{inbox_, {&node, index, {.conclusion = Conclusion::failure}}};
  bool is_told_by_its_jobs = node.job->is_call();
  try {
    result = run_in_group(node, index, order, cancel);
  } catch (const Error& error) {
    is_told_by_its_jobs = false;
    result = {.conclusion = Conclusion::failure, .reason = error.what()};
    Reporter(run_.sink, run_.order.facts.run_id, leg.id)
        .emit({.kind = EventKind::annotation, .text = error.what(), .severity = Severity::error});
  } catch (const Cancelled&) {
    is_told_by_its_jobs = false;
    result = {.conclusion = Conclusion::cancelled, .reason = "cancelled"};
  }
  auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - began).count();
  told.message.result = result;
  if (!is_told_by_its_jobs) report_end(node, index, result, took);
}

// The protection rules of the job's environment. Why it may not run; nothing: it may.
std::optional<std::string> JobGraph::pass_environment(const LegOrder& order,
                                                      const Reporter& reporter,
                                                      const std::stop_token& stop) const {
  auto name = environment_of(order.job, order.base);
  const auto& known = run_.order.settings.environments;
  auto found = known.find(name);
  if (name.empty() || found == known.end()) return std::nullopt;
  return pass_gate(
      {.run = run_.order.facts.run_id,
       .job = order.id,
       .environment = name,
       .ref = run_.order.event.ref,
       .actor = run_.order.event.actor,
       .protection = found->second.protection,
       .approvals = run_.services.directory / "approvals"},
      [&](const std::string& text) {
        reporter.emit({.kind = EventKind::job_waiting, .text = text});
      },
      stop);
}

LegResult JobGraph::run_in_group(Node& node, std::size_t index, const LegOrder& order,
                                 std::stop_source& cancel) {
  const auto& leg = node.legs[index];
  Reporter reporter(run_.sink, run_.order.facts.run_id, leg.id);
  if (auto kept = kept_result(node, index)) return *kept;
  if (auto refused = pass_environment(order, reporter, cancel.get_token())) {
    reporter.emit({.kind = EventKind::annotation, .text = *refused, .severity = Severity::error});
    return {.conclusion = Conclusion::failure, .reason = *refused};
  }
  std::unique_ptr<GroupPlace> place;
  if (!node.job->concurrency.is_absent()) {
    auto wanted = evaluate(node.job->concurrency, order.base);
    GroupRequest request{
        .group = wanted.is_object() ? wanted.get("group").to_string() : wanted.to_string(),
        .cancel_in_progress = wanted.is_object() && wanted.get("cancel-in-progress").is_truthy(),
        .queues =
            wanted.is_object() && equals_ignoring_case(wanted.get("queue").to_string(), "max"),
        .who = fmt::format("run {}, job {}", run_.order.facts.run_id, leg.id)};
    place = enter_group(
        run_.services.groups, request,
        [&](const std::string& who) {
          reporter.emit({.kind = EventKind::job_waiting,
                         .text = fmt::format("waiting for concurrency group '{}', held by {}",
                                             request.group, who)});
        },
        [&cancel] { cancel.request_stop(); }, cancel.get_token());
    if (!place) {
      return {.conclusion = Conclusion::cancelled,
              .reason = fmt::format("a newer request is waiting for concurrency group '{}'",
                                    request.group)};
    }
  }
  if (node.job->is_call()) return run_call(node, order, cancel.get_token());
  // A place among the legs that may run at a time.
  auto most = std::max(1, run_.services.most_jobs);
  if (!run_.running.wait(
          cancel.get_token(), Deadline::never(), [&](int count) { return count < most; },
          [](int& count) { ++count; })) {
    return {.conclusion = Conclusion::cancelled, .reason = "cancelled before it started"};
  }
  struct Freed {
    Guarded<int>& running;
    ~Freed() {
      running.with([](int& count) { --count; });
    }
  } freed{run_.running};
  reporter.emit({.kind = EventKind::job_started, .step_name = leg.title});
  return run_leg(order, run_.services, run_.sink, cancel.get_token());
}

namespace {

Value call_inputs(const Workflow& callee, const Template& with, const Contexts& contexts) {
  const auto* trigger = callee.find_trigger("workflow_call");
  auto given = evaluate(with, contexts);
  std::vector<Value::Member> inputs;
  if (!trigger) return Value::object({});
  for (const auto& input : trigger->inputs) {
    if (const auto* value = given.find(input.name)) {
      inputs.emplace_back(input.name, *value);
    } else if (!input.standard.is_absent()) {
      inputs.emplace_back(input.name, evaluate(input.standard, contexts));
    } else if (input.required) {
      fail(Fault::bad_input, "Input '{}' is required, but not provided while calling", input.name);
    } else {
      inputs.emplace_back(input.name, input.type == "boolean"  ? Value(false)
                                      : input.type == "number" ? Value(0)
                                                               : Value(""));
    }
  }
  return Value::object(std::move(inputs));
}

Value call_secrets(const Job& job, const Contexts& contexts) {
  if (job.secrets.inherit) return contexts.values.at("secrets");
  std::vector<Value::Member> secrets;
  if (!job.secrets.map.is_absent()) {
    auto given = evaluate(job.secrets.map, contexts);
    if (given.is_object()) {
      for (const auto& [name, value] : given.members()) {
        if (auto text = value.to_string(); !text.empty()) secrets.emplace_back(name, text);
      }
    }
  }
  const auto& own = contexts.values.at("secrets");
  secrets.emplace_back("GITHUB_TOKEN", own.get("GITHUB_TOKEN"));
  return Value::object(std::move(secrets));
}

}  // namespace

LegResult JobGraph::run_call(const Node& node, const LegOrder& order, std::stop_token stop) {
  auto workflow = node.job->callee;
  std::string ref;
  if (workflow) {
    auto home = home_of(scope_.job_workflow_ref);
    ref = fmt::format("{}/{}@{}", home.repository,
                      node.job->uses.starts_with("./") ? node.job->uses.substr(2) : node.job->uses,
                      home.ref);
  } else {
    auto remote = fetch_workflow(*node.job, run_.services.actions, stop);
    workflow = remote.workflow;
    ref = remote.ref;
  }
  const auto& callee = *workflow;
  Scope scope{.workflow = callee,
              .prefix = order.id + " / ",
              .title_prefix = order.title + " / ",
              .base = {},
              .job_workflow_ref = ref,
              .is_anew = node.follows_new};
  scope.base.values["github"] = order.base.values.at("github");
  scope.base.values["vars"] = order.base.values.at("vars");
  scope.base.values["inputs"] = call_inputs(callee, node.job->inputs, order.base);
  scope.base.values["secrets"] = call_secrets(*node.job, order.base);
  std::vector<const Job*> jobs;
  for (const auto& job : callee.jobs) jobs.push_back(&job);
  auto contexts = scope.base;
  JobGraph graph(run_, std::move(scope), jobs, std::move(stop));
  auto ended = graph.run_all();
  LegResult result{.conclusion = ended.conclusion};
  contexts.values.erase("secrets");
  contexts.values["jobs"] = ended.jobs;
  if (const auto* trigger = callee.find_trigger("workflow_call")) {
    for (const auto& [name, value] : trigger->outputs) {
      if (auto text = evaluate_text(value, contexts); !text.empty())
        result.outputs.emplace_back(name, text);
    }
  }
  return result;
}

}  // namespace slipway::workflow
