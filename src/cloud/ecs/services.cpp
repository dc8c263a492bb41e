// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cloud/ec2/security_groups.hpp"
#include "cloud/ecs/api.hpp"
#include "cloud/ecs/pauses.hpp"
#include "cloud/ecs/service_names.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::ecs {
namespace {

constexpr std::chrono::seconds kHeldPoll{20};

// Hooks that pause; there is nothing here that could run a function.
void check_hooks(const Json& configuration) {
  for (const auto& hook : configuration.get_array("lifecycleHooks")) {
    if (hook.get_string("targetType", "AWS_LAMBDA") != "PAUSE") {
      refuse("InvalidParameterException",
             "slipway: lifecycle hooks of the type AWS_LAMBDA are not supported yet: there is no "
             "Lambda; those of the type PAUSE are");
    }
    if (hook.get_array("lifecycleStages").empty())
      refuse("InvalidParameterException",
             "lifecycleStages must be specified for each deployment lifecycle hook.");
    if (hook.contains("hookTargetArn"))
      refuse("InvalidParameterException",
             "hookTargetArn must not be specified for a lifecycle hook of the type PAUSE.");
  }
}

// The strategy with its own settings; without one given the service keeps what it has.
void read_strategy(ServiceRecord& service, const Json& configuration) {
  check_hooks(configuration);
  if (std::string strategy = configuration.get_string("strategy"); !strategy.empty()) {
    service.strategy = Json::object();
    if (strategy != "ROLLING") service.strategy["strategy"] = strategy;
  }
  if (service.strategy.empty() && !configuration.get_array("lifecycleHooks").empty())
    refuse("InvalidParameterException",
           "Deployment lifecycle hooks are not supported with the ROLLING deployment strategy.");
  if (service.strategy.empty()) return;
  for (const char* key :
       {"bakeTimeInMinutes", "linearConfiguration", "canaryConfiguration", "lifecycleHooks"}) {
    if (const Json* value = configuration.find(key)) service.strategy[key] = *value;
  }
}

// Two revisions side by side need two target groups and the rule that leads to them.
void check_strategy(const ServiceRecord& service) {
  if (service.strategy.empty()) return;
  for (const auto& balancer : service.settings.get_array("loadBalancers")) {
    const Json* advanced = balancer.find("advancedConfiguration");
    for (const char* key : {"alternateTargetGroupArn", "productionListenerRule", "roleArn"}) {
      if (advanced && !advanced->get_string(key).empty()) continue;
      refuse("InvalidParameterException",
             fmt::format("advancedConfiguration.{} must be specified for each load balancer when "
                         "the deployment strategy is {}.",
                         key, service.strategy.get_string("strategy")));
    }
  }
}

void read_deployment_configuration(ServiceRecord& service, const Json& given) {
  const Json* configuration = given.find("deploymentConfiguration");
  if (!configuration || configuration->is_null()) return;
  read_strategy(service, *configuration);
  service.min_percent =
      static_cast<int>(configuration->get_int("minimumHealthyPercent", service.min_percent));
  service.max_percent =
      static_cast<int>(configuration->get_int("maximumPercent", service.max_percent));
  if (service.strategy.empty() && service.min_percent >= 100 && service.max_percent <= 100) {
    refuse("InvalidParameterException",
           "minimumHealthyPercent and maximumPercent cannot both be 100: a deployment could "
           "neither stop nor start a task.");
  }
  if (const Json* alarms = configuration->find("alarms"); alarms && !alarms->is_null()) {
    for (const char* key : {"alarmNames", "enable", "rollback"}) {
      if (!alarms->contains(key))
        refuse("InvalidParameterException", fmt::format("alarms.{} must be specified.", key));
    }
    service.alarms = *alarms;
  }
  const Json* breaker = configuration->find("deploymentCircuitBreaker");
  if (!breaker || breaker->is_null()) return;
  service.breaker = Breaker{.enabled = breaker->get_bool("enable"),
                            .rolls_back = breaker->get_bool("rollback"),
                            .resets_on_healthy = breaker->get_bool("resetOnHealthyTask", true)};
  if (const Json* threshold = breaker->find("thresholdConfiguration")) {
    std::string type = threshold->get_string("type");
    service.breaker.kind = type == "COUNT"               ? Breaker::Kind::count
                           : type == "UNBOUNDED_PERCENT" ? Breaker::Kind::unbounded_percent
                                                         : Breaker::Kind::bounded_percent;
    service.breaker.value = static_cast<int>(threshold->get_int("value"));
  }
}

// Members kept as given: {name, whether a change of it starts a deployment}.
constexpr std::pair<const char*, bool> kSettings[] = {
    {"loadBalancers", true},
    {"serviceRegistries", true},
    {"serviceConnectConfiguration", true},
    {"networkConfiguration", true},
    {"volumeConfigurations", true},
    {"capacityProviderStrategy", true},
    {"platformVersion", false},
    {"enableECSManagedTags", false},
    {"propagateTags", false},
    {"enableExecuteCommand", false},
    {"placementConstraints", false},
    {"placementStrategy", false},
    {"role", false},
};

// Takes over what the call gives; true when that alone starts a deployment.
bool read_settings(ServiceRecord& service, const Json& given) {
  bool deploys = false;
  for (const auto& [key, starts] : kSettings) {
    const Json* value = given.find(key);
    if (!value || value->is_null()) continue;
    const Json* present = service.settings.find(key);
    if (present && *present == *value) continue;
    if (!present && value->is_array() && value->empty()) continue;
    service.settings[key] = *value;
    deploys = deploys || starts;
  }
  if (given.contains("healthCheckGracePeriodSeconds")) {
    service.grace_seconds = static_cast<int>(given.get_int("healthCheckGracePeriodSeconds"));
  }
  return deploys;
}

void check_network(State& state, const ServiceRecord& service, const Json& definition) {
  if (definition.get_string("networkMode") != "awsvpc") return;
  const Json* network = service.settings.find("networkConfiguration");
  const Json* vpc = network ? network->find("awsvpcConfiguration") : nullptr;
  if (!vpc || vpc->get_array("subnets").empty()) {
    refuse("InvalidParameterException",
           "Network Configuration must be provided when networkMode 'awsvpc' is specified.");
  }
  ec2::check_awsvpc(state, service.scope, *vpc);
}

// The load balancers of a new revision: beside an old one it takes the target group that the old one has not.
Json balancers_beside(const ServiceRecord& service, Json balancers) {
  if (service.strategy.empty()) return balancers;
  const Deployment* present = nullptr;
  for (const auto& d : service.deployments) {
    if (present == nullptr || d.rollout == "COMPLETED") present = &d;
  }
  for (auto& balancer : balancers.as_array()) {
    std::string first = balancer.get_string("targetGroupArn");
    std::string other =
        balancer.contains("advancedConfiguration")
            ? balancer.at("advancedConfiguration").get_string("alternateTargetGroupArn")
            : "";
    bool is_taken = present != nullptr &&
                    std::any_of(present->load_balancers.as_array().begin(),
                                present->load_balancers.as_array().end(), [&](const Json& old) {
                                  return old.get_string("targetGroupArn") == first;
                                });
    if (is_taken && !other.empty()) balancer["targetGroupArn"] = other;
  }
  return balancers;
}

// The official deploy action and `aws ecs wait` poll every 15 s and more. Their poll is held until the deployment has ended, so
// that they end when it does.
bool is_waiter(const std::string& user_agent) {
  return user_agent.find("ecs.wait.services-stable") != std::string::npos ||
         user_agent.find("amazon-ecs-deploy-task-definition") != std::string::npos;
}

// What only a deployment by CodeDeploy may change.
void check_is_left_to_codedeploy(const Json& given) {
  for (const auto& [key, what] :
       {std::pair<const char*, const char*>{"taskDefinition", "update task definition"},
        {"loadBalancers", "update load balancers"},
        {"networkConfiguration", "update network configuration"},
        {"platformVersion", "update platform version"},
        {"forceNewDeployment", "force a new deployment"}}) {
    const Json* value = given.find(key);
    if (value == nullptr || value->is_null() || (value->is_bool() && !value->as_bool())) continue;
    refuse("InvalidParameterException",
           fmt::format("Unable to {} on services with a CODE_DEPLOY deployment controller. Use AWS "
                       "CodeDeploy to trigger a new deployment.",
                       what));
  }
}

ServiceRecord* find_service(World& world, const Scope& scope, const std::string& key) {
  auto it = world.services.find(full_key(scope, key));
  return it == world.services.end() ? nullptr : &it->second;
}

}  // namespace

