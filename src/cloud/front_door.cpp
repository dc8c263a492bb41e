// SPDX-License-Identifier: Apache-2.0
#include "cloud/front_door.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/text.hpp"
#include "cloud/cbor.hpp"
#include "cloud/event_stream.hpp"
#include "cloud/protocol.hpp"

namespace slipway::cloud {

// Which service and operation a request is for.
struct FrontDoor::Routed {
  Service* service = nullptr;
  std::string operation;
  Protocol protocol = Protocol::json_1_1;  // that the caller speaks
};

namespace {

constexpr std::uint64_t kMostBody = 16U << 20;

bool is_json(Protocol protocol) {
  return protocol == Protocol::json_1_0 || protocol == Protocol::json_1_1;
}

// Whether an answer's body is members, not XML.
bool is_plain(Protocol protocol) { return is_json(protocol) || protocol == Protocol::cbor; }

// Service and operation of an RPC v2 CBOR request: "/service/NAME/operation/OP".
std::optional<std::pair<std::string, std::string>> rpc_target(const net::ServerRequest& request) {
  if (request.headers.get("smithy-protocol") != "rpc-v2-cbor") return std::nullopt;
  auto parts = split(request.path, '/');
  if (parts.size() != 5 || parts[1] != "service" || parts[3] != "operation") return std::nullopt;
  return std::pair(parts[2], parts[4]);
}

// What a request says of its signature without our believing it: service and region of the scope.
std::optional<SignatureClaim> claim_of(const net::ServerRequest& request, std::string_view body) {
  auto read = read_signature({request.method, request.path, request.query, request.headers, body});
  if (auto* claim = std::get_if<SignatureClaim>(&read)) return std::move(*claim);
  return std::nullopt;
}

// The form of a query request: its body, or for GET its query string.
std::string_view form_of(const net::ServerRequest& request, std::string_view body) {
  return body.empty() ? std::string_view(request.query) : body;
}

bool serves_host(const ServiceDescription& about, std::string_view host) {
  return std::any_of(about.host_prefixes.begin(), about.host_prefixes.end(),
                     [&](const std::string& prefix) {
                       return host.size() > prefix.size() && host.starts_with(prefix) &&
                              host[prefix.size()] == '.';
                     });
}

Refusal refusal_of(const Error& error) {
  switch (error.fault()) {
    case Fault::bad_input:
      return {"ValidationException", error.what(), 400};
    case Fault::not_found:
      return {"ResourceNotFoundException", error.what(), 400};
    case Fault::denied:
      return {"AccessDeniedException", error.what(), 400};
    case Fault::conflict:
      return {"ConflictException", error.what(), 400};
    case Fault::unsupported:
      return {"UnsupportedOperationException", error.what(), 400};
    case Fault::failed:
    case Fault::unavailable:
      break;
  }
  return {"InternalFailure", error.what(), 500};
}

net::HttpResponse error_response(Protocol protocol, const std::string& xml_namespace,
                                 const Refusal& refusal, const std::string& request_id) {
  net::HttpResponse response;
  response.status = refusal.status();
  response.headers.set("Content-Type", content_type(protocol));
  response.headers.set("x-amzn-RequestId", request_id);
  if (is_json(protocol)) response.headers.set("x-amzn-ErrorType", refusal.code());
  if (protocol == Protocol::cbor) {
    response.headers.set("smithy-protocol", "rpc-v2-cbor");
    response.headers.set("x-amzn-query-error", refusal.code() + ";Sender");
  }
  response.body = encode_error(protocol, xml_namespace, refusal, request_id);
  return response;
}

std::string without_port(const std::string& peer) { return peer.substr(0, peer.rfind(':')); }

}  // namespace

FrontDoor::FrontDoor(Options options, sts::Sessions& sessions, iam::Authoriser& authoriser,
                     Log& log)
    : options_(std::move(options)),
      sessions_(sessions),
      authoriser_(authoriser),
      log_(log),
      faults_(options_.faults) {}

std::optional<FrontDoor::Routed> FrontDoor::route(const net::ServerRequest& request,
                                                  std::string_view body) const {
  auto find = [&](auto&& fits) -> Service* {
    auto found = std::find_if(services_.begin(), services_.end(),
                              [&](Service* each) { return fits(each->description()); });
    return found == services_.end() ? nullptr : *found;
  };
  // JSON services: the target header names both.
  if (auto target = request.headers.find("x-amz-target")) {
    auto dot = target->rfind('.');
    auto prefix = target->substr(0, dot);
    auto* service = find([&](const ServiceDescription& about) {
      return !about.target_prefix.empty() && about.target_prefix == prefix;
    });
    if (service == nullptr) return std::nullopt;
    const auto& about = service->description();
    return Routed{service, dot == std::string::npos ? "" : target->substr(dot + 1),
                  is_json(about.protocol) ? about.protocol : Protocol::json_1_0};
  }
  if (auto target = rpc_target(request)) {
    auto* service =
        find([&](const ServiceDescription& about) { return about.target_prefix == target->first; });
    if (service == nullptr) return std::nullopt;
    return Routed{service, target->second, Protocol::cbor};
  }
  // Query services: Action and Version in the form; services that share neither a version nor a scope are told apart by both.
  auto form = form_of(request, body);
  auto action = query_field(form, "Action");
  if (!action) return std::nullopt;
  auto version = query_field(form, "Version").value_or("");
  auto claim = claim_of(request, body);
  auto is_query = [](const ServiceDescription& about) { return !is_json(about.protocol); };
  Service* service = nullptr;
  if (claim)
    service = find([&](const ServiceDescription& about) {
      return is_query(about) && about.signing_name == claim->service;
    });
  if (service == nullptr)
    service = find([&](const ServiceDescription& about) {
      return is_query(about) && serves_host(about, request.host);
    });
  if (service == nullptr && !version.empty())
    service = find([&](const ServiceDescription& about) {
      return is_query(about) && about.api_version == version;
    });
  if (service == nullptr) return std::nullopt;
  return Routed{service, *action, service->description().protocol};
}

Principal FrontDoor::authenticate(const net::ServerRequest& request, std::string_view body,
                                  const Routed& routed, Call& call) const {
  const auto& about = routed.service->description();
  auto spoken =
      is_plain(routed.protocol) && !is_json(routed.protocol) ? Protocol::json_1_0 : routed.protocol;
  auto refuse = [&](SignatureTrouble::Kind kind, std::string message) {
    return cloud::refusal_of(SignatureTrouble{kind, std::move(message)}, spoken);
  };
  SignedRequest signed_request{request.method, request.path, request.query, request.headers, body};
  auto read = read_signature(signed_request);
  if (auto* trouble = std::get_if<SignatureTrouble>(&read)) {
    bool needs_none =
        about.signing_name == "sts" && (routed.operation == "AssumeRoleWithWebIdentity" ||
                                        routed.operation == "AssumeRoleWithSAML");
    if (trouble->kind == SignatureTrouble::Kind::missing && needs_none) return Principal{};
    throw cloud::refusal_of(*trouble, spoken);
  }
  const auto& claim = std::get<SignatureClaim>(read);
  constexpr std::string_view kInvalid = "The security token included in the request is invalid.";
  auto key = sessions_.find(claim.access_key_id);
  if (!key || !key->is_active)
    throw refuse(SignatureTrouble::Kind::unknown_key, std::string(kInvalid));
  if (key->session_token != claim.session_token)
    throw refuse(SignatureTrouble::Kind::wrong_token, std::string(kInvalid));
  if (key->expires && call.now >= *key->expires)
    throw refuse(SignatureTrouble::Kind::expired_token,
                 "The security token included in the request is expired");
  if (auto trouble = check_signature(claim, signed_request, key->secret_access_key, call.now))
    throw cloud::refusal_of(*trouble, spoken);
  if (claim.service != about.signing_name) {
    throw refuse(
        SignatureTrouble::Kind::mismatch,
        fmt::format("Credential should be scoped to correct service: '{}'. ", about.signing_name));
  }
  call.region = claim.region;
  return key->principal;
}

// A trouble that `slipway cloud fault` asked for.
void FrontDoor::meet_fault(const Call& call) {
  auto rule = faults_.next(call.service, call.operation);
  if (!rule) return;
  if (rule->delay.count() > 0) {
    Guarded<int> nothing;
    nothing.wait(
        call.stop, Deadline::in(rule->delay), [](int) { return false; }, [](int) {});
  }
  if (!rule->code.empty())
    throw Refusal(rule->code, "slipway: this fault was asked for (slipway cloud fault)",
                  fault_status(rule->code));
}

net::HttpResponse FrontDoor::answer(const net::ServerRequest& request, std::string_view body,
                                    const Routed& routed, Call& call,
                                    std::function<void(EventSink&)>& events) {
  const auto& about = routed.service->description();
  call.caller = authenticate(request, body, routed, call);
  call.account = call.caller.account.empty() ? options_.account : call.caller.account;
  meet_fault(call);
  if (!routed.service->has(routed.operation)) {
    if (is_plain(routed.protocol))
      throw Refusal("UnknownOperationException",
                    fmt::format("slipway: '{}:{}' is not supported yet", about.signing_name,
                                routed.operation),
                    400);
    throw Refusal("InvalidAction",
                  fmt::format("Could not find operation {} for version {}", routed.operation,
                              about.api_version),
                  400);
  }
  call.is_query = !is_plain(routed.protocol);
  if (!call.is_query) {
    try {
      call.input = body.empty()                        ? Json::object({})
                   : routed.protocol == Protocol::cbor ? parse_cbor(body)
                                                       : formats::parse_json(body);
    } catch (const Error& error) {
      throw Refusal("SerializationException", error.what(), 400);
    }
    if (!call.input.is_object())
      throw Refusal("SerializationException", "the request body must be a JSON object", 400);
  } else {
    call.input = decode_query(form_of(request, body));
  }
  shapes_.check(call, call.is_query);
  for (const auto& permission : routed.service->permissions(call))
    authoriser_.require(permission, call,
                        routed.protocol == Protocol::cbor ? Protocol::json_1_0 : routed.protocol);
  net::HttpResponse response;
  events = routed.service->stream(call);
  if (events) {
    response.headers.set("Content-Type", "application/vnd.amazon.eventstream");
    response.headers.set("x-amzn-RequestId", call.request_id);
    return response;
  }
  auto output = routed.service->call(call);
  response.headers.set("Content-Type", content_type(routed.protocol));
  response.headers.set("x-amzn-RequestId", call.request_id);
  if (routed.protocol == Protocol::cbor) response.headers.set("smithy-protocol", "rpc-v2-cbor");
  response.body = encode_answer(routed.protocol, about.xml_namespace, call, output);
  return response;
}

void FrontDoor::handle(net::ServerRequest& request, net::ResponseWriter& response) {
  auto started = std::chrono::steady_clock::now();
  Call call;
  call.request_id = uuid();
  call.now = formats::now();
  call.region = options_.region;
  call.user_agent = request.headers.get("user-agent");
  call.source_ip = without_port(request.peer);
  call.is_secure = request.is_tls;
  call.host = request.host;
  call.stop = request.stop;
  Protocol protocol = request.headers.contains("smithy-protocol") ? Protocol::cbor
                      : request.headers.contains("x-amz-target")  ? Protocol::json_1_1
                                                                  : Protocol::query;
  std::string xml_namespace;
  net::HttpResponse answered;
  std::function<void(EventSink&)> events;
  try {
    auto body = request.read_body(kMostBody);
    auto routed = route(request, body);
    if (!routed) {
      auto claim = claim_of(request, body);
      throw Refusal(protocol == Protocol::query ? "InvalidAction" : "UnknownOperationException",
                    fmt::format("slipway: no service here answers this request{}",
                                claim ? " for '" + claim->service + "'" : ""),
                    claim ? 400 : 403);
    }
    const auto& about = routed->service->description();
    protocol = routed->protocol;
    xml_namespace = about.xml_namespace;
    call.service = about.signing_name;
    call.operation = routed->operation;
    answered = answer(request, body, *routed, call, events);
    if (call.service != "cloudtrail") trail_.note(call, call.service, nullptr);
  } catch (const Refusal& refusal) {
    if (!call.operation.empty()) trail_.note(call, call.service, &refusal);
    answered = error_response(protocol, xml_namespace, refusal, call.request_id);
    log_.info("{}:{} refused: {}", call.service, call.operation, refusal.what());
  } catch (const Error& error) {
    answered = error_response(protocol, xml_namespace, refusal_of(error), call.request_id);
    log_.warn("{}:{} failed: {}", call.service, call.operation, error.what());
  }
  log_.debug("{}:{} {} {} {:.1f} ms", call.service, call.operation, answered.status,
             call.caller.arn,
             std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started)
                 .count());
  if (!events) return response.send(answered);
  auto& out = response.start(answered.status, answered.headers);
  EventStream stream(out);
  events(stream);
  response.end();
}

}  // namespace slipway::cloud
