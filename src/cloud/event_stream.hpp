// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "cloud/service.hpp"
#include "formats/io.hpp"

namespace slipway::cloud {

/// One message of an event stream with string headers and a JSON payload.
///   kind    "event" or "exception"
///   name    the event's or exception's
///   source  Smithy 2.0, "Amazon Event Stream Specification"
std::string event_stream_message(std::string_view kind, std::string_view name,
                                 std::string_view payload);

/// Writes events onto a response's body.
class EventStream final : public EventSink {
 public:
  /// `body` is borrowed. Begins with the initial response that RPC protocols have.
  explicit EventStream(formats::Writer& body);
  void send(std::string_view event, const Json& members) override;
  void fail(std::string_view exception, std::string_view message) override;

 private:
  formats::Writer& body_;
};

}  // namespace slipway::cloud
