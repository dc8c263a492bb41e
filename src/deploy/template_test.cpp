// SPDX-License-Identifier: Apache-2.0
#include "deploy/template.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "deploy/fake_calls.hpp"

using namespace slipway;
using namespace slipway::deploy;
using formats::Json;

namespace {

constexpr const char* kState = R"({"version":4,"outputs":{"vpc_id":{"value":"vpc-9"}},"resources":[
  {"mode":"managed","type":"aws_subnet","name":"private","instances":[{"index_key":0,"attributes":{"id":"subnet-0"}},{"index_key":1,"attributes":{"id":"subnet-1"}}]},
  {"module":"module.net","mode":"data","type":"aws_vpc","name":"main","instances":[{"attributes":{"id":"vpc-1","cidr":["10.0.0.0/8"]}}]}]})";

std::string expand(const std::string& text, Calls* calls = nullptr) {
  auto functions = template_functions({{"NAME", "shop"}, {"EMPTY", ""}}, kState, calls, {});
  return expand_templates(Json::object({{"a", Json::array({text})}}), functions, "td.json")
      .at("a")
      .at(0)
      .as_string();
}

std::string complaint_of(const std::string& text) {
  try {
    expand(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("templates are filled in from environment, Terraform's state, secrets and parameters") {
  CHECK(expand("no template { } }}") == "no template { } }}");
  CHECK(expand("{{ env \"NAME\" \"x\" }}-{{env `GONE` `d`}}-{{ env \"EMPTY\" \"e\" }}-{{ env "
               "\"GONE\" }}") == "shop-d-e-");
  CHECK(expand("{{ must_env \"NAME\" }}") == "shop");
  CHECK(expand("{{ tfstate \"aws_subnet.private[1].id\" }} {{ tfstate `output.vpc_id` }}") ==
        "subnet-1 vpc-9");
  CHECK(expand("{{ tfstate \"module.net.data.aws_vpc.main.cidr.0\" }}") == "10.0.0.0/8");
  FakeCalls calls;
  calls.answer("secretsmanager:DescribeSecret", Json::object({{"ARN", "arn:secret-AbCdEf"}}));
  calls.answer("ssm:GetParameter", Json::object({{"Parameter", Json::object({{"Value", "42"}})}}));
  CHECK(expand("{{ secretsmanager_arn \"s\" }} {{ ssm \"/p\" }}", &calls) ==
        "arn:secret-AbCdEf 42");
}

TEST_CASE("a template that cannot be filled in is told with its place") {
  CHECK(complaint_of("{{ must_env \"GONE\" }}") ==
        "td.json: a[0]: must_env: the environment variable GONE is not set");
  CHECK(complaint_of("{{ nothing \"x\" }}")
            .find("there is no function 'nothing': there are env, must_env") != std::string::npos);
  CHECK(complaint_of("{{ env \"x\" ").find("is not closed") != std::string::npos);
  CHECK(complaint_of("{{ env \"x }}").find("a quote is not closed") != std::string::npos);
  CHECK(complaint_of("{{ tfstate \"aws_subnet.public.id\" }}")
            .find("the state has no 'aws_subnet.public.id'") != std::string::npos);
  CHECK(complaint_of("{{ env \"A\" | upper }}").find("'|' is not understood here") !=
        std::string::npos);
  CHECK(complaint_of("{{ ssm \"/p\" }}").find("no AWS to ask") != std::string::npos);
  CHECK(complaint_of("{{ }}").find("nothing is inside") != std::string::npos);
}
