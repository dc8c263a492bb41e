// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <exception>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/state.hpp"
#include "formats/json.hpp"
#include "formats/time.hpp"

namespace slipway::net {
struct ServerRequest;
class ResponseWriter;
}  // namespace slipway::net

namespace slipway::cloud {

using formats::Json;
using formats::Time;

/// Who signed a call, as the front door found out.
struct Principal {
  enum class Kind { anonymous, root, user, assumed_role };
  Kind kind = Kind::anonymous;
  std::string account;  ///< twelve digits
  std::string arn;  ///< arn:aws:sts::A:assumed-role/R/S, arn:aws:iam::A:user/N, arn:aws:iam::A:root
  std::string id;   ///< AROA…:session, AIDA…, or the account
  std::string access_key_id;   ///< empty for anonymous
  std::string entity;          ///< the role's or user's name (without path); empty otherwise
  std::string session_policy;  ///< JSON text that further limits the session; empty: none
  std::vector<std::string> session_policy_arns;
  bool operator==(const Principal&) const = default;
};

/// One call of an AWS operation, decoded.
struct Call {
  std::string service;    ///< the signing name: "ecs", "elasticloadbalancing"
  std::string operation;  ///< "DescribeServices"
  /// The members as AWS names them. From a query or ec2 request every scalar is a string: read through cloud/input.hpp,
  /// which takes both forms.
  Json input = Json::object({});
  Principal caller;
  std::string account;  ///< the caller's
  std::string region;   ///< from the signature's scope; the cloud's own when unsigned
  std::string request_id;
  std::string user_agent;
  std::string source_ip;
  bool is_secure = false;  ///< came over TLS
  bool is_query = false;   ///< came by a query protocol: its answer's times are texts
  std::string host;        ///< the Host header, "127.0.0.1:4566"
  Time now{};
  std::stop_token stop{};
};

/// The AWS error that answers one call; thrown by services, caught in the front door only.
class Refusal final : public std::exception {
 public:
  Refusal(std::string code, std::string message, int status = 400, Json members = Json::object({}));
  [[nodiscard]] const std::string& code() const { return code_; }
  [[nodiscard]] const std::string& message() const { return message_; }
  [[nodiscard]] int status() const { return status_; }
  /// More members of the error's shape (ReferencedImagesNotFoundException and the like); mostly empty.
  [[nodiscard]] const Json& members() const { return members_; }
  [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }

 private:
  std::string code_;
  std::string message_;
  std::string what_;
  int status_;
  Json members_;
};

/// throws Refusal{code, message}
[[noreturn]] void refuse(const std::string& code, const std::string& message);
/// Where a call's resources live.
Scope scope_of(const Call& call);

/// What a caller must be allowed to do for a call to be answered.
struct Permission {
  std::string action;          ///< "ecs:UpdateService"
  std::string resource = "*";  ///< an ARN
  std::map<std::string, std::vector<std::string>> context =
      {};  ///< further condition keys: {"iam:PassedToService", {…}}
};

/// cbor: Smithy's RPC v2, which CloudWatch's newer clients speak.
enum class Protocol { json_1_0, json_1_1, query, ec2, cbor };

/// How a service is recognised and spoken to.
struct ServiceDescription {
  std::string
      signing_name;  ///< "ecs"; also the prefix of its IAM actions unless `action_prefix` is set
  std::string target_prefix;  ///< X-Amz-Target before the dot; JSON protocols
  std::string api_version;    ///< "2015-12-01"; query protocols
  std::string xml_namespace;  ///< query protocols
  Protocol protocol = Protocol::json_1_1;
  std::vector<std::string> host_prefixes;  ///< first labels of its host names: {"ecs"}, {"api.ecr"}
  std::string action_prefix;               ///< "elasticloadbalancing"; empty: signing_name
};

/// Where an operation that answers with a stream sends its events; each is on the wire when the call returns.
///   throws  Error{unavailable} when the caller has gone
class EventSink {
 public:
  EventSink() = default;
  EventSink(const EventSink&) = delete;
  EventSink& operator=(const EventSink&) = delete;
  virtual ~EventSink() = default;
  /// `members` of the event's structure.
  virtual void send(std::string_view event, const Json& members) = 0;
  /// The exception that ends the stream.
  virtual void fail(std::string_view exception, std::string_view message) = 0;
};

/// One AWS service. Registered with the front door by Cloud.
///   threads  call() and permissions() from any thread, several at once
class Service {
 public:
  Service() = default;
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  virtual ~Service() = default;

  [[nodiscard]] virtual const ServiceDescription& description() const = 0;
  /// True when the service has this operation; others are answered with UnknownOperationException / InvalidAction.
  [[nodiscard]] virtual bool has(std::string_view operation) const = 0;
  /// What the caller must be allowed; default: the operation on every resource. Checked before call().
  [[nodiscard]] virtual std::vector<Permission> permissions(const Call& call) const;
  /// Answers with the output's members as AWS names them: absent members left out, never null. Timestamps: numbers (epoch
  /// seconds) for JSON services, ISO 8601 strings for query services. Lists are arrays, maps and structures are objects.
  ///   throws  Refusal; Error is answered by its Fault
  virtual Json call(const Call& call) = 0;
  /// Instead of call(), for an operation that answers with a stream of events: what sends them, until the stream's end. Default:
  /// nothing, it has one answer.
  ///   throws  as call(), before the stream begins
  virtual std::function<void(EventSink&)> stream(const Call& call);
  /// Serves a WebSocket that a call of this service promised, until it ends. Default and false: it is not this service's.
  virtual bool open_channel(net::ServerRequest& request, net::ResponseWriter& response);
  /// Work of its own (schedulers, child processes) from the cloud's start until `stop`; blocks. Default: returns at once.
  virtual void run(std::stop_token stop);
};

/// The operations of a service as plain data: `static const Operations<Ecs> kOperations = {{"RunTask", &Ecs::run_task}, …}`.
template <typename S>
using Operations = std::map<std::string_view, Json (S::*)(const Call&)>;

/// Calls the operation's member function. throws Refusal UnknownOperationException.
template <typename S>
Json dispatch(S& service, const Operations<S>& operations, const Call& call) {
  auto found = operations.find(call.operation);
  if (found == operations.end())
    throw Refusal("UnknownOperationException", "The operation is not known.");
  return (service.*found->second)(call);
}

}  // namespace slipway::cloud
