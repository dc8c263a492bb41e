// SPDX-License-Identifier: Apache-2.0
#include "cloud/shapes.hpp"

#include <doctest/doctest.h>

namespace slipway::cloud {
namespace {

std::string refused(const char* service, const char* operation, const char* input,
                    bool is_query = false) {
  Call call;
  call.service = service;
  call.operation = operation;
  call.input = formats::parse_json(input);
  try {
    ShapeTables().check(call, is_query);
  } catch (const Refusal& refusal) {
    return refusal.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a request is held to its shape in the words of its service") {
  CHECK(refused("secretsmanager", "GetSecretValue", R"({"SecretId":"a"})").empty());
  CHECK(refused("secretsmanager", "GetSecretValue", "{}") ==
        "ValidationException: 1 validation error detected: Value null at 'secretId' failed to "
        "satisfy constraint: Member must not be null");
  CHECK(refused("secretsmanager", "GetSecretValue", R"({"SecretId":7})") ==
        "SerializationException: NUMBER_VALUE can not be converted to a String (at 'secretId')");
  CHECK(refused("logs", "CreateLogGroup", R"({"logGroupName":"a b"})") ==
        "InvalidParameterException: 1 validation error detected: Value 'a b' at 'logGroupName' "
        "failed to satisfy constraint: Member must satisfy regular "
        "expression pattern: [\\.\\-_/#A-Za-z0-9]+");
  CHECK(refused("ssm", "PutParameter", R"({"Name":"a","Value":"b","Type":"Text"})") ==
        "ValidationException: 1 validation error detected: Value 'Text' at 'type' failed to "
        "satisfy constraint: Member must satisfy enum value set: [String, "
        "StringList, SecureString]");
  CHECK(refused("ecr", "ListImages", "{}") ==
        "InvalidParameterException: Invalid parameter at 'repositoryName' failed to satisfy "
        "constraint: 'must not be null'");
}

TEST_CASE("query requests hold numbers and booleans as text, and an empty list as nothing") {
  CHECK(
      refused(
          "iam", "CreateRole",
          R"({"RoleName":"r","AssumeRolePolicyDocument":"{}","MaxSessionDuration":"3600","Tags":""})",
          true)
          .empty());
  CHECK(refused("iam", "GetRole", R"({"RoleName":"a/b"})", true) ==
        "ValidationError: 1 validation error detected: Value 'a/b' at 'roleName' failed to satisfy "
        "constraint: Member must satisfy regular expression pattern: "
        "[\\w+=,.@-]+");
  CHECK(refused("iam", "CreateRole", "{}", true)
            .starts_with("ValidationError: 2 validation errors detected: "));
}

TEST_CASE("ECS is asked for types and enums only, for it says the rest itself") {
  CHECK(refused("ecs", "CreateService", "{}").empty());
  CHECK(refused("ecs", "RegisterTaskDefinition", R"({"containerDefinitions":[{"cpu":"64"}]})") ==
        "SerializationException: STRING_VALUE can not be converted to an Integer (at "
        "'containerDefinitions.1.member.cpu')");
  CHECK(refused("ecs", "CreateService", R"({"launchType":"LAMBDA"})")
            .starts_with("InvalidParameterException: 1 validation error detected: Value 'LAMBDA' "
                         "at 'launchType'"));
}

TEST_CASE("a secret that is too short is not shown") {
  auto said = refused("secretsmanager", "CreateSecret", R"({"Name":"n","SecretString":""})");
  CHECK(said.find("''") == std::string::npos);
}

}  // namespace slipway::cloud
