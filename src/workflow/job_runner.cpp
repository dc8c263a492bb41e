// SPDX-License-Identifier: Apache-2.0
#include "workflow/job_runner.hpp"

#include <sys/utsname.h>

#include <span>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"
#include "os/file.hpp"
#include "workflow/alarm.hpp"
#include "workflow/check_call.hpp"
#include "workflow/job_matchers.hpp"
#include "workflow/job_services.hpp"
#include "workflow/machine_tree.hpp"
#include "workflow/remote_workflow.hpp"
#include "workflow/step_runner.hpp"
#include "workflow/tool_socket.hpp"

namespace slipway::workflow {
namespace {

constexpr std::int64_t kDefaultTimeoutMinutes = 360;
constexpr std::int64_t kDefaultCancelMinutes = 5;

std::string architecture() {
  utsname name{};
  ::uname(&name);
  std::string_view machine = name.machine;
  return machine == "x86_64"          ? "X64"
         : machine == "aarch64"       ? "ARM64"
         : machine.starts_with("arm") ? "ARM"
                                      : "X86";
}

std::int64_t minutes_of(const Template& value, const Contexts& contexts, std::int64_t otherwise) {
  if (value.is_absent()) return otherwise;
  auto number = evaluate(value, contexts).to_number();
  return number > 0 && number < 1e9 ? static_cast<std::int64_t>(number) : otherwise;
}

std::vector<std::string> strings_of(const Value& value) {
  std::vector<std::string> strings;
  if (value.is_array()) {
    for (const auto& item : value.items()) strings.push_back(item.to_string());
  } else if (!value.is_null()) {
    strings.push_back(value.to_string());
  }
  return strings;
}

// `container:` or a service; nothing when its image is empty after evaluation.
std::optional<ContainerOrder> container_of(const std::string& id, const Value& value) {
  ContainerOrder order;
  order.id = id;
  if (value.is_string()) {
    order.image = value.string();
  } else if (value.is_object()) {
    order.image = value.get("image").to_string();
    auto credentials = value.get("credentials");
    if (credentials.is_object()) {
      order.login = RegistryLogin{credentials.get("username").to_string(),
                                  credentials.get("password").to_string()};
    }
    order.env = to_variables(value.get("env"));
    order.ports = strings_of(value.get("ports"));
    order.volumes = strings_of(value.get("volumes"));
    order.options = value.get("options").to_string();
    order.entrypoint = value.get("entrypoint").to_string();
    order.command = value.get("command").to_string();
  }
  constexpr std::string_view kImage = "docker://";
  if (order.image.starts_with(kImage)) order.image.erase(0, kImage.size());
  if (trim(order.image).empty()) return std::nullopt;
  return order;
}

/// One job, from its machine to its outputs.
class RunningLeg final {
 public:
  RunningLeg(const LegOrder& order, RunServices& services, EventSink& sink, std::stop_token stop)
      : order_(order),
        services_(services),
        reporter_(sink, order.run.facts.run_id, order.id),
        outer_(std::move(stop)),
        state_{.order = order.run,
               .services = services,
               .workflow = order.workflow,
               .job = order.job,
               .reporter = reporter_,
               .masker = masker_,
               .stop = cancel_.get_token(),
               .end = end_.get_token(),
               .base = order.base} {}

  LegResult run() {
    LegResult result;
    std::stop_callback on_outer(outer_, [this] { cancel_.request_stop(); });
    std::stop_callback on_hurry(services_.hurry, [this] {
      cancel_.request_stop();
      end_.request_stop();
      std::lock_guard lock(machine_mutex_);
      if (machine_) machine_->kill();
    });
    try {
      prepare(result);
      run_guarded(result);
    } catch (const Error& error) {
      complain(error.what());
    } catch (const Cancelled&) {
      state_.main->status = Conclusion::cancelled;
    }
    if (state_.grant) services_.toolkit->dismiss(*state_.grant);
    tool_.reset();
    starting_.reset();
    keep_or_end_machine();
    result.conclusion = state_.is_cancelled() ? Conclusion::cancelled : state_.main->status;
    if (timed_out_) {
      complain(fmt::format("The job has exceeded the maximum execution time of {} minutes.",
                           timeout_minutes_));
      result.conclusion = Conclusion::cancelled;
    }
    result.reason = state_.first_error;
    return result;
  }

