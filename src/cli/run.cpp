// SPDX-License-Identifier: Apache-2.0
#include "workflow/run.hpp"

#include "actions/catalog.hpp"
#include "actions/docker_tool.hpp"
#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "cli/approval_prompt.hpp"
#include "cli/aws_access.hpp"
#include "cli/environment_access.hpp"
#include "cli/job_images.hpp"
#include "cli/notify.hpp"
#include "cli/repository.hpp"
#include "cli/run_settings.hpp"
#include "cli/run_view.hpp"
#include "cli/tracing.hpp"
#include "cli/verbs.hpp"
#include "container/crun_runtime.hpp"
#include "container/leftovers.hpp"
#include "deploy/notify.hpp"
#include "ledger/ledger.hpp"
#include "os/file.hpp"
#include "os/process.hpp"
#include "workflow/plan.hpp"
#include "workflow/run_spans.hpp"
#include "workflow/run_store.hpp"
#include "workflow/scratch.hpp"
#include "workflow/view_machine.hpp"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;
using formats::Json;

/// Which cloud the jobs' AWS names lead to.
struct CloudChoice {
  std::optional<Json> local;  ///< env.json of the local AWS; nothing: the names are left alone
  [[nodiscard]] std::string gateway() const { return local ? local->get_string("gateway") : ""; }
};

CloudChoice choose_cloud(const Invocation& given, const Surroundings& around) {
  auto wanted = given.value_or("--cloud", "");
  if (wanted == "aws" || wanted == "none") return {};
  if (!wanted.empty() && wanted != "local")
    fail(Fault::bad_input, "--cloud is local, aws or none, not '{}'", wanted);
  CloudChoice choice{.local = local_cloud(around.state)};
  if (wanted == "local" && !choice.local) {
    fail(Fault::unavailable, "the local AWS does not run; start it: slipway cloud start");
  }
  return choice;
}

bool is_cloud_name(std::string_view host) {
  return matches_wildcard("*.amazonaws.com", host) || matches_wildcard("*.on.aws", host) ||
         host == "token.actions.githubusercontent.com";
}

/// Sees how the jobs of a run end.
class Verdicts final : public workflow::EventSink {
 public:
  explicit Verdicts(std::vector<workflow::EventSink*> next) : next_(std::move(next)) {}
  void on(const workflow::RunEvent& event) override {
    if (event.kind == workflow::EventKind::job_finished) {
      ended_.with([&](auto& ended) {
        auto& verdict = ended[event.run];
        if (verdict.empty() || event.conclusion == "failure") verdict = event.conclusion;
      });
    }
    for (auto* sink : next_) sink->on(event);
  }
  /// "success" when every job that has ended did; the worst otherwise; "" before the first.
  [[nodiscard]] std::string of(const std::string& run) const {
    return ended_.read([&](const auto& ended) {
      auto found = ended.find(run);
      return found == ended.end() ? std::string() : found->second;
    });
  }

 private:
  std::vector<workflow::EventSink*> next_;
  Guarded<std::map<std::string, std::string>> ended_;
};

class NoBuiltins final : public workflow::ActionCatalog {
 public:
  workflow::Action* find(std::string_view, std::string_view) override { return nullptr; }
};

// Options by which the run can be asked for again; secrets are asked for anew.
Json request_of(const Invocation& given) {
  auto options = Json::object();
  for (const auto& [name, values] : given.given) {
    if (name == "--secret" || name == "--failed") continue;
    auto list = Json::array();
    for (const auto& value : values) list.push_back(value);
    options[name] = list;
  }
  return Json::object({{"options", options}});
}

// The invocation of a run that is to be done again, with what is given now in front.
Invocation again(const Invocation& given, const workflow::RunRecord& before) {
  Invocation merged = given;
  merged.arguments = {before.file};
  if (const auto* options = before.request.find("options")) {
    for (const auto& [name, values] : options->as_object()) {
      if (merged.given.contains(name)) continue;
      auto& list = merged.given[name];
      for (const auto& value : values.as_array()) list.push_back(value.as_string());
    }
  }
  merged.given["--ref"] = {before.ref};
  merged.given["--sha"] = {before.sha};
  return merged;
}

/// Everything a run borrows, made once for all workflows of a plan.
class RunRoom final {
 public:
  /// `before`  whose failed jobs are run again; nothing: all are run
  RunRoom(const Invocation& given, Surroundings& around, fs::path top,
          const workflow::RunPlan& plan, std::optional<workflow::RunRecord> before)
      : given_(given),
        around_(around),
        plan_(plan),
        before_(std::move(before)),
        top_(std::move(top)),
        cloud_(choose_cloud(given, around)),
        settings_(read_run_settings(given, around.state)),
        store_(around.state / "images"),
        layers_(around.state / "images/layers"),
        ledger_(around.state / "ledger.db"),
        issuer_(around.state / "oidc"),
        runs_(around.state / "runs"),
        view_(make_run_view(around)) {
    container::RuntimeOptions options{.state = around.state};
    container::sweep(options);
    runs_.sweep();
    runtime_ = container::make_crun_runtime(options);
  }

