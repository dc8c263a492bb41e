// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "cloud/iam/authoriser.hpp"
#include "cloud/service.hpp"
#include "cloud/shapes.hpp"
#include "cloud/sigv4.hpp"
#include "cloud/sts/sessions.hpp"
#include "net/http_server.hpp"

namespace slipway::cloud {

/// The one door to all services: finds the service and operation, verifies the signature, asks the policies, calls, encodes.
///   threads  handle() from any, several at once
class FrontDoor final {
 public:
  struct Options {
    std::string account;  ///< of calls that nobody signed
    std::string region;
  };
  FrontDoor(Options options, sts::Sessions& sessions, iam::Authoriser& authoriser, Log& log);
  FrontDoor(const FrontDoor&) = delete;
  FrontDoor& operator=(const FrontDoor&) = delete;
  /// Before handle(); borrowed.
  void add(Service& service) { services_.push_back(&service); }
  /// Answers one AWS call.
  void handle(net::ServerRequest& request, net::ResponseWriter& response);

 private:
  struct Routed;
  [[nodiscard]] std::optional<Routed> route(const net::ServerRequest& request, std::string_view body) const;
  [[nodiscard]] Principal authenticate(const net::ServerRequest& request, std::string_view body, const Routed& routed, Call& call) const;
  [[nodiscard]] net::HttpResponse answer(const net::ServerRequest& request, std::string_view body, const Routed& routed, Call& call);

  Options options_;
  sts::Sessions& sessions_;
  iam::Authoriser& authoriser_;
  Log& log_;
  std::vector<Service*> services_;
  ShapeTables shapes_;
};

}  // namespace slipway::cloud
