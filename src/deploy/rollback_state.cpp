// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollback_state.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/candidate.hpp"
#include "deploy/ecr_image.hpp"
#include "deploy/task_definition.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

class Step final {
 public:
  Step(Calls& calls, RollbackStep& step, bool pins_secrets, const std::stop_token& stop)
      : calls_(calls), step_(step), pins_secrets_(pins_secrets), stop_(stop) {}

  void look() {
    auto described = describe_task_definition(calls_, step_.to.task_definition, stop_);
    if (!described) return;  // ECS will say so
    definition_ = *described;
    bool is_own = definition_.get_string("status", "ACTIVE") != "ACTIVE";
    if (is_own)
      note(fmt::format("{} was deregistered: it is registered again",
                       brief_task_definition(step_.to.task_definition)));
    for (const auto& image : step_.to.images) is_own = put_digest(image) || is_own;
    is_own = compare_secrets() || is_own;
    if (is_own) step_.definition = prepare(definition_).input;
  }

 private:
  void note(const std::string& text) { step_.notes.push_back(step_.to.service + ": " + text); }

  Json* container(const std::string& name) {
    Json* containers = definition_.find("containerDefinitions");
    if (!containers) return nullptr;
    for (auto& one : containers->as_array()) {
      if (one.get_string("name") == name) return &one;
    }
    return nullptr;
  }

  // True when the container has to name the image by its digest.
  bool put_digest(const ledger::ReleasedImage& image) {
    Json* one = container(image.container);
    if (!one || image.digest.empty()) return false;
    auto named = parse_ecr_image(one->get_string("image"));
    if (!named || !named->digest.empty()) return false;
    auto now = resolve_digest(calls_, *named, stop_);
    if (now == image.digest) return false;
    std::string by_digest =
        fmt::format("{}/{}@{}", named->registry, named->repository, image.digest);
    EcrImage then = *named;
    then.tag.clear();
    then.digest = image.digest;
    if (!resolve_digest(calls_, then, stop_)) {
      fail(Fault::not_found, "{}: its image {} is gone from ECR: roll back to another release",
           step_.to.service, by_digest);
    }
    note(fmt::format("the tag {} {}: the image of then is named by its digest", named->tag,
                     now ? "leads to another image by now" : "is gone"));
    (*one)["image"] = by_digest;
    return true;
  }

  // True when the definition was changed.
  bool compare_secrets() {
    bool is_changed = false;
    for (const auto& now : secret_versions(calls_, definition_, stop_)) {
      auto then = std::find_if(step_.to.secrets.begin(), step_.to.secrets.end(),
                               [&](const auto& s) { return s.value_from == now.value_from; });
      if (then == step_.to.secrets.end() || then->version.empty() || now.version.empty() ||
          then->version == now.version)
        continue;
      bool is_pinned = pins_secrets_ && pin(now.value_from, then->version);
      is_changed = is_changed || is_pinned;
      note(fmt::format("{} had version {} then and has {} now: {}", name_of(now.value_from),
                       then->version, now.version,
                       is_pinned       ? "the tasks get that of then"
                       : pins_secrets_ ? "ECS gives tasks the newest of a parameter"
                                       : "the tasks get that of now (--secret-versions: of then)"));
    }
    return is_changed;
  }

  static std::string name_of(const std::string& value_from) {
    auto at = value_from.find(":secret:");
    return at == std::string::npos ? value_from : value_from.substr(at + 8);
  }

  // source  Amazon ECS developer guide: "arn:…:secret:NAME:json-key:version-stage:version-id"
  bool pin(const std::string& value_from, const std::string& version) {
    auto parts = split(value_from, ':');
    if (value_from.find(":secretsmanager:") == std::string::npos || parts.size() < 7) return false;
    std::string key = parts.size() > 7 ? parts[7] : "";
    parts.resize(7);
    std::string pinned = fmt::format("{}:{}::{}", join(parts, ":"), key, version);
    for (auto& one : definition_["containerDefinitions"].as_array()) {
      Json* secrets = one.find("secrets");
      if (!secrets) continue;
      for (auto& secret : secrets->as_array()) {
        if (secret.get_string("valueFrom") == value_from) secret["valueFrom"] = pinned;
      }
    }
    return true;
  }

  Calls& calls_;
  RollbackStep& step_;
  bool pins_secrets_;
  const std::stop_token& stop_;
  Json definition_;
};

}  // namespace

void bring_back(Calls& calls, std::vector<RollbackStep>& plan, bool pins_secrets,
                const std::stop_token& stop) {
  for (auto& step : plan) {
    try {
      Step(calls, step, pins_secrets, stop).look();
    } catch (const Error& error) {
      if (error.fault() != Fault::denied) throw;
      step.notes.push_back(
          fmt::format("{}: whether images and secrets are those of then was not "
                      "looked at: {}",
                      step.to.service, error.what()));
    }
  }
}

}  // namespace slipway::deploy
