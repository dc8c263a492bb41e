// SPDX-License-Identifier: Apache-2.0
#include "cloud/secrets/value_from.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

#include "base/text.hpp"
#include "cloud/secrets/secrets.hpp"
#include "cloud/ssm/ssm.hpp"
#include "os/file.hpp"

using namespace slipway;
using namespace slipway::cloud;

namespace {

constexpr auto kRole = "arn:aws:iam::111122223333:role/exec";

std::filesystem::path cases_root() {
  const char* given = std::getenv("SLIPWAY_CASES");
  return given != nullptr ? std::filesystem::path(given) : std::filesystem::path("../shared/cases");
}

// The secrets and parameters that the file describes, as the services would have stored them.
void fill(Tables& tables, const Scope& scope, const Json& world) {
  for (const auto& [suffixed, stages] : world.at("secrets").as_object()) {
    auto name = suffixed.substr(0, suffixed.rfind('-'));
    Json versions = Json::object({});
    for (const auto& [stage, version] : stages.as_object()) {
      versions[version.get_string("version")] = Json::object(
          {{"string", version.at("value")}, {"stages", Json::array({stage})}, {"created", 1}});
    }
    tables.put(secrets::kSecretKind, scope, name,
               Json::object({{"Name", name},
                             {"ARN", "arn:aws:secretsmanager:" + scope.region + ":" +
                                         scope.account + ":secret:" + suffixed},
                             {"versions", versions}}));
  }
  for (const auto& [name, value] : world.at("parameters").as_object()) {
    tables.put(ssm::kParameterKind, scope, name,
               Json::object({{"Name", name},
                             {"Type", "String"},
                             {"versions",
                              Json::array({Json::object({{"Version", 1}, {"Value", value}})})}}));
  }
}

void set_role(Tables& tables, const Scope& scope, const Json* allowed) {
  Json actions = allowed != nullptr ? *allowed : Json("*");
  Json policy = Json::object({{"Version", "2012-10-17"}, {"Statement", Json::array({})}});
  if (!actions.is_array() || !actions.empty())
    policy["Statement"].push_back(
        Json::object({{"Effect", "Allow"}, {"Action", actions}, {"Resource", "*"}}));
  tables.put("iam.role", {scope.account, ""}, "exec",
             Json::object({{"RoleName", "exec"},
                           {"Arn", kRole},
                           {"inline", Json::object({{"p", policy.dump()}})},
                           {"attached", Json::array({})}}));
}

}  // namespace

TEST_CASE("every case of valueFrom gives the value or the reason that AWS documents") {
  auto text = os::read_file_if_exists(cases_root() / "aws/secrets_value_from.json");
  if (!text) {
    MESSAGE("skipped: shared/cases is not here");
    return;
  }
  auto document = formats::parse_json(*text);
  const auto& world = document.at("notes").at("world");
  Scope scope{world.get_string("account"), world.get_string("region")};
  State state(":memory:");
  iam::Authoriser authoriser(state);
  state.write([&](Tables& tables) { fill(tables, scope, world); });
  for (const auto& entry : document.at("cases").as_array()) {
    auto id = entry.get_string("id");
    state.write(
        [&](Tables& tables) { set_role(tables, scope, entry.find("execution_role_allows")); });
    auto outcome = secrets::resolve_value_from(entry.get_string("valueFrom"), kRole, scope, state,
                                               authoriser, formats::now());
    const auto& expected = entry.at("expect");
    if (const auto* value = expected.find("value")) {
      const auto* found = std::get_if<std::string>(&outcome);
      CHECK_MESSAGE(found != nullptr, id, ": ",
                    found == nullptr ? std::get<secrets::NoValue>(outcome).reason : "");
      if (found != nullptr) CHECK_MESSAGE(*found == value->as_string(), id);
      continue;
    }
    const auto* none = std::get_if<secrets::NoValue>(&outcome);
    CHECK_MESSAGE(none != nullptr, id, ": had a value");
    if (none == nullptr) continue;
    CHECK_MESSAGE(none->reason.starts_with(expected.get_string("error")), id, ": ", none->reason);
    auto has = [&](const std::string& phrase) {
      return to_lower(none->reason).find(to_lower(phrase)) != std::string::npos;
    };
    if (expected.contains("phrase"))
      CHECK_MESSAGE(has(expected.get_string("phrase")), id, ": ", none->reason);
    bool any = expected.get_array("phrase_any_of").empty();
    for (const auto& phrase : expected.get_array("phrase_any_of"))
      any = any || has(phrase.as_string());
    CHECK_MESSAGE(any, id, ": ", none->reason);
  }
}

TEST_CASE("an execution role without the permission gets AWS's words for it") {
  State state(":memory:");
  iam::Authoriser authoriser(state);
  Scope scope{"111122223333", "eu-west-1"};
  Json none = Json::array({});
  state.write([&](Tables& tables) { set_role(tables, scope, &none); });
  auto outcome =
      secrets::resolve_value_from("arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf",
                                  kRole, scope, state, authoriser, formats::now());
  REQUIRE(std::holds_alternative<secrets::NoValue>(outcome));
  CHECK(std::get<secrets::NoValue>(outcome).reason.find(
            "is not authorized to perform: secretsmanager:GetSecretValue") != std::string::npos);
}