 private:
  void complain(const std::string& message) {
    state_.main->status = Conclusion::failure;
    auto masked = masker_.mask(message);
    reporter_.emit({.kind = EventKind::annotation, .text = masked, .severity = Severity::error});
    if (state_.first_error.empty()) state_.first_error = masked;
  }

  // A failed job's machine, for `slipway shell`.
  void keep_or_end_machine() {
    bool keeps = services_.keep_failed && machine_ &&
                 (machine_->first_process() || machine_->container()) &&
                 state_.main->status == Conclusion::failure;
    if (!keeps) return end_machine();
    auto paths = machine_->paths();
    auto container = machine_->container();
    taken_machine().reset();
    auto from = services_.directory / "jobs" / file_name_of(order_.id);
    auto to = services_.directory / "kept" / file_name_of(order_.id);
    os::make_dirs(to.parent_path());
    std::filesystem::rename(from, to);
    os::write_file(to / "shell.json",
                   kept_machine_json(state_, order_.id, paths, container).pretty(), 0600);
    reporter_.emit({.kind = EventKind::annotation,
                    .text = fmt::format("the job's machine is kept: slipway shell {} '{}'",
                                        order_.run.facts.run_id, order_.id),
                    .severity = Severity::notice});
  }

  std::unique_ptr<JobMachine> taken_machine() {
    std::lock_guard lock(machine_mutex_);
    return std::move(machine_);
  }

  // Taking a machine down takes a while, and nobody who needs this job needs to wait for it.
  void end_machine() {
    std::shared_ptr<JobMachine> over =
        taken_machine();  // shared with nobody: a std::function can be copied
    if (!over || !services_.endings || !over->is_apart()) return;
    services_.endings->start([over](const std::stop_token&) mutable { over.reset(); });
  }

  // Settings, secrets and what is evaluated before the machine is there.
  void prepare(LegResult& result) {
    auto& contexts = state_.base;
    result.environment = environment_of(order_.job, contexts);
    state_.environment = result.environment;
    result.continues_on_error = !order_.job.continue_on_error.is_absent() &&
                                evaluate(order_.job.continue_on_error, contexts).is_truthy();
    apply_settings(result.environment);
    timeout_minutes_ = minutes_of(order_.job.timeout_minutes, contexts, kDefaultTimeoutMinutes);
    cancel_minutes_ =
        minutes_of(order_.job.cancel_timeout_minutes, contexts, kDefaultCancelMinutes);
    state_.shows_debug = state_.echo = wants_debug();
    contexts.values["runner"] = Value::object({{"os", "Linux"}, {"arch", architecture()}});
    contexts.values["github"] = contexts.values["github"].with("job", order_.job.id);

    describe_workflow();
    state_.env = order_.run.settings.env;
    for (const auto* layer : {&order_.workflow.env, &order_.job.env}) {
      if (layer->is_absent()) continue;
      for (const auto& [name, value] : to_variables(evaluate(*layer, contexts, KeyCase::exact)))
        state_.env[name] = value;
    }
    evaluate_defaults();
  }

  // Once, before the first step: what steps put into the environment later does not count.
  //   source  actions/runner JobExtension.cs, "Evaluate the job defaults"
  void evaluate_defaults() {
    auto contexts = state_.base;
    contexts.values["env"] = to_value(state_.env, KeyCase::exact);
    for (const auto* defaults : {&order_.workflow.defaults, &order_.job.defaults}) {
      auto shell = evaluate_text(defaults->shell, contexts);
      auto directory = evaluate_text(defaults->working_directory, contexts);
      if (!shell.empty()) state_.default_shell = shell;
      if (!directory.empty()) state_.default_directory = directory;
    }
  }

