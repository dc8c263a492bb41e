// SPDX-License-Identifier: Apache-2.0
#include "cloud/service.hpp"

namespace slipway::cloud {

Refusal::Refusal(std::string code, std::string message, int status, Json members)
    : code_(std::move(code)),
      message_(std::move(message)),
      what_(code_ + ": " + message_),
      status_(status),
      members_(std::move(members)) {}

std::vector<Permission> Service::permissions(const Call& call) const {
  const auto& about = description();
  const auto& prefix = about.action_prefix.empty() ? about.signing_name : about.action_prefix;
  return {Permission{.action = prefix + ":" + call.operation}};
}

std::function<void(EventSink&)> Service::stream(const Call&) { return {}; }

bool Service::open_channel(net::ServerRequest&, net::ResponseWriter&) { return false; }

void Service::run(std::stop_token) {}

void refuse(const std::string& code, const std::string& message) { throw Refusal(code, message); }

Scope scope_of(const Call& call) { return {call.account, call.region}; }

}  // namespace slipway::cloud
