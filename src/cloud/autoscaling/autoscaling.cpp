// SPDX-License-Identifier: Apache-2.0
#include "cloud/autoscaling/autoscaling.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::autoscaling {
namespace {

constexpr std::string_view kBad = "ValidationException";
constexpr std::string_view kTarget = "autoscaling.target";
constexpr std::string_view kPolicy = "autoscaling.policy";

// "ecs|service/c/s|ecs:service:DesiredCount"
std::string target_id(const Input& in) {
  return fmt::format("{}|{}|{}", in.text("ServiceNamespace"), in.text("ResourceId"),
                     in.text("ScalableDimension"));
}

class Autoscaling final : public Service {
 public:
  explicit Autoscaling(State& state) : state_(state) {}
  [[nodiscard]] const ServiceDescription& description() const override {
    static const ServiceDescription about{.signing_name = "application-autoscaling",
                                          .target_prefix = "AnyScaleFrontendService",
                                          .api_version = "",
                                          .xml_namespace = "",
                                          .protocol = Protocol::json_1_1,
                                          .host_prefixes = {"application-autoscaling"},
                                          .action_prefix = ""};
    return about;
  }
  [[nodiscard]] bool has(std::string_view operation) const override {
    return operations().contains(operation);
  }
  Json call(const Call& call) override { return dispatch(*this, operations(), call); }

 private:
  static const Operations<Autoscaling>& operations() {
    static const Operations<Autoscaling> kOperations = {
        {"RegisterScalableTarget", &Autoscaling::register_scalable_target},
        {"DescribeScalableTargets", &Autoscaling::describe_scalable_targets},
        {"DeregisterScalableTarget", &Autoscaling::deregister_scalable_target},
        {"PutScalingPolicy", &Autoscaling::put_scaling_policy},
        {"DescribeScalingPolicies", &Autoscaling::describe_scaling_policies},
        {"DeleteScalingPolicy", &Autoscaling::delete_scaling_policy},
        {"DescribeScalingActivities", &Autoscaling::describe_scaling_activities},
        {"DescribeScheduledActions", &Autoscaling::describe_scheduled_actions},
        {"ListTagsForResource", &Autoscaling::list_tags_for_resource},
    };
    return kOperations;
  }

  Json register_scalable_target(const Call& call) {
    Input in(call.input, kBad);
    std::string id = target_id(in);
    auto least = in.optional_integer("MinCapacity");
    auto most = in.optional_integer("MaxCapacity");
    return state_.write([&](Tables& tables) {
      auto stored = tables.get(kTarget, scope_of(call), id);
      if (!stored && (!least || !most))
        in.refuse(
            "Minimum capacity and maximum capacity must be specified for a new scalable target.");
      Json target = stored ? *stored : new_target(call, in);
      if (least) target["MinCapacity"] = *least;
      if (most) target["MaxCapacity"] = *most;
      if (target.get_int("MinCapacity") > target.get_int("MaxCapacity"))
        in.refuse("Maximum capacity cannot be less than minimum capacity");
      if (const Json* suspended = call.input.find("SuspendedState")) {
        for (const auto& [key, value] : suspended->as_object())
          target["SuspendedState"][key] = value;
      }
      tables.put(kTarget, scope_of(call), id, target);
      return Json::object({{"ScalableTargetARN", target.at("ScalableTargetARN")}});
    });
  }

  static Json new_target(const Call& call, const Input& in) {
    std::string name = in.text("ServiceNamespace");
    Json never = Json::object({{"DynamicScalingInSuspended", false},
                               {"DynamicScalingOutSuspended", false},
                               {"ScheduledScalingSuspended", false}});
    return Json::object(
        {{"ServiceNamespace", name},
         {"ResourceId", in.text("ResourceId")},
         {"ScalableDimension", in.text("ScalableDimension")},
         {"RoleARN",
          in.text_or("RoleARN",
                     arn("iam", "", call.account,
                         "role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
                         "AWSServiceRoleForApplicationAutoScaling_ECSService"))},
         {"CreationTime", formats::epoch_seconds(call.now)},
         {"SuspendedState", never},
         {"ScalableTargetARN", arn("application-autoscaling", call.region, call.account,
                                   "scalable-target/" + hex(random_bytes(18)))}});
  }