  // The file that the job stands in, which may be a called workflow's.
  void describe_workflow() {
    auto home = home_of(order_.job_workflow_ref);
    auto file = order_.job_workflow_ref.substr(
        std::min(home.repository.size() + 1, order_.job_workflow_ref.size()));
    const auto& github = state_.base.values["github"];
    bool is_own = equals_ignoring_case(home.repository, github.get("repository").to_string());
    auto& job = state_.job_context;
    job = Value::object({{"workflow_ref", order_.job_workflow_ref},
                         {"workflow_repository", home.repository},
                         {"workflow_file_path", file.substr(0, file.find('@'))}});
    if (is_own) job = job.with("workflow_sha", github.get("workflow_sha"));
  }

  // A secret of that name counts before the variable.
  //   source  actions/runner ExecutionContext.cs, SetDebugUsingVars
  [[nodiscard]] bool wants_debug() const {
    for (const char* context : {"secrets", "vars"}) {
      auto found = state_.base.values.find(context);
      if (found == state_.base.values.end()) continue;
      if (const auto* value = found->second.find("ACTIONS_STEP_DEBUG")) {
        auto text = value->to_string();
        return text == "1" || equals_ignoring_case(text, "true");
      }
    }
    return false;
  }

  // Secrets are masked before anything can be said; the environment's stand in front of the repository's.
  void apply_settings(const std::string& environment) {
    auto& values = state_.base.values;
    const auto& known = order_.run.settings.environments;
    if (auto found = known.find(environment); !environment.empty() && found != known.end()) {
      for (const auto& [name, value] : found->second.secrets)
        values["secrets"] = values["secrets"].with(name, value);
      for (const auto& [name, value] : found->second.vars)
        values["vars"] = values["vars"].with(name, value);
    }
    if (values["secrets"].is_object()) {
      for (const auto& [name, value] : values["secrets"].members()) masker_.add(value.to_string());
    }
  }

  void run_guarded(LegResult& result) {
    Alarm timeout(Deadline::in(services_.minute * timeout_minutes_), [this] {
      timed_out_ = true;
      cancel_.request_stop();
    });
    // After a cancellation, steps with always() and posts have this long.
    std::optional<Alarm> last;
    std::stop_callback on_cancel(cancel_.get_token(), [&] {
      last.emplace(Deadline::in(services_.minute * cancel_minutes_),
                   [this] { end_.request_stop(); });
    });
    StepRunner steps(state_);
    if (set_up(steps, result)) {
      std::span all(order_.job.steps);
      auto early = starting_ ? steps.count_before_services(all) : 0;
      steps.run_main(all.first(early));
      wait_for_services();
      steps.run_pre(order_.job.steps);
      steps.run_main(all.subspan(early));
    }
    if (state_.machine) steps.run_posts();
    finish(result);
  }

  bool set_up(StepRunner& steps, LegResult& result) {
    StepLabel label{++state_.last_step, "Set up job", ""};
    return told_step(label, Deadline::Clock::now(), [&](StepOutput& output) {
      auto services = make_machine(output);
      show_permissions(output);
      allow_tokens(result.environment);
      start_services(std::move(services));
      steps.prepare(order_.job.steps, output);
    });
  }

  // A step that the workflow does not name. Returns true when `body` came to its end.
  bool told_step(const StepLabel& label, Deadline::Clock::time_point began,
                 const std::function<void(StepOutput&)>& body) {
    StepOutput output(reporter_, label, masker_, state_.echo);
    reporter_.emit(
        {.kind = EventKind::step_started, .step = label.number, .step_name = label.name});
    auto conclusion = Conclusion::success;
    try {
      body(output);
    } catch (const Error& error) {
      output.annotate(Severity::error, error.what());
      if (state_.first_error.empty()) state_.first_error = masker_.mask(error.what());
      conclusion = state_.main->status = Conclusion::failure;
    } catch (const Cancelled&) {
      conclusion = Conclusion::cancelled;
      cancel_.request_stop();
    }
    output.flush();
    auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - began)
            .count();
    reporter_.emit({.kind = EventKind::step_finished,
                    .step = label.number,
                    .step_name = label.name,
                    .conclusion = std::string(name_of(conclusion)),
                    .took_ms = took});
    return conclusion == Conclusion::success;
  }

