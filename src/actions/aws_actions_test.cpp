// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "actions/builtin.hpp"
#include "actions/docker_access.hpp"
#include "actions/test_context.hpp"
#include "container/fake_runtime.hpp"
#include "ledger/ledger.hpp"
#include "net/test_server.hpp"
#include "net/url.hpp"
#include "oci/blob_store.hpp"
#include "oci/unpack.hpp"

using namespace slipway;
using namespace slipway::actions;
using formats::Json;
using formats::parse_json;

namespace {

/// An AWS that answers by operation with what a test wrote down, and keeps what it was asked.
class FakeAws {
 public:
  FakeAws()
      : server_([this](net::ServerRequest& request, net::ResponseWriter& response) {
          serve(request, response);
        }) {}

  void answer(const std::string& operation, const std::string& body, int status = 200) {
    answers_.with([&](auto& answers) { answers[operation].push_back({status, body}); });
  }
  [[nodiscard]] std::vector<std::string> bodies(const std::string& operation) {
    return asked_.read([&](const auto& asked) {
      std::vector<std::string> found;
      for (const auto& [name, body] : asked) {
        if (name == operation) found.push_back(body);
      }
      return found;
    });
  }
  void attach(TestContext& context) const {
    context.set_env("AWS_ENDPOINT_URL", server_.url(""));
    context.set_env("AWS_REGION", "us-east-1");
  }
  static void give_keys(TestContext& context) {
    context.set_env("AWS_ACCESS_KEY_ID", "AKIATEST");
    context.set_env("AWS_SECRET_ACCESS_KEY", "secret");
  }
  [[nodiscard]] std::string url(const std::string& path) const { return server_.url(path); }

 private:
  struct Written {
    int status;
    std::string body;
  };
  void serve(net::ServerRequest& request, net::ResponseWriter& response) {
    auto body = request.read_body();
    auto target = request.headers.get("X-Amz-Target");
    auto operation = target.empty() ? net::query_value(body, "Action").value_or(request.path)
                                    : target.substr(target.rfind('.') + 1);
    asked_.with([&](auto& asked) { asked.emplace_back(operation, body); });
    // The last answer written for an operation stays.
    auto written = answers_.with([&](auto& answers) -> Written {
      auto found = answers.find(operation);
      if (found == answers.end())
        return {400, R"({"__type":"UnknownOperationException","message":"not written down"})"};
      Written next = found->second.front();
      if (found->second.size() > 1) found->second.erase(found->second.begin());
      return next;
    });
    response.send(net::text_response(written.status, written.body,
                                     target.empty() ? "text/xml" : "application/x-amz-json-1.1"));
  }

  Guarded<std::map<std::string, std::vector<Written>>> answers_;
  Guarded<std::vector<std::pair<std::string, std::string>>> asked_;
  net::TestServer server_;
};

constexpr const char* kTaken =
    R"(<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>
<SecretAccessKey>s3cret</SecretAccessKey><SessionToken>tok</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>)";
constexpr const char* kWho =
    R"(<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>
<Arn>arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions</Arn><UserId>x</UserId></GetCallerIdentityResult></GetCallerIdentityResponse>)";

const std::map<std::string, std::string> kRole = {
    {"role-to-assume", "arn:aws:iam::123456789012:role/deploy"}, {"aws-region", "us-east-1"}};

std::string jwt(const std::string& claims) {
  return base64url("{}") + "." + base64url(claims) + "." + base64url("x");
}

struct Room {
  os::TempDir directory;
  oci::BlobStore blobs{directory.path() / "images"};
  oci::LayerCache layers{directory.path() / "images/layers"};
  container::FakeRuntime runtime{directory.path() / "runtime"};
  ledger::Ledger ledger{directory.path() / "ledger.db"};
  NoLog log;
  Dependencies dependencies{
      .state = directory.path(),
      .store = blobs,
      .layers = layers,
      .runtime = runtime,
      .ledger = &ledger,
      .endpoints = {},
      .test_verdict = [](const std::string&) { return std::string("success"); },
      .log = log};
};

constexpr const char* kDefinition =
    R"({"family":"web","cpu":"","containerDefinitions":[{"name":"web","image":"r/web:1"}]})";
constexpr const char* kRegistered =
    R"({"taskDefinition":{"taskDefinitionArn":"arn:aws:ecs:us-east-1:123456789012:task-definition/web:7","family":"web",
  "containerDefinitions":[{"name":"web","image":"r/web:1"}]}})";

