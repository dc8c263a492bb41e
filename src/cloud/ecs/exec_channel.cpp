// SPDX-License-Identifier: Apache-2.0
// Session Manager's data channel, the agent's end. The caller sends its token as a JSON text; then both send numbered stream messages that the
// other acknowledges, each resent until it is. The agent asks for a handshake, the caller answers, the agent completes it and starts
// the command: what the terminal prints goes out as output_stream_data, what is typed and the window's size come as
// input_stream_data, and channel_closed ends it. One thread minds socket and terminal; a second one waits for the command.
#include "cloud/ecs/exec_channel.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <map>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "cloud/ecs/agent_message.hpp"
#include "cloud/ecs/engine.hpp"
#include "container/runtime.hpp"
#include "formats/json.hpp"
#include "formats/sha256.hpp"
#include "os/stop_event.hpp"

namespace slipway::cloud::ecs {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::int64_t kConnectWithinMs = 60'000;
constexpr std::size_t kOutputPiece = 1024;  // of the agent
constexpr std::size_t kMostUnanswered = 256;
constexpr std::size_t kMostEarly = 10'000;  // the plugin's own bound
constexpr milliseconds kResendAfter{200};
constexpr std::chrono::seconds kForToken{30};
constexpr std::chrono::seconds kForLastAnswers{10};
constexpr std::chrono::minutes kSilence{5};  // without an answer to what was sent
constexpr std::chrono::minutes kIdle{20};
constexpr std::uint32_t kTerminateSession = 2;

// What the thread that waits for the command tells the one that minds the channel.
struct SessionEnd {
  os::Fd terminal;
  bool has_ended = false;
  std::string trouble;  // why it never ran
};

class Channel final {
 public:
  Channel(net::WebSocket& socket, const ExecOrder& order, container::Runtime& runtime,
          const std::stop_token& stop)
      : socket_(socket),
        order_(order),
        runtime_(runtime),
        stopped_(stop),
        stop_(stop),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_.is_open()) os::throw_errno("eventfd");
  }

  void run() {
    TaskGroup command(stop_);
    command_ = &command;
    if (!is_let_in()) return socket_.close(1008);
    Json action =
        Json::object({{"ActionType", "SessionType"},
                      {"ActionParameters", Json::object({{"SessionType", "InteractiveCommands"},
                                                         {"Properties", Json::object({})}})}});
    send(AgentPayload::handshake_request,
         Json::object(
             {{"AgentVersion", "3.3.2299.0"}, {"RequestedClientActions", Json::array({action})}})
             .dump());
    while (socket_.is_open() && !stop_.stop_requested() && !is_done()) step();
    terminal_.reset();  // hangs up on what still runs
    command.stop();
    if (socket_.is_open()) say_closed();
    command.join();
  }

 private:
  // The caller's first message holds the token.
  bool is_let_in() {
    Deadline deadline = Deadline::in(kForToken);
    while (!deadline.passed() && socket_.is_open() && !stop_.stop_requested()) {
      if (!wait({}, deadline.left())) continue;
      for (const auto& message : socket_.read()) {
        if (message.code != net::WebSocketCode::text) return false;
        try {
          auto token = formats::parse_json(message.bytes).get_string("TokenValue");
          return formats::equals_in_constant_time(token, order_.token);
        } catch (const Error&) {
          return false;
        }
      }
    }
    return false;
  }

  // Waits for the socket; `more` is waited for beside it. True when the socket has something.
  bool wait(std::span<pollfd> more, milliseconds span) {
    std::vector<pollfd> waiting{
        {socket_.fd(), POLLIN, 0}, {wake_.get(), POLLIN, 0}, {stopped_.get(), POLLIN, 0}};
    waiting.insert(waiting.end(), more.begin(), more.end());
    bool has_buffered = socket_.has_buffered();
    ::poll(waiting.data(), waiting.size(), has_buffered ? 0 : static_cast<int>(span.count()));
    if (waiting[1].revents != 0) {
      eventfd_t count = 0;
      ::eventfd_read(wake_.get(), &count);
    }
    std::copy(waiting.begin() + 3, waiting.end(), more.begin());
    return has_buffered || waiting[0].revents != 0;
  }

  void step() {
    std::array<pollfd, 1> terminal{{{-1, 0, 0}}};
    if (terminal_.is_open() && !has_no_more_output_) {
      bool may_print = unanswered_.size() < kMostUnanswered;
      terminal[0] = {terminal_.get(),
                     static_cast<short>((may_print ? POLLIN : 0) | (input_.empty() ? 0 : POLLOUT)),
                     0};
    }
    if (wait(terminal, unanswered_.empty() ? milliseconds(5000) : kResendAfter / 2)) {
      for (const auto& message : socket_.read()) {
        if (auto parsed = parse_agent_message(message.bytes)) receive(*parsed);
      }
    }
    take_outcome();
    if ((terminal[0].revents & POLLOUT) != 0) type();
    if ((terminal[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) print();
    if (has_ended_ && !has_no_more_output_) {
      while (!has_no_more_output_ && unanswered_.size() < kMostUnanswered && print()) {
      }
      if (unanswered_.size() < kMostUnanswered) has_no_more_output_ = true;
    }
    resend();
  }

  [[nodiscard]] bool is_done() {
    if (Clock::now() - last_use_ > kIdle) {
      why_ = "Your session timed out due to inactivity.";
      return true;
    }
    if (!unanswered_.empty() && Clock::now() - last_answer_ > kSilence) return true;
    if (is_terminated_) return true;
    if (!has_ended_ || !has_no_more_output_) return false;
    return unanswered_.empty() || Clock::now() - ended_at_ > kForLastAnswers;
  }

  void take_outcome() {
    outcome_.with([&](SessionEnd& outcome) {
      if (outcome.terminal.is_open()) terminal_ = std::move(outcome.terminal);
      if (outcome.has_ended && !has_ended_) {
        has_ended_ = true;
        ended_at_ = Clock::now();
        why_ = outcome.trouble;
        if (!terminal_.is_open()) has_no_more_output_ = true;
      }
    });
    if (terminal_.is_open() && !is_sized_) resize();
  }

  // One piece of output; false when there is none now.
  bool print() {
    std::array<char, kOutputPiece> bytes{};
    ssize_t count = ::read(terminal_.get(), bytes.data(), bytes.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (count <= 0) {  // EIO: nobody has the other end open
      has_no_more_output_ = true;
      return false;
    }
    last_use_ = Clock::now();
    send(AgentPayload::output, {bytes.data(), static_cast<std::size_t>(count)});
    return true;
  }

  void type() {
    ssize_t count = ::write(terminal_.get(), input_.data(), input_.size());
    if (count > 0) input_.erase(0, static_cast<std::size_t>(count));
    if (count < 0 && errno != EAGAIN && errno != EINTR) input_.clear();
  }

  void resize() {
    winsize size{};
    size.ws_row = rows_;
    size.ws_col = columns_;
    ::ioctl(terminal_.get(), TIOCSWINSZ, &size);
    is_sized_ = true;
  }

  void send(AgentPayload type, std::string_view payload) {
    AgentMessage message{.type = "output_stream_data",
                         .created_ms = static_cast<std::uint64_t>(now_ms()),
                         .sequence = next_out_++,
                         .flags = next_out_ == 1 ? 1U : 0U,
                         .id = uuid(),
                         .payload_type = static_cast<std::uint32_t>(type),
                         .payload = std::string(payload)};
    if (unanswered_.empty()) last_answer_ = Clock::now();
    unanswered_.push_back({message.sequence, print_agent_message(message), Clock::now()});
    socket_.send(unanswered_.back().bytes);
  }

  // Only the oldest one: what came after it waits at the caller.
  void resend() {
    if (unanswered_.empty() || !socket_.is_open()) return;
    Sent& oldest = unanswered_.front();
    if (Clock::now() - oldest.at < kResendAfter) return;
    oldest.at = Clock::now();
    socket_.send(oldest.bytes);
  }

  void receive(const AgentMessage& message) {
    if (message.type == "acknowledge") return take_answer(message);
    if (message.type != "input_stream_data") return;
    if (message.sequence > expected_in_ && early_.size() >= kMostEarly) return;
    socket_.send(
        print_agent_message(acknowledgement_of(message, static_cast<std::uint64_t>(now_ms()))));
    if (message.sequence < expected_in_) return;
    early_.emplace(message.sequence, message);
    for (auto it = early_.begin(); it != early_.end() && it->first == expected_in_;
         it = early_.erase(it)) {
      ++expected_in_;
      use(it->second);
    }
  }

  void take_answer(const AgentMessage& message) {
    try {
      auto number =
          formats::parse_json(message.payload).get_int("AcknowledgedMessageSequenceNumber", -1);
      std::erase_if(unanswered_, [&](const Sent& sent) { return sent.sequence == number; });
      last_answer_ = Clock::now();
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): it is sent again
    }
  }

  void use(const AgentMessage& message) {
    switch (static_cast<AgentPayload>(message.payload_type)) {
      case AgentPayload::output:
        last_use_ = Clock::now();
        input_ += message.payload;
        if (terminal_.is_open()) type();
        break;
      case AgentPayload::size:
        take_size(message.payload);
        break;
      case AgentPayload::handshake_response:
        start();
        break;
      case AgentPayload::flag:
        if (message.payload.size() == 4 && message.payload[3] == char{kTerminateSession})
          is_terminated_ = true;
        break;
      default:
        break;
    }
  }

  void take_size(const std::string& payload) {
    try {
      auto size = formats::parse_json(payload);
      rows_ = static_cast<unsigned short>(std::clamp<std::int64_t>(size.get_int("rows"), 0, 9999));
      columns_ =
          static_cast<unsigned short>(std::clamp<std::int64_t>(size.get_int("cols"), 0, 9999));
      is_sized_ = false;
      if (terminal_.is_open()) resize();
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the window stays as it was
    }
  }

  void start() {
    if (std::exchange(has_started_, true)) return;
    send(AgentPayload::handshake_complete,
         Json::object({{"HandshakeTimeToComplete", 1000000}, {"CustomerMessage", ""}}).dump());
    command_->start([this](const std::stop_token& stop) { run_command(stop); });
  }

  void run_command(const std::stop_token& stop) {
    container::ExecSpec exec{.argv = order_.argv,
                             .env = {{"TERM", "xterm-256color"}},
                             .terminal = true,
                             .over_own = true};
    container::RunIo io;
    io.on_terminal = [this](os::Fd terminal) {
      ::fcntl(terminal.get(), F_SETFL, O_RDWR | O_NONBLOCK);
      outcome_.with([&](SessionEnd& outcome) { outcome.terminal = std::move(terminal); });
      ::eventfd_write(wake_.get(), 1);
    };
    std::string trouble;
    try {
      runtime_.exec(order_.runtime_id, exec, io, stop, Deadline::never());
    } catch (const Error& error) {
      trouble = fmt::format(
          "----------ERROR-------\nUnable to start command: Failed to start pty: {}", error.what());
    } catch (const Cancelled&) {  // NOLINT(bugprone-empty-catch): the caller has gone
    }
    outcome_.with([&](SessionEnd& outcome) {
      outcome.has_ended = true;
      outcome.trouble = trouble;
    });
    ::eventfd_write(wake_.get(), 1);
  }

  void say_closed() {
    AgentMessage message{.type = "channel_closed",
                         .created_ms = static_cast<std::uint64_t>(now_ms()),
                         .flags = 2,
                         .id = uuid()};
    message.payload = Json::object({{"MessageId", message.id},
                                    {"CreatedDate", std::to_string(message.created_ms)},
                                    {"DestinationId", order_.session},
                                    {"SessionId", order_.session},
                                    {"MessageType", message.type},
                                    {"SchemaVersion", 1},
                                    {"Output", why_}})
                          .dump();
    socket_.send(print_agent_message(message));
    socket_.close();
  }

  struct Sent {
    std::int64_t sequence;
    std::string bytes;
    Clock::time_point at;
  };

  net::WebSocket& socket_;
  const ExecOrder& order_;
  container::Runtime& runtime_;
  os::StopEvent stopped_;
  std::stop_token stop_;
  os::Fd wake_;
  TaskGroup* command_ = nullptr;
  Guarded<SessionEnd> outcome_;

  os::Fd terminal_;
  std::string input_;  // typed, not yet taken by the terminal
  unsigned short rows_ = 24, columns_ = 80;
  bool is_sized_ = false;
  bool has_started_ = false, has_ended_ = false, has_no_more_output_ = false;
  bool is_terminated_ = false;
  std::string why_;
  std::int64_t next_out_ = 0, expected_in_ = 0;
  std::deque<Sent> unanswered_;
  std::map<std::int64_t, AgentMessage> early_;
  Clock::time_point last_use_ = Clock::now(), last_answer_ = Clock::now(), ended_at_;
};

}  // namespace

