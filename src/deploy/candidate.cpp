// SPDX-License-Identifier: Apache-2.0
#include "deploy/candidate.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/ecr_image.hpp"
#include "deploy/render.hpp"
#include "deploy/task_definition.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

bool has(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// The image that the container gets.
std::string image_for(const std::string& container, const std::string& given,
                      const std::vector<std::string>& repositories,
                      const CandidateRequest& request) {
  if (auto it = request.images.find(container); it != request.images.end()) return it->second;
  auto image = parse_ecr_image(given);
  if (image && !request.sha.empty() && has(repositories, image->repository)) {
    return fmt::format("{}/{}:{}", image->registry, image->repository, request.sha);
  }
  return given;
}

void set_images(Calls& calls, Candidate& candidate, const std::vector<std::string>& repositories,
                const CandidateRequest& request, const std::stop_token& stop) {
  Json* containers = candidate.definition.find("containerDefinitions");
  if (!containers) return;
  for (auto& container : containers->as_array()) {
    std::string name = container.get_string("name");
    ledger::ReleasedImage released{
        name, image_for(name, container.get_string("image"), repositories, request), ""};
    container["image"] = released.reference;
    if (auto image = parse_ecr_image(released.reference)) {
      try {
        if (auto digest = resolve_digest(calls, *image, stop)) {
          released.digest = *digest;
        } else {
          candidate.missing.push_back(
              {name, fmt::format("ECR has no image {}: let the workflow build it, or name one with "
                                 "--image {}=REF",
                                 released.reference, name)});
        }
      } catch (const Error& error) {
        if (error.fault() != Fault::not_found) throw;
        candidate.missing.push_back({name, error.what()});
      }
    }
    candidate.images.push_back(std::move(released));
  }
}

// What the workflow's render steps put in. Images come later.
Json rendered(Json definition, const ServiceNeed& need) {
  if (!need.unknown.empty()) {
    fail(Fault::bad_input,
         "service '{}': {}: let the workflow deploy it, or put it into the task definition",
         need.name, need.unknown);
  }
  for (const auto& request : need.renders) {
    for (const auto& name : request.containers) {
      RenderRequest one = request;
      one.containers = {name};
      for (const auto& container : definition.get_array("containerDefinitions")) {
        if (container.get_string("name") == name) one.image = container.get_string("image");
      }
      definition = render(std::move(definition), one);
    }
  }
  return definition;
}

void check_names(const EnvironmentNeed& environment, const CandidateRequest& request) {
  std::vector<std::string> services;
  std::vector<std::string> containers;
  for (const auto& service : environment.services) {
    services.push_back(service.name);
    for (const auto& container : service.task_definition.get_array("containerDefinitions"))
      containers.push_back(container.get_string("name"));
  }
  for (const auto& wanted : request.services) {
    if (!has(services, wanted))
      fail(Fault::bad_input, "'{}' has no service '{}': it has {}", environment.name, wanted,
           join(services, ", "));
  }
  for (const auto& [container, reference] : request.images) {
    if (!has(containers, container))
      fail(Fault::bad_input, "no task definition of '{}' has a container '{}': they have {}",
           environment.name, container, join(containers, ", "));
  }
}

}  // namespace

std::vector<Candidate> candidates_of(Calls& calls, const EnvironmentNeed& environment,
                                     const std::vector<std::string>& repositories,
                                     const EnvironmentSettings& settings,
                                     const CandidateRequest& request,
                                     const TemplateFunctions& functions,
                                     const std::stop_token& stop) {
  check_names(environment, request);
  std::vector<Candidate> all;
  for (const auto& need : environment.services) {
    if (!request.services.empty() && !has(request.services, need.name)) continue;
    Candidate candidate{.environment = environment.name,
                        .cluster = environment.cluster,
                        .service = need.name,
                        .definition = {},
                        .images = {},
                        .missing = {}};
    candidate.definition =
        prepare(rendered(expand_templates(need.task_definition, functions, need.name), need)).input;
    set_images(calls, candidate, repositories, request, stop);
    all.push_back(std::move(candidate));
  }
  std::vector<Candidate> sorted;
  for (const auto& group : settings.order) {
    for (const auto& name : group) {
      auto it = std::find_if(all.begin(), all.end(),
                             [&](const Candidate& c) { return c.service == name; });
      if (it == all.end()) continue;
      sorted.push_back(std::move(*it));
      all.erase(it);
    }
  }
  std::move(all.begin(), all.end(), std::back_inserter(sorted));
  return sorted;
}

Candidate candidate_of(Calls& calls, const ledger::Release& intent, const Json& definition,
                       const std::stop_token& stop) {
  Candidate candidate{.environment = intent.environment,
                      .cluster = intent.cluster,
                      .service = intent.service,
                      .definition = definition,
                      .images = {},
                      .missing = {}};
  set_images(calls, candidate, {}, {}, stop);
  return candidate;
}

std::vector<std::vector<const Candidate*>> in_order(const std::vector<Candidate>& candidates,
                                                    const EnvironmentSettings& settings) {
  std::vector<std::vector<const Candidate*>> groups;
  std::size_t at = 0;
  for (const auto& names : settings.order) {
    std::vector<const Candidate*> group;
    while (at < candidates.size() && has(names, candidates[at].service))
      group.push_back(&candidates[at++]);
    if (!group.empty()) groups.push_back(std::move(group));
  }
  for (; at < candidates.size(); ++at) groups.push_back({&candidates[at]});
  return groups;
}

std::vector<ledger::SecretVersion> secret_versions(Calls& calls, const Json& definition,
                                                   const std::stop_token& stop) {
  std::vector<ledger::SecretVersion> all;
  for (const auto& container : definition.get_array("containerDefinitions")) {
    for (const auto& secret : container.get_array("secrets")) {
      ledger::SecretVersion found{secret.get_string("valueFrom"), ""};
      bool is_known = std::any_of(all.begin(), all.end(), [&](const auto& other) {
        return other.value_from == found.value_from;
      });
      if (is_known) continue;
      if (found.value_from.find(":secretsmanager:") != std::string::npos) {
        auto parts = split(found.value_from, ':');
        if (parts.size() > 7) parts.resize(7);
        auto answer = calls.call("secretsmanager", "DescribeSecret",
                                 Json::object({{"SecretId", join(parts, ":")}}), stop);
        const Json* stages = answer.ok() ? answer.value().find("VersionIdsToStages") : nullptr;
        if (stages && stages->is_object()) {
          for (const auto& [version, names] : stages->as_object()) {
            for (const auto& name : names.as_array()) {
              if (name.as_string() == "AWSCURRENT") found.version = version;
            }
          }
        }
      } else {
        std::string name = found.value_from;
        if (auto at = name.find(":parameter/"); at != std::string::npos)
          name = name.substr(at + 10);
        auto answer = calls.call("ssm", "GetParameter", Json::object({{"Name", name}}), stop);
        if (answer.ok())
          found.version = std::to_string(answer.value().at("Parameter").get_int("Version"));
      }
      all.push_back(std::move(found));
    }
  }
  return all;
}

}  // namespace slipway::deploy
