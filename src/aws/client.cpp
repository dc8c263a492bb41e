// SPDX-License-Identifier: Apache-2.0
#include "aws/client.hpp"

#include <condition_variable>
#include <mutex>

#include "aws/sign.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/time.hpp"
#include "formats/xml.hpp"
#include "net/http_client.hpp"
#include "net/url.hpp"

namespace slipway::aws {
namespace {

using formats::Json;

enum class Wire { json_1_0, json_1_1, query, ec2 };

struct ServiceForm {
  Wire wire;
  std::string_view prefix;  // X-Amz-Target's before the dot, or the query protocol's Version
};

const ServiceForm& form_of(const std::string& service) {
  static const std::map<std::string, ServiceForm, std::less<>> kForms = {
      {"ecs", {Wire::json_1_1, "AmazonEC2ContainerServiceV20141113"}},
      {"ecr", {Wire::json_1_1, "AmazonEC2ContainerRegistry_V20150921"}},
      {"logs", {Wire::json_1_1, "Logs_20140328"}},
      {"secretsmanager", {Wire::json_1_1, "secretsmanager"}},
      {"ssm", {Wire::json_1_1, "AmazonSSM"}},
      {"servicequotas", {Wire::json_1_1, "ServiceQuotasV20190624"}},
      {"codedeploy", {Wire::json_1_1, "CodeDeploy_20141006"}},
      {"sts", {Wire::query, "2011-06-15"}},
      {"iam", {Wire::query, "2010-05-08"}},
      {"elasticloadbalancing", {Wire::query, "2015-12-01"}},
      {"rds", {Wire::query, "2014-10-31"}},
      {"ec2", {Wire::ec2, "2016-11-15"}},
  };
  auto it = kForms.find(service);
  if (it == kForms.end()) fail(Fault::bad_input, "no AWS service '{}' is known here", service);
  return it->second;
}

std::string scalar(const Json& value) {
  return value.is_string() ? value.as_string() : value.dump();
}

// Lists become Name.member.1 (ec2: Name.1), structures Name.Member.
void flatten(const Json& value, const std::string& name, bool ec2,
             std::vector<std::pair<std::string, std::string>>& out) {
  if (value.is_object()) {
    for (const auto& [key, member] : value.as_object())
      flatten(member, name.empty() ? key : name + "." + key, ec2, out);
  } else if (value.is_array()) {
    int index = 0;
    for (const auto& item : value.as_array()) {
      flatten(item, fmt::format("{}{}.{}", name, ec2 ? "" : ".member", ++index), ec2, out);
    }
  } else if (!value.is_null()) {
    out.emplace_back(name, scalar(value));
  }
}

// An element as JSON: text becomes a string, children an object; a name that repeats becomes an array.
Json to_json(const formats::XmlNode& node) {
  if (node.children.empty()) return node.text;
  Json out = Json::object();
  for (const auto& child : node.children) {
    Json value = to_json(child);
    Json* present = out.find(child.name);
    if (!present) {
      out[child.name] = std::move(value);
    } else if (present->is_array()) {
      present->push_back(std::move(value));
    } else {
      Json first = *present;
      *present = Json::array({std::move(first), std::move(value)});
    }
  }
  return out;
}

std::string code_of(std::string text) {
  if (auto at = text.find('#'); at != std::string::npos) text.erase(0, at + 1);
  if (auto at = text.find(':'); at != std::string::npos) text.erase(at);
  return text;
}

Answer read_json(const net::HttpResponse& response) {
  std::string id = response.headers.get("x-amzn-RequestId");
  Json body = response.body.empty() ? Json::object() : formats::parse_json(response.body);
  if (response.ok()) return Answer(std::move(body));
  std::string message = body.get_string("message", body.get_string("Message"));
  return Answer(ServiceError{code_of(body.get_string("__type")), message, response.status, id});
}

Answer read_xml(const net::HttpResponse& response, const std::string& operation) {
  auto root = formats::parse_xml(response.body);
  if (response.ok()) {
    const auto* result = root.find(operation + "Result");
    Json value = to_json(result ? *result : root);
    return Answer(value.is_object() ? std::move(value) : Json::object());
  }
  const auto* error = root.find("Error");
  if (!error) {
    const auto* errors = root.find("Errors");  // ec2
    error = errors ? errors->find("Error") : nullptr;
  }
  if (!error)
    return Answer(ServiceError{"UnknownError", response.body.substr(0, 200), response.status, ""});
  return Answer(ServiceError{error->text_of("Code"), error->text_of("Message"), response.status,
                             root.text_of("RequestId")});
}

bool is_throttled(const ServiceError& error) {
  static constexpr std::array kCodes = {"Throttling",
                                        "ThrottlingException",
                                        "ThrottledException",
                                        "RequestThrottled",
                                        "RequestThrottledException",
                                        "TooManyRequestsException",
                                        "RequestLimitExceeded",
                                        "SlowDown",
                                        "PriorRequestNotComplete",
                                        "TransactionInProgressException"};
  return error.status == 429 || std::find(kCodes.begin(), kCodes.end(), error.code) != kCodes.end();
}

bool has_expired(const ServiceError& error) {
  return error.code == "ExpiredToken" || error.code == "ExpiredTokenException" ||
         error.code == "RequestExpired";
}

// What does another thing each time it is done: when the answer is lost nobody knows whether it was, and the caller has to look.
bool does_it_twice(std::string_view operation) {
  static constexpr std::array<std::string_view, 3> kOnce = {"RegisterTaskDefinition",
                                                            "UpdateService", "CreateDeployment"};
  return std::find(kOnce.begin(), kOnce.end(), operation) != kOnce.end();
}

Fault fault_of(const ServiceError& error) {
  auto has = [&](std::string_view part) { return error.code.find(part) != std::string::npos; };
  if (has("AccessDenied") || has("Unauthorized") || has("ExpiredToken") ||
      has("InvalidClientToken") || has("Signature")) {
    return Fault::denied;
  }
  if (is_throttled(error)) return Fault::unavailable;
  if (has("NotFound") || has("NoSuch")) return Fault::not_found;
  if (has("AlreadyExists") || has("Duplicate") || has("Conflict")) return Fault::conflict;
  return error.status >= 500 ? Fault::unavailable : Fault::failed;
}

// Waits for a pause that grows with the attempt and is random, so that many clients do not come back at once.
void pause(int attempt, const std::stop_token& stop, Deadline deadline) {
  auto most = std::chrono::milliseconds(50LL << attempt);
  auto random = static_cast<unsigned char>(random_bytes(1)[0]);
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  auto until = deadline.sooner(Deadline::in(most * (128 + random / 2) / 256));
  never.wait_until(lock, stop, until.at(), [] { return false; });
  if (stop.stop_requested()) throw Cancelled();
}

}  // namespace

const formats::Json& Answer::value() const {
  if (const auto* refused = error()) {
    throw Error(fault_of(*refused), fmt::format("{}: {}", refused->code, refused->message));
  }
  return std::get<formats::Json>(value_);
}

Client::Client(Config config) : config_(std::move(config)) {
  net::HttpClientOptions options;
  options.connect_to = config_.connect_to;
  options.ca_file = config_.ca_bundle;
  options.user_agent = "slipway aws-client";
  http_ = std::make_unique<net::HttpClient>(options);
}

Client::~Client() = default;

Answer Client::call(const std::string& service, const std::string& operation,
                    const formats::Json& input, const std::stop_token& stop, Deadline deadline) {
  if (!config_.credentials) {
    fail(Fault::denied,
         "calling {}:{}: no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
         "assume a role first",
         service, operation);
  }
  return while_doing(fmt::format("calling {}:{}", service, operation),
                     [&] { return send(service, operation, input, true, stop, deadline); });
}

Answer Client::assume_role_with_web_identity(const formats::Json& input,
                                             const std::stop_token& stop) {
  return while_doing("calling sts:AssumeRoleWithWebIdentity", [&] {
    return send("sts", "AssumeRoleWithWebIdentity", input, false, stop,
                Deadline::in(std::chrono::seconds(60)));
  });
}

bool Client::renew() {
  if (!config_.renewed) return false;
  auto fresh = config_.renewed();
  if (!fresh) return false;
  return renewed_.with([&](auto& newer) {
    bool is_other = newer ? *newer != *fresh : config_.credentials != fresh;
    newer = fresh;
    return is_other;
  });
}

Answer Client::send(const std::string& service, const std::string& operation,
                    const formats::Json& input, bool is_signed, const std::stop_token& stop,
                    Deadline deadline) {
  const auto& form = form_of(service);
  bool is_json = form.wire == Wire::json_1_0 || form.wire == Wire::json_1_1;
  auto url = net::parse_url(endpoint_of(config_, service));
  if (!url)
    fail(Fault::bad_input, "'{}' is not a URL: look at AWS_ENDPOINT_URL",
         endpoint_of(config_, service));
  SignableRequest signable{
      .method = "POST", .path = url->path, .headers = {{"host", url->authority()}}};
  if (is_json) {
    signable.body = input.is_null() ? "{}" : input.dump();
    signable.headers.emplace_back("content-type", form.wire == Wire::json_1_0
                                                      ? "application/x-amz-json-1.0"
                                                      : "application/x-amz-json-1.1");
    signable.headers.emplace_back("x-amz-target", fmt::format("{}.{}", form.prefix, operation));
  } else {
    std::vector<std::pair<std::string, std::string>> pairs = {
        {"Action", operation}, {"Version", std::string(form.prefix)}};
    flatten(input, "", form.wire == Wire::ec2, pairs);
    signable.body = net::print_query(pairs);
    signable.headers.emplace_back("content-type",
                                  "application/x-www-form-urlencoded; charset=utf-8");
  }
  constexpr int kAttempts = 4;  // to reach it at all
  constexpr int kRefusals = 8;  // of a cloud that asks for patience
  bool once = does_it_twice(operation);
  bool is_renewed = false;
  for (int attempt = 1;; ++attempt) {
    auto credentials = config_.credentials.value_or(Credentials{});
    if (is_signed && config_.renewed)
      credentials = renewed_.read([&](const auto& newer) { return newer.value_or(credentials); });
    net::HttpRequest request{.method = "POST", .url = url->to_string(), .body = signable.body};
    for (const auto& [name, value] : signable.headers) {
      if (name != "host") request.headers.add(name, value);
    }
    if (is_signed) {
      auto epoch = static_cast<long long>(formats::epoch_seconds(formats::now()));
      std::string region = service == "iam" ? "us-east-1" : config_.region;
      for (const auto& [name, value] : sign(signable, credentials, region, service, epoch))
        request.headers.add(name, value);
    }
    try {
      auto response = http_->request(request, stop, deadline, {.fresh_connection = once});
      Answer answer = is_json ? read_json(response) : read_xml(response, operation);
      if (answer.ok()) return answer;
      if (has_expired(*answer.error()) && is_signed && !is_renewed && renew()) {
        is_renewed = true;
        continue;
      }
      bool again = is_throttled(*answer.error()) || (answer.error()->status >= 500 && !once);
      if (!again || attempt == kRefusals || deadline.passed()) return answer;
    } catch (const Error& error) {
      if (error.fault() != Fault::unavailable || once || attempt >= kAttempts || deadline.passed())
        throw;
    }
    pause(attempt, stop, deadline);
  }
}

std::vector<formats::Json> items_of(const formats::Json& parent, std::string_view name) {
  const Json* list = parent.find(name);
  if (!list) return {};
  if (list->is_object()) {
    const Json* member = list->find("member");
    if (!member) member = list->find("item");  // ec2
    if (!member && list->size() == 1)
      member = &list->as_object().front().second;  // rds: <DBInstances><DBInstance>
    if (!member) return {};
    list = member;
  }
  if (list->is_array()) return list->as_array();
  if (list->is_string() && list->as_string().empty()) return {};
  return {*list};
}

}  // namespace slipway::aws