ExecOrder ExecSessions::open(ExecOrder order) {
  order.session = "ecs-execute-command-" + hex(random_bytes(9)).substr(0, 17);
  order.token = base64(random_bytes(96));
  order.created_ms = now_ms();
  waiting_.with([&](auto& waiting) {
    std::erase_if(waiting, [&](const ExecOrder& one) {
      return one.created_ms + kConnectWithinMs < order.created_ms;
    });
    waiting.push_back(order);
  });
  return order;
}

std::optional<ExecOrder> ExecSessions::take(const std::string& session) {
  return waiting_.with([&](auto& waiting) -> std::optional<ExecOrder> {
    auto it = std::find_if(waiting.begin(), waiting.end(),
                           [&](const ExecOrder& one) { return one.session == session; });
    if (it == waiting.end()) return std::nullopt;
    ExecOrder order = std::move(*it);
    waiting.erase(it);
    if (order.created_ms + kConnectWithinMs < now_ms()) return std::nullopt;
    return order;
  });
}

std::optional<std::vector<std::string>> split_command(const std::string& command) {
  std::vector<std::string> words;
  std::string word;
  bool is_in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < command.size(); ++i) {
    char c = command[i];
    bool is_space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (c == '\\' && quote != '\'' && i + 1 < command.size()) {
      word.push_back(command[++i]);
      is_in_word = true;
    } else if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        word.push_back(c);
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      is_in_word = true;
    } else if (!is_space) {
      word.push_back(c);
      is_in_word = true;
    } else if (is_in_word) {
      words.push_back(std::exchange(word, {}));
      is_in_word = false;
    }
  }
  if (quote != 0) return std::nullopt;
  if (is_in_word) words.push_back(word);
  return words;
}

void serve_exec(net::WebSocket& socket, const ExecOrder& order, container::Runtime& runtime,
                Log& log, const std::stop_token& stop) {
  log.info("{}: {} runs {}", order.session, order.who, join(order.argv, " "));
  Channel(socket, order, runtime, stop).run();
}

}  // namespace slipway::cloud::ecs