  int run_all() {
    auto worst = workflow::Conclusion::success;
    for (const auto& planned : plan_.workflows) {
      if (!planned.starts) continue;
      auto conclusion = run_one(planned);
      if (conclusion == workflow::Conclusion::failure || worst == workflow::Conclusion::success)
        worst = conclusion;
      if (around_.stop.stop_requested()) break;
    }
    view_->finish();
    if (worst == workflow::Conclusion::cancelled) return 130;
    return worst == workflow::Conclusion::failure ? 1 : 0;
  }

 private:
  workflow::Conclusion run_one(const workflow::PlannedWorkflow& planned) {
    const auto& event = plan_.event;
    auto writer = runs_.create({.workflow = planned.workflow->title(),
                                .file = planned.workflow->file,
                                .title = planned.run_name,
                                .event = event.name,
                                .ref = event.ref,
                                .sha = event.sha,
                                .repository = event.repository,
                                .attempt = before_ ? before_->attempt + 1 : 1,
                                .rerun_of = before_ ? before_->id : "",
                                .request = request_of(given_)});
    const auto& id = writer->record().id;
    workflow::ScratchSpace scratch(writer->directory() / "jobs",
                                   given_.has("--keep")
                                       ? workflow::ScratchKind::disk
                                       : workflow::parse_scratch(given_.value_or("--scratch", "")));
    auto facts = facts_of(id, planned);
    RunSpan span(facts, planned.workflow->title(), event);
    std::vector<workflow::EventSink*> sinks = {writer.get(), view_.get()};
    if (span.sink()) sinks.push_back(span.sink());
    Verdicts sink(std::move(sinks));
    StoreImages images(store_, layers_, *runtime_, around_.state / "images", around_.log);
    auto machines = make_machines(id, images);
    workflow::ToolkitServer toolkit(
        machines->host_address() + ":0", issuer_,
        {.caches = around_.state / "cache", .runs = around_.state / "runs"}, around_.log);
    TaskGroup servers(std::stop_token{});
    servers.start([&](std::stop_token stop) { toolkit.run(stop); });
    auto dependencies = action_dependencies(sink);
    auto builtins = make_builtins(dependencies);
    auto docker = actions::make_docker_tool(dependencies);
    workflow::ActionLock lock(top_ / "slipway.lock", given_.has("--update-lock"));
    workflow::DiskActionSource actions(action_directories(), around_.state / "actions",
                                       event.server_url, lock, around_.log);
    workflow::RunServices services{
        .machines = *machines,
        .builtins = *builtins,
        .actions = actions,
        .toolkit = &toolkit,
        .source = top_,
        .directory = writer->directory(),
        .groups = around_.state / "groups",
        .route = routes(),
        .ca_bundle = cloud_.local ? cloud_.local->get_string("ca_file") : "",
        .job_env = job_env(),
        .hurry = around_.hurry,
        .keep_failed = given_.has("--keep"),
        .tool = docker.get(),
        .log = around_.log};
    workflow::RunOrder order{
        .workflow = planned,
        .event = event,
        .facts = facts,
        .settings = settings_,
        .selectors = {.matrix = read_pairs(given_.values("--matrix"), "--matrix")},
        .dirty = given_.has("--dirty")};
    if (before_) take_over(*before_, order, writer->directory());
    ApprovalPrompt prompt(writer->directory() / "approvals", *view_);
    auto result = workflow::run(order, services, sink, around_.stop);
    servers.stop();
    servers.join();
    tell(id, span);
    return result.conclusion;
  }

  // What the run has released, as slipway.yml wants it told: an environment at a time.
  void tell(const std::string& run, const RunSpan& span) {
    std::map<std::string, std::vector<ledger::Release>> released;
    for (auto& release : ledger_.history("", "", 100)) {
      if (release.run_id == run && release.verdict != ledger::Verdict::running)
        released[release.environment].insert(released[release.environment].begin(), release);
    }
    std::vector<ledger::Release> all;
    for (const auto& [environment, releases] : released)
      all.insert(all.end(), releases.begin(), releases.end());
    span.end(all);
    if (released.empty()) return;
    Told told;
    for (const auto& [environment, releases] : released)
      told.emplace_back(environment, deploy::release_message(releases));
    notify(around_, ledger_, settings_here(around_), told);
  }

