// SPDX-License-Identifier: Apache-2.0
#include "aws/session.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <deque>
#include <map>
#include <optional>

#include "aws/session_message.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "net/websocket.hpp"

namespace slipway::aws {
namespace {

using Clock = std::chrono::steady_clock;
using formats::Json;
using std::chrono::milliseconds;

constexpr std::string_view kClientVersion = "1.2.677.0";  // of the plugin whose protocol this is
constexpr milliseconds kLook{250};                        // at the window's size and the stop
constexpr milliseconds kResendAfter{300};
constexpr std::chrono::minutes kSilence{5};
constexpr std::chrono::seconds kForHandshake{60};
constexpr std::size_t kMostUnanswered = 64;
constexpr std::size_t kMostEarly = 10'000;

class Session final {
 public:
  Session(net::WebSocket& socket, const SessionEnds& ends, const std::stop_token& stop)
      : socket_(socket), ends_(ends), stop_(stop) {}

  std::string run(const Json& session) {
    std::string client = uuid();
    socket_.send(Json::object({{"MessageSchemaVersion", "1.0"},
                               {"RequestId", uuid()},
                               {"TokenValue", session.get_string("tokenValue")},
                               {"ClientId", client},
                               {"ClientVersion", kClientVersion}})
                     .dump(),
                 net::WebSocketCode::text);
    while (!closed_) {
      if (stop_.stop_requested()) give_up();
      if (!socket_.is_open())
        fail(Fault::unavailable, "the session '{}' broke off", session.get_string("sessionId"));
      step();
    }
    return *closed_;
  }

 private:
  [[noreturn]] void give_up() {
    send(kFlagPayload, std::string("\0\0\0\2", 4));  // terminate
    socket_.close();
    throw Cancelled();
  }

  void step() {
    bool wants_input = ends_.input_fd >= 0 && !input_has_ended_ && is_ready_ &&
                       unanswered_.size() < kMostUnanswered && ends_.takes_input();
    std::array<pollfd, 2> waiting{
        {{socket_.fd(), POLLIN, 0}, {wants_input ? ends_.input_fd : -1, POLLIN, 0}}};
    auto span = unanswered_.empty() ? kLook : kResendAfter / 2;
    bool has_buffered = socket_.has_buffered();
    ::poll(waiting.data(), waiting.size(), has_buffered ? 0 : static_cast<int>(span.count()));
    if (has_buffered || waiting[0].revents != 0) {
      for (const auto& message : socket_.read()) {
        if (auto read = read_session_message(message.bytes)) receive(*read);
      }
    }
    if (waiting[1].revents != 0) type();
    if (is_ready_) tell_window();
    resend();
    if (!is_ready_ && Clock::now() - began_ > kForHandshake)
      fail(Fault::unavailable, "the session's other end does not answer");
  }