  // Those of a kind that the call's names leave, in the pages that it asks for.
  Json listed(const Call& call, std::string_view kind, std::string_view set,
              std::string_view names_key, std::string_view name_member) {
    Input in(call.input, kBad);
    std::string space = in.text("ServiceNamespace");
    auto names = in.texts(names_key);
    auto resource = in.text_or("ResourceId");
    auto dimension = in.text_or("ScalableDimension");
    auto size = in.page_size("MaxResults", 50, 50);
    std::string after;
    if (auto token = in.optional_text("NextToken")) {
      auto position = read_page_token(*token);
      if (!position)
        throw Refusal("InvalidNextTokenException", "The next token supplied was invalid.");
      after = *position;
    }
    Json list = Json::array();
    Json answer = Json::object();
    std::string last;
    for (const auto& each : state_.read([&](Tables& tables) {
           return tables.list(kind, scope_of(call), space + "|", after);
         })) {
      bool named = names.empty() || std::find(names.begin(), names.end(),
                                              each.body.get_string(name_member)) != names.end();
      bool fits = named && (resource.empty() || each.body.get_string("ResourceId") == resource) &&
                  (dimension.empty() || each.body.get_string("ScalableDimension") == dimension);
      if (!fits) continue;
      if (list.size() == size) {
        answer["NextToken"] = page_token(last);
        break;
      }
      list.push_back(each.body);
      last = each.id;
    }
    answer[set] = std::move(list);
    return answer;
  }
  Json describe_scalable_targets(const Call& call) {
    return listed(call, kTarget, "ScalableTargets", "ResourceIds", "ResourceId");
  }
  Json describe_scaling_policies(const Call& call) {
    return listed(call, kPolicy, "ScalingPolicies", "PolicyNames", "PolicyName");
  }
  Json describe_scaling_activities(const Call&) {
    return Json::object({{"ScalingActivities", Json::array()}});
  }
  Json describe_scheduled_actions(const Call&) {
    return Json::object({{"ScheduledActions", Json::array()}});
  }

  Json deregister_scalable_target(const Call& call) {
    Input in(call.input, kBad);
    std::string id = target_id(in);
    state_.write([&](Tables& tables) {
      if (!tables.erase(kTarget, scope_of(call), id)) throw no_target(in);
      for (const auto& policy : tables.list(kPolicy, scope_of(call), id + "|"))
        tables.erase(kPolicy, scope_of(call), policy.id);
    });
    return Json::object();
  }
  static Refusal no_target(const Input& in) {
    return {"ObjectNotFoundException",
            fmt::format("No scalable target found for service namespace: {}, resource ID: {}, "
                        "scalable dimension: {}",
                        in.text("ServiceNamespace"), in.text("ResourceId"),
                        in.text("ScalableDimension"))};
  }

  Json put_scaling_policy(const Call& call) {
    Input in(call.input, kBad);
    std::string id = target_id(in);
    std::string name = in.text("PolicyName");
    return state_.write([&](Tables& tables) {
      if (!tables.get(kTarget, scope_of(call), id)) throw no_target(in);
      auto stored = tables.get(kPolicy, scope_of(call), id + "|" + name);
      Json policy =
          stored
              ? *stored
              : Json::object(
                    {{"PolicyARN",
                      arn("autoscaling", call.region, call.account,
                          fmt::format("scalingPolicy:{}:resource/{}/{}:policyName/{}", uuid(),
                                      in.text("ServiceNamespace"), in.text("ResourceId"), name))},
                     {"PolicyName", name},
                     {"ServiceNamespace", in.text("ServiceNamespace")},
                     {"ResourceId", in.text("ResourceId")},
                     {"ScalableDimension", in.text("ScalableDimension")},
                     {"CreationTime", formats::epoch_seconds(call.now)},
                     {"Alarms", Json::array()}});
      policy["PolicyType"] =
          in.text_or("PolicyType", stored ? stored->get_string("PolicyType") : "StepScaling");
      for (const char* key :
           {"StepScalingPolicyConfiguration", "TargetTrackingScalingPolicyConfiguration",
            "PredictiveScalingPolicyConfiguration"}) {
        if (const Json* value = call.input.find(key)) policy[key] = *value;
      }
      tables.put(kPolicy, scope_of(call), id + "|" + name, policy);
      return Json::object({{"PolicyARN", policy.at("PolicyARN")}, {"Alarms", Json::array()}});
    });
  }
  Json delete_scaling_policy(const Call& call) {
    Input in(call.input, kBad);
    std::string id = target_id(in);
    std::string name = in.text("PolicyName");
    bool was_there = state_.write(
        [&](Tables& tables) { return tables.erase(kPolicy, scope_of(call), id + "|" + name); });
    if (!was_there)
      throw Refusal("ObjectNotFoundException",
                    fmt::format("No scaling policy found for the specified service namespace, "
                                "resource ID, scalable dimension and policy name: {}",
                                name));
    return Json::object();
  }
  Json list_tags_for_resource(const Call&) { return Json::object({{"Tags", Json::object()}}); }

  State& state_;
};

}  // namespace

std::unique_ptr<Service> make_autoscaling(State& state) {
  return std::make_unique<Autoscaling>(state);
}

}  // namespace slipway::cloud::autoscaling