  // What the run before has done, and the artifacts that its jobs left to others.
  void take_over(const workflow::RunRecord& before, workflow::RunOrder& order,
                 const fs::path& directory) {
    order.kept = runs_.done_by(before.id);
    order.facts.run_attempt = std::to_string(before.attempt + 1);
    auto artifacts = runs_.directory_of(before.id) / "artifacts";
    if (fs::exists(artifacts))
      fs::copy(artifacts, directory / "artifacts", fs::copy_options::recursive);
  }

  std::unique_ptr<workflow::ContainerMachines> make_machines(const std::string& id,
                                                             workflow::ImageSource& images) {
    workflow::MachineOptions options{
        .runtime = {.state = around_.state},
        .network = {.state = around_.state, .name = "run-" + id, .names = {}, .upstream = {}},
        .on_host = given_.has("--host"),
        .label_images = {},
        .tool_cache = around_.state / "toolcache",
        .trusted_certificates = {}};
    for (const auto& [label, image] : read_pairs(given_.values("--image"), "--image"))
      options.label_images[label] = image;
    if (cloud_.local) {
      options.trusted_certificates = os::read_file(cloud_.local->get_string("ca_file"));
      if (auto gateway = cloud_.gateway(); !gateway.empty()) options.network.upstream = {gateway};
    }
    return std::make_unique<workflow::ContainerMachines>(std::move(options), *runtime_, images,
                                                         around_.log);
  }

  // slipway.yml of the repository; what is wrong with it ends the deployment.
  [[nodiscard]] deploy::Settings deployment_settings() const {
    return read_settings(top_, around_.stop);
  }

  actions::Dependencies action_dependencies(const Verdicts& verdicts) {
    return {.state = around_.state,
            .store = store_,
            .layers = layers_,
            .runtime = *runtime_,
            .ledger = &ledger_,
            .endpoints = {},
            .test_verdict = [&verdicts](const std::string& run) { return verdicts.of(run); },
            .protection =
                [this](const std::string& environment) {
                  return deployment_settings().of(environment).protection;
                },
            .log = around_.log};
  }

  std::unique_ptr<workflow::ActionCatalog> make_builtins(
      const actions::Dependencies& dependencies) {
    if (given_.has("--upstream-actions")) return std::make_unique<NoBuiltins>();
    return actions::make_catalog(dependencies);
  }

  [[nodiscard]] std::vector<fs::path> action_directories() const {
    std::vector<fs::path> directories;
    for (const auto& path : given_.values("--actions")) directories.push_back(around_.cwd / path);
    return directories;
  }

  // AWS names as slipway's own process reaches them: the gateway answers on the usual ports.
  [[nodiscard]] std::function<std::optional<std::string>(std::string_view)> routes() const {
    if (!cloud_.local) return {};
    auto gateway = cloud_.gateway();
    auto target =
        gateway.empty() ? fmt::format("127.0.0.1:{}", cloud_.local->get_int("tls_port")) : gateway;
    return [target](std::string_view host) -> std::optional<std::string> {
      if (!is_cloud_name(host)) return std::nullopt;
      return target;
    };
  }

  [[nodiscard]] std::map<std::string, std::string> job_env() const {
    if (!cloud_.local) return {};
    auto gateway = cloud_.gateway();
    std::map<std::string, std::string> env;
    env["AWS_ENDPOINT_URL"] =
        gateway.empty() ? cloud_.local->get_string("url") : "http://" + gateway;
    env["AWS_DISABLE_HOST_PREFIX_INJECTION"] = "true";  // one address serves all
    // A view of the machine has the local CA in its bundle; the machine itself does not.
    if (given_.has("--host")) {
      for (const char* name : {"NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE"})
        env[name] = cloud_.local->get_string("ca_file");
    }
    return env;
  }

  [[nodiscard]] workflow::RunFacts facts_of(const std::string& id,
                                            const workflow::PlannedWorkflow& planned) const {
    workflow::RunFacts facts;
    facts.run_id = facts.run_number = id;
    auto token = settings_.secrets.find("GITHUB_TOKEN");
    facts.token = token == settings_.secrets.end() ? "ghs_" + hex(random_bytes(18)) : token->second;
    facts.workflow = planned.workflow->title();
    facts.workflow_file = planned.workflow->file;
    return facts;
  }