std::string service(const std::string& primary, const std::string& state,
                    const std::string& reason = "") {
  std::string revision = primary == "ecs-svc/2" ? "7" : "6";
  return R"({"serviceName":"web","status":"ACTIVE","desiredCount":1,"deploymentConfiguration":{"deploymentCircuitBreaker":{"enable":true,"rollback":true}},
    "deployments":[{"id":")" +
         primary +
         R"(","status":"PRIMARY","taskDefinition":"arn:aws:ecs:us-east-1:123456789012:task-definition/web:)" +
         revision + R"(","rolloutState":")" + state + R"(","rolloutStateReason":")" + reason +
         R"("}]})";
}
std::string services(const std::string& one) { return R"({"services":[)" + one + "]}"; }

struct Deploy {
  Deploy() {
    aws.attach(context);
    FakeAws::give_keys(context);
    os::write_file(context.workspace() / "td.json", kDefinition);
    aws.answer("RegisterTaskDefinition", kRegistered);
    aws.answer("UpdateService", R"({"service":)" + service("ecs-svc/2", "IN_PROGRESS") + "}");
    aws.answer("ListTasks", R"({"taskArns":["arn:aws:ecs:us-east-1:1:task/c/t1"]})");
  }
  void run() {
    context.run(*make_ecs_deploy(room.dependencies), {{"task-definition", "td.json"},
                                                      {"service", "web"},
                                                      {"cluster", "myapp"},
                                                      {"wait-for-service-stability", "true"}});
  }
  FakeAws aws;
  Room room;
  TestContext context;
};

}  // namespace

TEST_CASE("a role is taken by OIDC: the keys go to later steps, masked, and leave at the end") {
  FakeAws aws;
  aws.answer("AssumeRoleWithWebIdentity", kTaken);
  aws.answer("GetCallerIdentity", kWho);
  TestContext context;
  aws.attach(context);
  context.token = jwt("{}");
  auto action = make_configure_aws_credentials();
  auto inputs = kRole;
  inputs["output-credentials"] = "true";
  context.run(*action, inputs);
  CHECK(context.env_or("AWS_ACCESS_KEY_ID") == "ASIA1");
  CHECK(context.env_or("AWS_SESSION_TOKEN") == "tok");
  CHECK(context.env_or("AWS_DEFAULT_REGION") == "us-east-1");
  CHECK(context.outputs["aws-account-id"] == "123456789012");
  CHECK(context.outputs["aws-expiration"] == "\"2030-01-01T00:00:00Z\"");
  CHECK(context.asked_audience == "sts.amazonaws.com");
  CHECK(context.is_masked("s3cret"));
  auto asked = aws.bodies("AssumeRoleWithWebIdentity").front();
  CHECK(net::query_value(asked, "RoleSessionName") == "GitHubActions");
  CHECK(net::query_value(asked, "DurationSeconds") == "3600");
  action->post(context);
  CHECK(context.env_or("AWS_ACCESS_KEY_ID").empty());
}

TEST_CASE("a role that is refused fails at once, with what the token claims") {
  FakeAws aws;
  aws.answer("AssumeRoleWithWebIdentity",
             "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not "
             "authorized to perform "
             "sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>",
             403);
  TestContext context;
  aws.attach(context);
  context.token = jwt(R"({"aud":"sts.amazonaws.com","sub":"repo:acme/app:ref:refs/heads/other"})");
  CHECK_THROWS_WITH_AS(
      context.run(*make_configure_aws_credentials(), kRole),
      doctest::Contains("Not authorized to perform sts:AssumeRoleWithWebIdentity (AccessDenied): "
                        "role arn:aws:iam::123456789012:role/deploy; the token has aud "
                        "'sts.amazonaws.com', sub 'repo:acme/app:ref:refs/heads/other'"),
      Error);
  CHECK(aws.bodies("AssumeRoleWithWebIdentity").size() == 1);
}

TEST_CASE(
    "keys alone are checked and passed on; half of a pair, a bad region and no permission are "
    "refused") {
  FakeAws aws;
  aws.answer("GetCallerIdentity", kWho);
  TestContext context;
  aws.attach(context);
  auto action = make_configure_aws_credentials();
  context.run(*action, {{"aws-region", "eu-west-1"},
                        {"aws-access-key-id", "AKIA2"},
                        {"aws-secret-access-key", "k"},
                        {"allowed-account-ids", "123456789012"}});
  CHECK(context.env_or("AWS_ACCESS_KEY_ID") == "AKIA2");
  CHECK_THROWS_AS(context.run(*action, {{"aws-region", "eu-west-1"},
                                        {"aws-access-key-id", "AKIA2"},
                                        {"aws-secret-access-key", "k"},
                                        {"allowed-account-ids", "1"}}),
                  Error);
  CHECK_THROWS_AS(
      context.run(*action, {{"aws-region", "eu-west-1"}, {"aws-access-key-id", "AKIA2"}}), Error);
  CHECK_THROWS_WITH_AS(context.run(*action, {{"aws-region", "EU!"}}), "Region is not valid: EU!",
                       Error);
  CHECK_THROWS_AS(context.run(*action, kRole), Error);
}

