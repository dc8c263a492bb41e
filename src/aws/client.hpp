// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>

#include "aws/credentials.hpp"
#include "base/deadline.hpp"
#include "base/guarded.hpp"
#include "formats/json.hpp"

namespace slipway::net {
class HttpClient;
}

namespace slipway::aws {

/// The error a service answered with.
struct ServiceError {
  std::string code;  ///< "ServiceNotFoundException", without a namespace
  std::string message;
  int status = 0;
  std::string request_id;
  bool operator==(const ServiceError&) const = default;
};

/// What came of a call.
class Answer final {
 public:
  explicit Answer(formats::Json value) : value_(std::move(value)) {}
  explicit Answer(ServiceError error) : value_(std::move(error)) {}
  [[nodiscard]] bool ok() const { return value_.index() == 0; }
  /// Nothing for a success.
  [[nodiscard]] const ServiceError* error() const { return std::get_if<ServiceError>(&value_); }
  /// The output. throws Error (denied, not_found, bad_input, unavailable by the error's code) when the service refused
  [[nodiscard]] const formats::Json& value() const;

 private:
  std::variant<formats::Json, ServiceError> value_;
};

/// Calls AWS. One object serves all services and threads; it knows nothing of where the endpoints are beyond Config.
class Client final {
 public:
  explicit Client(Config config);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// Makes one call, signed with the configured credentials. Retries what AWS's SDKs retry (throttling, 5xx, broken
  /// connections; up to 3 times with growing, random pauses). Calls that create something carry a client token where the
  /// service has one, so that a resend creates nothing twice: the caller puts it in. RegisterTaskDefinition, UpdateService and
  /// CreateDeployment have none and are sent again only when they were throttled: an Error{unavailable} of theirs says that nobody knows what happened.
  /// Expired keys are renewed once through Config::renewed.
  ///   service    the signing name: "ecs", "ecr", "sts", "iam", "logs", "secretsmanager", "elasticloadbalancing", "rds", "ec2",
  ///              "ssm", "codedeploy", "servicequotas"
  ///   operation  "DescribeServices"
  ///   input      the members as AWS's API names them; for query services lists become Name.member.N
  ///   returns    JSON services: the output; query services: the XML result as JSON, where every scalar is a string and a
  ///              list is {"member": one or an array}: read it through items_of()
  ///   throws     Error{unavailable} when the service cannot be reached; Error{bad_input} for a service it does not know; Cancelled
  Answer call(const std::string& service, const std::string& operation, const formats::Json& input,
              const std::stop_token& stop = {},
              Deadline deadline = Deadline::in(std::chrono::seconds(60)));

  /// sts:AssumeRoleWithWebIdentity, which is not signed.
  Answer assume_role_with_web_identity(const formats::Json& input,
                                       const std::stop_token& stop = {});

  [[nodiscard]] const Config& config() const { return config_; }

 private:
  Answer send(const std::string& service, const std::string& operation, const formats::Json& input,
              bool is_signed, const std::stop_token& stop, Deadline deadline);

  /// Asks Config::renewed. returns false when there is none, or it has nothing newer
  bool renew();

  Config config_;
  Guarded<std::optional<Credentials>> renewed_;
  std::unique_ptr<net::HttpClient> http_;
};

/// The items of a list in an answer: of a JSON array, of a query answer's {"member": …}, or none.
std::vector<formats::Json> items_of(const formats::Json& parent, std::string_view name);

}  // namespace slipway::aws