  const Invocation& given_;
  Surroundings& around_;
  const workflow::RunPlan& plan_;
  std::optional<workflow::RunRecord> before_;
  fs::path top_;
  CloudChoice cloud_;
  workflow::RunSettings settings_;
  oci::BlobStore store_;
  oci::LayerCache layers_;
  ledger::Ledger ledger_;
  workflow::OidcIssuer issuer_;
  workflow::RunStore runs_;
  std::unique_ptr<RunView> view_;
  std::unique_ptr<container::Runtime> runtime_;
};

workflow::RunPlan plan_of(const Invocation& given, const Surroundings& around,
                          const fs::path& top) {
  auto workflows = workflow::load_workflows(top, given.arguments);
  workflow::EventRequest request{.name = given.value_or("--event", "push"),
                                 .ref = given.value_or("--ref", ""),
                                 .sha = given.value_or("--sha", ""),
                                 .payload = {},
                                 .inputs = {},
                                 .dirty = given.has("--dirty"),
                                 .server_url = around.server_url};
  if (auto file = given.value("--payload"))
    request.payload = formats::parse_json(os::read_file(around.cwd / *file), *file);
  for (const auto& [name, value] : read_pairs(given.values("--input"), "--input"))
    request.inputs[name] = value;
  auto event = workflow::make_event(top, request, around.stop);
  workflow::Selectors selectors{.jobs = given.values("--job"),
                                .matrix = read_pairs(given.values("--matrix"), "--matrix"),
                                .ignore_triggers = !given.arguments.empty(),
                                .vars = {}};
  auto settings = read_run_settings(given, around.state);
  selectors.vars = {settings.vars.begin(), settings.vars.end()};
  return workflow::plan(workflows, event, selectors);
}

int run(const Invocation& asked, Surroundings& around) {
  std::optional<workflow::RunRecord> before;
  if (auto id = asked.value("--failed")) {
    before = workflow::RunStore(around.state / "runs").find(*id);
    if (!before) fail(Fault::not_found, "there is no run '{}'; see: slipway runs", *id);
    if (before->conclusion.empty()) fail(Fault::conflict, "run {} goes on", *id);
    if (before->conclusion == "success") fail(Fault::bad_input, "no job of run {} failed", *id);
  }
  auto given = before ? again(asked, *before) : asked;
  auto top = repository_top(around.cwd, around.stop);
  auto plan = plan_of(given, around, top);
  if (!plan.starts_anything()) {
    std::string reasons;
    for (const auto& planned : plan.workflows)
      reasons += fmt::format("\n  {}: {}", planned.workflow->file, planned.reason);
    fail(Fault::bad_input, "no workflow starts for this event{}", reasons);
  }
  return RunRoom(given, around, top, plan, before).run_all();
}

}  // namespace

Verb run_verb() {
  return {.name = "run",
          .usage = "[WORKFLOW…] [options]",
          .summary = "runs the workflows that an event starts",
          .options =
              {{"--event", Option::Kind::value, "NAME", "the event; default: push"},
               {"--payload", Option::Kind::value, "FILE", "the event's payload, JSON"},
               {"--ref", Option::Kind::value, "REF", "branch or tag; default: the current one"},
               {"--sha", Option::Kind::value, "SHA", "the commit; default: what the ref names"},
               {"--job", Option::Kind::list, "ID", "only this job and what it needs"},
               {"--input", Option::Kind::list, "K=V", "an input of workflow_dispatch"},
               {"--secret", Option::Kind::list, "K=V",
                "a secret; K alone takes it from the environment"},
               {"--secret-file", Option::Kind::list, "FILE", "secrets, K=V lines"},
               {"--var", Option::Kind::list, "K=V", "a configuration variable"},
               {"--env", Option::Kind::list, "K=V", "an environment variable of every step"},
               {"--matrix", Option::Kind::list, "K=V", "only the legs with this value"},
               {"--dirty", Option::Kind::flag, "", "the working tree as it is, not the commit"},
               {"--host", Option::Kind::flag, "", "run steps on this machine itself"},
               {"--image", Option::Kind::list, "LABEL=REF", "the image for a runs-on label"},
               {"--upstream-actions", Option::Kind::flag, "", "run the official actions' own code"},
               {"--actions", Option::Kind::list, "DIR", "where owner/repo@ref is looked up first"},
               {"--failed", Option::Kind::value, "RUN",
                "run again what failed in that run; the rest is kept"},
               {"--keep", Option::Kind::flag, "", "keep what failed jobs leave, for slipway shell"},
               {"--update-lock", Option::Kind::flag, "",
                "take tags of actions that moved, and record where they are"},
               {"--scratch", Option::Kind::value, "auto|memory|disk",
                "where jobs' files are while they run"},
               {"--cloud", Option::Kind::value, "local|aws|none",
                "where AWS names lead; default: local if it runs"}},
          .run = run};
}

}  // namespace slipway::cli