  void type() {
    std::array<char, 1024> bytes{};
    ssize_t count = ::read(ends_.input_fd, bytes.data(), bytes.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (count > 0) {
      is_in_line_ = bytes[static_cast<std::size_t>(count) - 1] != '\n';
      return send(kOutputPayload, {bytes.data(), static_cast<std::size_t>(count)});
    }
    input_has_ended_ = true;
    if (ends_.end_of_input.empty()) return;
    // In the midst of a line the first one only ends the line.
    if (is_in_line_) send(kOutputPayload, ends_.end_of_input);
    send(kOutputPayload, ends_.end_of_input);
  }

  void tell_window() {
    WindowSize now = ends_.window();
    if (told_ == now) return;
    told_ = now;
    send(kSizePayload, Json::object({{"cols", now.columns}, {"rows", now.rows}}).dump());
  }

  void send(std::uint32_t type, std::string_view payload) {
    SessionMessage message{.type = "input_stream_data",
                           .sequence = next_++,
                           .id = uuid(),
                           .payload_type = type,
                           .payload = std::string(payload)};
    if (unanswered_.empty()) answered_ = Clock::now();
    unanswered_.push_back({message.sequence, write_session_message(message), Clock::now()});
    socket_.send(unanswered_.back().bytes);
  }

  void resend() {
    if (unanswered_.empty() || !socket_.is_open()) return;
    auto now = Clock::now();
    if (now - answered_ > kSilence)
      fail(Fault::unavailable, "the session's other end does not answer any more");
    if (now - unanswered_.front().at < kResendAfter) return;
    unanswered_.front().at = now;
    socket_.send(unanswered_.front().bytes);
  }

  void receive(const SessionMessage& message) {
    if (message.type == "channel_closed") {
      closed_ = formats::parse_json(message.payload, "channel_closed").get_string("Output");
    } else if (message.type == "acknowledge") {
      auto number = formats::parse_json(message.payload, "acknowledge")
                        .get_int("AcknowledgedMessageSequenceNumber", -1);
      std::erase_if(unanswered_, [&](const Sent& sent) { return sent.sequence == number; });
      answered_ = Clock::now();
    } else if (message.type == "output_stream_data") {
      if (message.sequence > expected_ && early_.size() >= kMostEarly) return;
      acknowledge(message);
      if (message.sequence >= expected_) early_.emplace(message.sequence, message);
      for (auto it = early_.begin(); it != early_.end() && it->first == expected_;
           it = early_.erase(it)) {
        ++expected_;
        use(it->second);
      }
    }
  }

  void acknowledge(const SessionMessage& message) {
    socket_.send(write_session_message(
        {.type = "acknowledge",
         .flags = 3,
         .id = uuid(),
         .payload = Json::object({{"AcknowledgedMessageType", message.type},
                                  {"AcknowledgedMessageId", message.id},
                                  {"AcknowledgedMessageSequenceNumber", message.sequence},
                                  {"IsSequentialMessage", true}})
                        .dump()}));
  }

  void use(const SessionMessage& message) {
    switch (message.payload_type) {
      case kHandshakeRequest:
        send(kHandshakeResponse, handshake_answer(message.payload));
        break;
      case kHandshakeComplete:
        is_ready_ = true;
        break;
      case kOutputPayload:
      case kErrorPayload:
      case kStdErrPayload:
        is_ready_ = true;  // an agent that knows no handshake begins with output
        ends_.output(message.payload);
        break;
      default:
        break;
    }
  }

  static std::string handshake_answer(const std::string& payload) {
    Json actions = Json::array();
    auto request = formats::parse_json(payload, "the session's handshake");
    for (const auto& action : request.get_array("RequestedClientActions")) {
      std::string type = action.get_string("ActionType");
      if (type == "KMSEncryption") {
        fail(Fault::unsupported,
             "the cluster's sessions are encrypted by a KMS key, which is not supported yet: use "
             "aws ecs execute-command with AWS's session-manager-plugin");
      }
      bool is_known = type == "SessionType";
      actions.push_back(Json::object({{"ActionType", type},
                                      {"ActionStatus", is_known ? 1 : 3},
                                      {"ActionResult", nullptr},
                                      {"Error", is_known ? "" : "Unsupported action " + type}}));
    }
    return Json::object({{"ClientVersion", kClientVersion},
                         {"ProcessedClientActions", actions},
                         {"Errors", nullptr}})
        .dump();
  }

  struct Sent {
    std::int64_t sequence;
    std::string bytes;
    Clock::time_point at;
  };

  net::WebSocket& socket_;
  const SessionEnds& ends_;
  std::stop_token stop_;
  std::deque<Sent> unanswered_;
  std::map<std::int64_t, SessionMessage> early_;
  std::int64_t next_ = 0, expected_ = 0;
  bool is_ready_ = false, input_has_ended_ = false, is_in_line_ = false;
  std::optional<WindowSize> told_;
  std::optional<std::string> closed_;
  Clock::time_point began_ = Clock::now(), answered_ = Clock::now();
};

}  // namespace

std::string run_session(const Config& config, const Json& session, const SessionEnds& ends,
                        const std::stop_token& stop) {
  net::HttpClientOptions options;
  options.connect_to = config.connect_to;
  options.ca_file = config.ca_bundle;
  auto socket = net::connect_websocket(session.get_string("streamUrl"), options, stop,
                                       Deadline::in(std::chrono::seconds(30)));
  return Session(*socket, ends, stop).run(session);
}

}  // namespace slipway::aws