  // Returns what is to be started beside it.
  std::vector<ContainerOrder> make_machine(StepOutput& output) {
    auto& contexts = state_.base;
    MachineOrder machine{.run_id = order_.run.facts.run_id,
                         .job = file_name_of(order_.id),
                         .labels = {},
                         .container = {},
                         .services = {},
                         .repository = order_.run.event.repository,
                         .directory = services_.directory / "jobs" / file_name_of(order_.id)};
    auto runs_on = evaluate(order_.job.runs_on, contexts);
    machine.labels = strings_of(runs_on.is_object() ? runs_on.get("labels") : runs_on);
    // What a container may name beside the job's own contexts: the variables.
    auto with_env = contexts;
    with_env.values["env"] = to_value(state_.env, KeyCase::exact);
    if (!order_.job.container.is_absent()) {
      machine.container =
          container_of("", evaluate(order_.job.container, with_env, KeyCase::exact));
    }
    if (!order_.job.services.is_absent()) {
      auto services = evaluate(order_.job.services, with_env, KeyCase::exact);
      if (services.is_object()) {
        for (const auto& [id, value] : services.members()) {
          if (auto service = container_of(id, value)) machine.services.push_back(*service);
        }
      }
    }
    os::make_dirs(machine.directory);
    machine.keeps = services_.keep_failed;
    if (services_.tool) {
      os::make_dirs(machine.directory / "tools");
      machine.tools = {services_.tool->name()};
    }
    auto made = services_.machines.make(
        machine, [&](std::string_view text) { output.say(text); }, state_.stop);
    {
      std::lock_guard lock(machine_mutex_);
      machine_ = std::move(made);
    }
    state_.machine = machine_.get();
    if (auto own = machine_->job_container()) {
      state_.job_context = state_.job_context.with(
          "container", Value::object({{"id", own->id}, {"network", own->network}}));
    }
    matchers_.emplace(*machine_);
    state_.matchers = &*matchers_;
    fill_paths();
    if (services_.tool) {
      tool_.emplace(machine.directory / "tools", *services_.tool,
                    ToolSocket::Job{.machine = *machine_,
                                    .github = state_.base.values["github"].to_json(),
                                    .repository = services_.source,
                                    .ca_bundle = services_.ca_bundle,
                                    .route = services_.route});
    }
    return std::move(machine.services);
  }

  void fill_paths() {
    const auto& paths = machine_->paths();
    for (const auto& directory : {paths.workspace, paths.temp, paths.tool_cache, paths.actions}) {
      os::make_dirs(machine_->outside(directory));
    }
    auto& values = state_.base.values;
    values["runner"] = Value::object({{"os", "Linux"},
                                      {"arch", architecture()},
                                      {"name", "slipway"},
                                      {"environment", "self-hosted"},
                                      {"temp", paths.temp},
                                      {"tool_cache", paths.tool_cache},
                                      {"workspace", paths.work}});
    if (state_.shows_debug) values["runner"] = values["runner"].with("debug", "1");
    auto event = paths.temp + "/_github_workflow/event.json";
    auto outside = machine_->outside(event);
    os::make_dirs(outside.parent_path());
    auto& github = values["github"];
    os::write_file(outside, github.get("event").to_json().pretty());
    github = github.with("workspace", paths.workspace).with("event_path", event);
  }

  void show_permissions(StepOutput& output) const {
    const auto& permissions = order_.job.permissions;
    if (!permissions.given) return;
    output.group("GITHUB_TOKEN Permissions");
    output.say(join(permission_lines(permissions), "\n"));
    output.end_group();
  }

  void allow_tokens(const std::string& environment) {
    if (!services_.toolkit) return;
    auto github = state_.base.values["github"].to_json();
    ToolkitJob job{.run_id = order_.run.facts.run_id,
                   .job = file_name_of(order_.id),
                   .repository = github.get_string("repository", "none"),
                   .scope = cache_scope(github)};
    std::optional<formats::Json> claims;
    OidcFacts facts{.github = github,
                    .environment = environment,
                    .job_workflow_ref = order_.job_workflow_ref,
                    .check_run_id = {}};
    if (order_.job.permissions.of("id-token", Access::none) == Access::write &&
        !is_from_fork(github))
      claims = oidc_claims(facts);
    state_.grant = services_.toolkit->admit(job, claims);
    if (claims) masker_.add(state_.grant->token);
    masker_.add(state_.grant->runtime_token);
  }