TEST_CASE("the login of ECR is kept where docker keeps its own, until the job ends") {
  FakeAws aws;
  aws.answer("GetAuthorizationToken",
             R"({"authorizationData":[{"authorizationToken":")" + base64("AWS:pw") +
                 R"(","proxyEndpoint":"https://123456789012.dkr.ecr.us-east-1.amazonaws.com"}]})");
  TestContext context;
  aws.attach(context);
  FakeAws::give_keys(context);
  auto action = make_ecr_login();
  context.run(*action, {});
  const std::string host = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
  CHECK(context.outputs["registry"] == host);
  CHECK(context.outputs["docker_password_123456789012_dkr_ecr_us_east_1_amazonaws_com"] == "pw");
  CHECK(context.is_masked("pw"));
  auto login = oci::docker_config_credentials(docker_config(context))(host);
  REQUIRE(login);
  CHECK(login->username == "AWS");
  action->post(context);
  CHECK_FALSE(oci::docker_config_credentials(docker_config(context))(host).has_value());
}

TEST_CASE("ECR hosts are told from others") {
  CHECK(parse_ecr_host("123456789012.dkr.ecr.us-east-1.amazonaws.com")->region == "us-east-1");
  CHECK(parse_ecr_host("123456789012.dkr-ecr.eu-west-1.on.aws")->region == "eu-west-1");
  CHECK_FALSE(parse_ecr_host("ghcr.io").has_value());
  CHECK(registry_host("https://ghcr.io/v2/") == "ghcr.io");
  CHECK(registry_host("") == "docker.io");
}

TEST_CASE("a rendered task definition is a file for the next step") {
  TestContext context;
  os::write_file(context.workspace() / "td.json", kDefinition);
  context.run(*make_ecs_render(), {{"task-definition", "td.json"},
                                   {"container-name", "web"},
                                   {"image", "r/web:2"},
                                   {"environment-variables", "A=1\n\n  B=2"}});
  auto rendered = parse_json(os::read_file(context.outputs["task-definition"]));
  CHECK(rendered.at("containerDefinitions").at(std::size_t{0}).get_string("image") == "r/web:2");
  CHECK(rendered.at("containerDefinitions").at(std::size_t{0}).at("environment").size() == 2);
  CHECK_THROWS_WITH_AS(
      context.run(*make_ecs_render(),
                  {{"task-definition", "no.json"}, {"container-name", "web"}, {"image", "i"}}),
      "Task definition file does not exist: no.json", Error);
}

TEST_CASE("a deployment that completes is a release in the ledger") {
  Deploy deploy;
  deploy.aws.answer("DescribeServices", services(service("ecs-svc/1", "COMPLETED")));
  deploy.aws.answer("DescribeServices", services(service("ecs-svc/1", "COMPLETED")));
  deploy.aws.answer("DescribeServices", services(service("ecs-svc/1", "COMPLETED")));
  deploy.aws.answer("DescribeServices", services(service("ecs-svc/1", "COMPLETED")));
  deploy.aws.answer("DescribeServices", services(service("ecs-svc/2", "IN_PROGRESS")));
  deploy.aws.answer("DescribeServices", services(service("ecs-svc/2", "COMPLETED")));
  deploy.aws.answer(
      "DescribeTasks",
      R"({"tasks":[{"taskDefinitionArn":"arn:aws:ecs:us-east-1:123456789012:task-definition/web:7",
    "containers":[{"name":"web","image":"r/web:1","imageDigest":"sha256:abc"}]}]})");
  deploy.run();
  CHECK(deploy.context.outputs["task-definition-arn"].ends_with("web:7"));
  CHECK_FALSE(parse_json(deploy.aws.bodies("RegisterTaskDefinition").front()).contains("cpu"));
  auto release = deploy.room.ledger.current("staging", "web");
  REQUIRE(release);
  CHECK(release->sha == std::string(40, 'a'));
  CHECK(release->test_verdict == "success");
  CHECK(release->previous_task_definition.ends_with("web:6"));
  CHECK(release->deployment == "ecs-svc/2");
  CHECK(release->images.front().digest == "sha256:abc");
  CHECK(release->who == "ann");
}