void check_balancers(const ServiceRecord& service, const Json& definition, elb::Targets& targets) {
  for (const auto& balancer : service.settings.get_array("loadBalancers")) {
    std::string group = balancer.get_string("targetGroupArn");
    std::string container = balancer.get_string("containerName");
    auto port = balancer.get_int("containerPort");
    if (group.empty() || !targets.exists(group)) {
      refuse("InvalidParameterException",
             fmt::format("Unable to assume role and validate the specified targetGroupArn. The "
                         "target group {} does not exist.",
                         group));
    }
    bool found = false;
    for (const auto& item : definition.get_array("containerDefinitions")) {
      if (item.get_string("name") != container) continue;
      for (const auto& mapping : item.get_array("portMappings"))
        found = found || mapping.get_int("containerPort") == port;
    }
    if (!found) {
      refuse("InvalidParameterException",
             fmt::format("The container {} did not have a container port {} defined.", container,
                         port));
    }
  }
}

void add_deployment(ServiceRecord& service, std::int64_t now) {
  for (auto& deployment : service.deployments) deployment.status = "ACTIVE";
  Deployment next;
  next.id = new_deployment_id();
  next.status = "PRIMARY";
  next.task_definition_arn = service.task_definition_arn;
  next.reason = fmt::format("ECS deployment {} in progress.", next.id);
  next.created = next.updated = now;
  if (const Json* network = service.settings.find("networkConfiguration")) next.network = *network;
  if (const Json* balancers = service.settings.find("loadBalancers"))
    next.load_balancers = balancers_beside(service, *balancers);
  next.volumes = Json(service.settings.get_array("volumeConfigurations"));
  if (const Json* connect = service.settings.find("connect")) next.connect = *connect;
  if (!service.strategy.empty()) {
    next.stage = has_pause(service.strategy, "PRE_SCALE_UP") ? "PRE_SCALE_UP" : "SCALE_UP";
    next.stage_since = now;
  }
  service.deployments.insert(service.deployments.begin(), std::move(next));
}