  // A step of its own, as on GitHub: numbered when it begins, told of when it is waited for.
  void start_services(std::vector<ContainerOrder> services) {
    if (services.empty()) return;
    starting_.emplace(*machine_, std::move(services), state_.stop);
    services_label_ = {++state_.last_step, "Initialize containers", ""};
  }

  void wait_for_services() {
    if (!starting_) return;
    told_step(services_label_, starting_->began(), [this](StepOutput& output) {
      auto running = starting_->wait(output);
      // Without a container of the job's own, too.
      if (!state_.job_context.find("container") && !running.members().empty()) {
        auto network = running.members().front().second.get("network");
        state_.job_context =
            state_.job_context.with("container", Value::object({{"network", network}}));
      }
      state_.job_context = state_.job_context.with("services", std::move(running));
    });
  }

  void finish(LegResult& result) {
    auto contexts = contexts_of(state_, *state_.main, {}, "");
    JobEndHost host(state_);
    contexts.host = &host;
    if (!order_.job.outputs.is_absent() && state_.machine) {
      auto outputs = evaluate(order_.job.outputs, contexts);
      if (outputs.is_object()) {
        for (const auto& [name, value] : outputs.members())
          keep_output(name, value.to_string(), result);
      }
    }
    if (order_.job.environment.is_mapping()) {
      const auto& url = order_.job.environment["url"];
      if (!url.is_absent()) result.environment_url = masker_.mask(evaluate_text(url, contexts));
    }
  }

  void keep_output(const std::string& name, const std::string& value, LegResult& result) {
    if (value.empty()) return;
    if (masker_.hides_something_in(value)) {
      reporter_.emit({.kind = EventKind::annotation,
                      .text = fmt::format("Skip output '{}' since it may contain secret.", name),
                      .severity = Severity::warning});
      return;
    }
    result.outputs.emplace_back(name, value);
  }

  class JobEndHost final : public ExpressionHost {
   public:
    explicit JobEndHost(const JobState& state) : state_(state) {}
    std::string hash_files(const std::vector<std::string>& patterns) const override {
      return hash_machine_files(*state_.machine, patterns);
    }

   private:
    const JobState& state_;
  };

  const LegOrder& order_;
  RunServices& services_;
  Reporter reporter_;
  Masker masker_;
  std::stop_token outer_;
  std::stop_source cancel_;
  std::stop_source end_;
  std::atomic<bool> timed_out_ = false;
  std::int64_t timeout_minutes_ = kDefaultTimeoutMinutes;
  std::int64_t cancel_minutes_ = kDefaultCancelMinutes;
  std::mutex machine_mutex_;  // guards the pointer against kill() from another thread
  std::unique_ptr<JobMachine> machine_;
  std::optional<ToolSocket> tool_;       // calls back into machine_
  std::optional<JobServices> starting_;  // uses machine_
  StepLabel services_label_;
  std::optional<JobMatchers> matchers_;  // of machine_
  JobState state_;
};

}  // namespace

LegResult run_leg(const LegOrder& order, RunServices& services, EventSink& sink,
                  std::stop_token stop) {
  return RunningLeg(order, services, sink, std::move(stop)).run();
}

std::string environment_of(const Job& job, const Contexts& contexts) {
  if (job.environment.is_absent()) return "";
  return evaluate_text(job.environment.is_mapping() ? job.environment["name"] : job.environment,
                       contexts);
}

std::string file_name_of(const std::string& job_id) {
  std::string name;
  bool changed = job_id.size() > 60;
  for (char c : job_id.substr(0, 60)) {
    bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '.';
    changed = changed || !is_plain;
    if (is_plain) {
      name += c;
    } else if (!name.ends_with('-')) {
      name += '-';
    }
  }
  while (name.ends_with('-')) name.pop_back();
  if (name.empty() || name.front() == '.') name = "job" + name;
  return changed ? name + "-" + formats::sha256_hex(job_id).substr(0, 6) : name;
}

}  // namespace slipway::workflow