TEST_CASE("a deployment that is rolled back fails the step with one line, and the ledger has it") {
  Deploy deploy;
  deploy.aws.answer("DescribeServices", services(service("ecs-svc/1", "COMPLETED")));
  deploy.aws.answer("DescribeServices", services(service("ecs-svc/1", "COMPLETED")));
  deploy.aws.answer("DescribeServices", services(service("ecs-svc/1", "COMPLETED")));
  deploy.aws.answer("DescribeServices", services(service("ecs-svc/1", "COMPLETED")));
  deploy.aws.answer("DescribeServices",
                    services(service("ecs-svc/2", "FAILED",
                                     "ECS deployment circuit breaker: tasks failed to start.")));
  deploy.aws.answer("DescribeServices", services(service("ecs-svc/3", "COMPLETED")));
  deploy.aws.answer(
      "DescribeTasks",
      R"({"tasks":[{"taskArn":"a/t1","startedBy":"ecs-svc/2","taskDefinitionArn":"arn:aws:ecs:us-east-1:123456789012:task-definition/web:7",
    "stopCode":"EssentialContainerExited","containers":[{"name":"web","exitCode":3}]}]})");
  deploy.aws.answer(
      "DescribeTaskDefinition",
      R"({"taskDefinition":{"containerDefinitions":[{"name":"web","logConfiguration":{"logDriver":"awslogs",
    "options":{"awslogs-group":"g","awslogs-stream-prefix":"ecs"}}}]}})");
  deploy.aws.answer("GetLogEvents", R"({"events":[{"message":"boom: no database"}]})");
  const std::string line =
      "container 'web' exited with code 3, last log line: boom: no database; rolled back to web:6";
  CHECK_THROWS_WITH_AS(deploy.run(), doctest::Contains(("service 'web': " + line).c_str()), Error);
  auto release = deploy.room.ledger.latest("staging", "web");
  REQUIRE(release);
  CHECK(release->verdict == ledger::Verdict::rolled_back);
  CHECK(release->reason.starts_with(line));  // and whether users noticed
  CHECK_FALSE(deploy.room.ledger.current("staging", "web").has_value());
}

TEST_CASE("a refused registration and a missing service leave nothing changed") {
  Deploy deploy;
  deploy.aws.answer("DescribeServices",
                    R"({"services":[],"failures":[{"arn":"x","reason":"MISSING"}]})");
  CHECK_THROWS_WITH_AS(deploy.run(), "service 'web' is MISSING in cluster 'myapp'", Error);
  CHECK(deploy.aws.bodies("UpdateService").empty());
  CHECK(deploy.room.ledger.history().empty());
}

TEST_CASE("a one-off task that fails names the container") {
  Deploy deploy;
  deploy.aws.answer("RunTask", R"({"tasks":[{"taskArn":"a/t9"}],"failures":[]})");
  deploy.aws.answer(
      "DescribeTasks",
      R"({"tasks":[{"taskArn":"a/t9","lastStatus":"STOPPED","stopCode":"EssentialContainerExited","containers":[{"name":"migrate","exitCode":2}]}]})");
  CHECK_THROWS_WITH_AS(deploy.context.run(*make_ecs_deploy(deploy.room.dependencies),
                                          {{"task-definition", "td.json"},
                                           {"run-task", "true"},
                                           {"wait-for-task-stopped", "true"}}),
                       "Run task failed: container 'migrate' exited with code 2", Error);
  CHECK(deploy.context.outputs["run-task-arn"] == R"(["a/t9"])");
}

TEST_CASE("a message to Slack's webhook is the payload; a refusal fails only when asked to") {
  FakeAws slack;
  slack.answer("/hook", "ok");
  TestContext context;
  auto action = make_slack();
  context.run(*action, {{"webhook", slack.url("/hook")},
                        {"webhook-type", "incoming-webhook"},
                        {"payload", "text: hello"}});
  CHECK(context.outputs["ok"] == "true");
  CHECK(slack.bodies("/hook").front() == R"({"text":"hello"})");
  context.run(
      *action,
      {{"webhook", slack.url("/wrong")}, {"webhook-type", "incoming-webhook"}, {"payload", "{}"}});
  CHECK(context.outputs["ok"] == "false");
  CHECK_THROWS_AS(context.run(*action, {{"webhook", slack.url("/wrong")},
                                        {"webhook-type", "incoming-webhook"},
                                        {"payload", "{}"},
                                        {"errors", "true"}}),
                  Error);
}