Json Ecs::service_answer(const Scope& scope, const std::string& key) {
  return engine_.read([&](const World& world) {
    const auto& service = world.services.at(full_key(scope, key));
    return Json::object({{"service", describe(service, world.live_tasks(service))}});
  });
}

Json Ecs::create_service(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  ServiceRecord service;
  service.scope = scope_of(call);
  service.cluster = existing_cluster(call);
  service.name = in.text("serviceName");
  if (in.text_or("schedulingStrategy", "REPLICA") != "REPLICA") {
    refuse("InvalidParameterException",
           "The scheduling strategy DAEMON is not supported by AWS Fargate.");
  }
  if (const Json* controller = call.input.find("deploymentController")) {
    std::string type = controller->get_string("type", "ECS");
    if (type == "EXTERNAL") {
      refuse("InvalidParameterException",
             "slipway: the deployment controller 'EXTERNAL' is not supported yet: ECS and "
             "CODE_DEPLOY are");
    }
    if (type != "ECS") service.settings["deploymentController"] = type;
    if (type == "CODE_DEPLOY" && call.input.get_array("loadBalancers").size() != 1) {
      refuse("InvalidParameterException",
             "Exactly one load balancer must be specified for a service that uses the CODE_DEPLOY "
             "deployment controller.");
    }
  }
  service.desired = static_cast<int>(in.integer_or("desiredCount", 1));
  if (service.desired < 0 || service.desired > 10'000)
    refuse("InvalidParameterException", "desiredCount must be between 0 and 10000.");
  Json definition = find_task_definition(call, in.text("taskDefinition"), true);
  service.task_definition_arn = definition.get_string("taskDefinitionArn");
  check_pass_role(call, definition);
  read_deployment_configuration(service, call.input);
  read_settings(service, call.input);
  check_network(engine_.around().state, service, definition);
  check_can_execute(in.boolean_or("enableExecuteCommand", false), definition,
                    "service couldn't be created");
  check_balancers(service, definition, engine_.targets());
  check_volumes_at_launch(call, service.settings.get_array("volumeConfigurations"), definition);
  check_strategy(service);
  settle_names(engine_.around(), service, definition,
               default_namespace(service.scope, service.cluster));
  if (const Json* tags = call.input.find("tags")) service.tags = *tags;
  service.created = now_ms();
  service.created_by = call.caller.arn;
  add_deployment(service, service.created);
  std::string key = service.key();
  engine_.change([&](World& world) {
    auto* present = find_service(world, service.scope, key);
    if (present && present->status != "INACTIVE")
      refuse("InvalidParameterException", "Creation of service was not idempotent.");
    check_aliases_are_free(world, service);
    world.services[full_key(service.scope, key)] = service;
    world.dirty_services.insert(full_key(service.scope, key));
  });
  return service_answer(service.scope, key);
}

Json Ecs::update_service(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  Scope scope = scope_of(call);
  std::string key = existing_cluster(call) + "/" + last_part(in.text("service"));
  std::optional<Json> definition;
  if (auto name = in.optional_text("taskDefinition")) {
    definition = find_task_definition(call, *name, true);
    check_pass_role(call, *definition);
  }
  auto copy = engine_.read([&](const World& world) -> std::optional<ServiceRecord> {
    auto it = world.services.find(full_key(scope, key));
    return it == world.services.end() ? std::nullopt : std::optional(it->second);
  });
  if (!copy) refuse("ServiceNotFoundException", "Service not found.");
  if (copy->status != "ACTIVE") refuse("ServiceNotActiveException", "Service was not ACTIVE.");
  engine_.change([&](World& world) {
    auto* service = find_service(world, scope, key);
    ServiceRecord next = *service;  // all or nothing: a refusal below changes nothing
    bool deploys = in.boolean_or("forceNewDeployment", false);
    if (next.controller() == "CODE_DEPLOY") check_is_left_to_codedeploy(call.input);
    read_deployment_configuration(next, call.input);
    deploys = read_settings(next, call.input) || deploys;
    if (definition) {
      std::string arn = definition->get_string("taskDefinitionArn");
      deploys = deploys || arn != next.task_definition_arn;
      next.task_definition_arn = arn;
    }
    if (auto desired = in.optional_integer("desiredCount"))
      next.desired = static_cast<int>(*desired);
    if (deploys) {
      Json current =
          definition
              ? *definition
              : engine_.task_definition(scope, next.task_definition_arn).value_or(Json::object());
      check_network(engine_.around().state, next, current);
      check_can_execute(in.boolean_or("enableExecuteCommand", false), current,
                        "service couldn't be updated");
      check_balancers(next, current, engine_.targets());
      check_volumes_at_launch(call, next.settings.get_array("volumeConfigurations"), current);
      check_strategy(next);
      settle_names(engine_.around(), next, current, default_namespace(scope, next.cluster));
      check_aliases_are_free(world, next);
      add_deployment(next, now_ms());
    }
    *service = std::move(next);
    world.dirty_services.insert(full_key(scope, key));
  });
  return service_answer(scope, key);
}

Json Ecs::describe_services(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  auto names = in.texts("services");
  if (names.empty()) refuse("InvalidParameterException", "Services cannot be empty.");
  if (names.size() > 10)
    refuse("InvalidParameterException", "Services cannot have more than 10 items.");
  std::string cluster = existing_cluster(call);
  Scope scope = scope_of(call);
  if (is_waiter(call.user_agent)) {
    engine_.wait(call.stop, Deadline::in(kHeldPoll), [&](const World& world) {
      return std::none_of(names.begin(), names.end(), [&](const std::string& name) {
        auto it = world.services.find(full_key(scope, cluster + "/" + last_part(name)));
        return it != world.services.end() && it->second.status == "ACTIVE" &&
               it->second.primary() && it->second.primary()->rollout == "IN_PROGRESS";
      });
    });
  }
  auto include = in.texts("include");
  bool wants_tags = std::find(include.begin(), include.end(), "TAGS") != include.end();
  Json services = Json::array();
  Json failures = Json::array();
  engine_.read([&](const World& world) {
    for (const auto& name : names) {
      auto it = world.services.find(full_key(scope, cluster + "/" + last_part(name)));
      if (it == world.services.end()) {
        failures.push_back(Json::object({{"arn", arn("ecs", scope.region, scope.account,
                                                     "service/" + cluster + "/" + last_part(name))},
                                         {"reason", "MISSING"}}));
        continue;
      }
      Json item = describe(it->second, world.live_tasks(it->second));
      if (!wants_tags) item.erase("tags");
      services.push_back(std::move(item));
    }
    return 0;
  });
  return Json::object({{"services", services}, {"failures", failures}});
}

Json Ecs::list_services(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  std::string prefix = full_key(scope_of(call), existing_cluster(call) + "/");
  auto most = in.page_size("maxResults", 10, 100);
  std::string after;
  if (auto token = in.optional_text("nextToken")) {
    auto position = read_page_token(*token);
    if (!position) refuse("InvalidParameterException", "Invalid token");
    after = *position;
  }
  return engine_.read([&](const World& world) {
    Json arns = Json::array();
    Json out = Json::object();
    std::string last;
    for (auto it = world.services.upper_bound(after.empty() ? prefix : after);
         it != world.services.end() && it->first.starts_with(prefix); ++it) {
      if (it->second.status == "INACTIVE") continue;
      if (arns.size() == most) {
        out["nextToken"] = page_token(last);
        break;
      }
      arns.push_back(service_arn(it->second));
      last = it->first;
    }
    out["serviceArns"] = arns;
    return out;
  });
}

Json Ecs::delete_service(const Call& call) {
  Input in(call.input, "InvalidParameterException");
  Scope scope = scope_of(call);
  std::string key = existing_cluster(call) + "/" + last_part(in.text("service"));
  engine_.change([&](World& world) {
    auto* service = find_service(world, scope, key);
    if (!service || service->status == "INACTIVE")
      refuse("ServiceNotFoundException", "Service not found.");
    if (service->desired > 0 && !in.boolean_or("force", false)) {
      refuse("InvalidParameterException",
             "The service cannot be stopped while it is scaled above 0.");
    }
    service->desired = 0;
    service->min_percent = 0;
    service->status = "DRAINING";
    world.dirty_services.insert(full_key(scope, key));
  });
  return service_answer(scope, key);
}

}  // namespace slipway::cloud::ecs
