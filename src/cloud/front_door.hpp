// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "cloud/faults.hpp"
#include "cloud/iam/authoriser.hpp"
#include "cloud/service.hpp"
#include "cloud/shapes.hpp"
#include "cloud/sigv4.hpp"
#include "cloud/sts/sessions.hpp"
#include "cloud/trail/trail.hpp"
#include "net/http_server.hpp"

namespace slipway::cloud {

/// The one door to all services: finds the service and operation, verifies the signature, asks the policies, calls, encodes.
///   threads  handle() from any, several at once
class FrontDoor final {
 public:
  struct Options {
    std::string account;  ///< of calls that nobody signed
    std::string region;
    std::filesystem::path faults;  ///< the file of troubles that calls are to meet (faults.hpp)
  };
  FrontDoor(Options options, sts::Sessions& sessions, iam::Authoriser& authoriser, Log& log);
  FrontDoor(const FrontDoor&) = delete;
  FrontDoor& operator=(const FrontDoor&) = delete;
  /// Before handle(); borrowed.
  void add(Service& service) { services_.push_back(&service); }
  /// What was called, for CloudTrail.
  [[nodiscard]] trail::Trail& trail() { return trail_; }
  /// Answers one AWS call.
  void handle(net::ServerRequest& request, net::ResponseWriter& response);

 private:
  struct Routed;
  [[nodiscard]] std::optional<Routed> route(const net::ServerRequest& request,
                                            std::string_view body) const;
  [[nodiscard]] Principal authenticate(const net::ServerRequest& request, std::string_view body,
                                       const Routed& routed, Call& call) const;
  void meet_fault(const Call& call);
  /// `events`: set instead of the answer's body by an operation that streams.
  [[nodiscard]] net::HttpResponse answer(const net::ServerRequest& request, std::string_view body,
                                         const Routed& routed, Call& call,
                                         std::function<void(EventSink&)>& events);

  Options options_;
  sts::Sessions& sessions_;
  iam::Authoriser& authoriser_;
  Log& log_;
  std::vector<Service*> services_;
  ShapeTables shapes_;
  Faults faults_;
  trail::Trail trail_;
};

}  // namespace slipway::cloud
