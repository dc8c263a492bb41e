// SPDX-License-Identifier: Apache-2.0
#include "workflow/tool_socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/error.hpp"
#include "base/text.hpp"
#include "container/fd_passing.hpp"
#include "os/process.hpp"
#include "os/stop_event.hpp"

// One message each way: "call" with {request as JSON in a memory file, stdin, stdout, stderr}, then "exit CODE". The connection's
// end is the caller's end.
namespace slipway::workflow {
namespace {

namespace fs = std::filesystem;
using formats::Json;

// Through the directory's descriptor: a socket's address holds 107 bytes, a path may be longer.
sockaddr_un address_of(const os::Fd& directory, const std::string& name) {
  auto path = fmt::format("/proc/self/fd/{}/{}", directory.get(), name);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    fail(Fault::bad_input, "the tool's name '{}' is too long", name);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

os::Fd make_socket() {
  os::Fd made(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!made.is_open()) os::throw_errno("socket");
  return made;
}

// Ends `cancel` when the caller's connection closes.
void watch(const os::Fd& caller, std::stop_source& cancel, const std::stop_token& done) {
  os::StopEvent wake(done);
  std::array<pollfd, 2> fds = {{{caller.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}}};
  while (::poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
  }
  if (fds[0].revents != 0) cancel.request_stop();
}

}  // namespace

ToolSocket::ToolSocket(const fs::path& directory, JobTool& tool, Job job)
    : tool_(tool), job_(std::move(job)), listener_(make_socket()), calls_(std::stop_token{}) {
  auto folder = os::open_file(directory.string(), O_PATH | O_DIRECTORY);
  auto address = address_of(folder, tool.name());
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 64) != 0) {
    os::throw_errno(fmt::format("listening in {}", directory.string()));
  }
  fs::permissions(directory / tool.name(),
                  fs::perms::all);  // a step may run as any user of the job's
  calls_.start([this](const std::stop_token& stop) { accept_all(stop); });
}

ToolSocket::~ToolSocket() { calls_.stop(); }

void ToolSocket::accept_all(const std::stop_token& stop) {
  os::StopEvent wake(stop);
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> fds = {{{listener_.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0 || fds[0].revents == 0) continue;
    auto caller = std::make_shared<os::Fd>(
        ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));  // owned by the task alone; a
    if (!caller->is_open()) continue;  // std::function must be copyable
    calls_.start([this, caller](const std::stop_token& token) { answer(*caller, token); });
  }
}

void ToolSocket::answer(const os::Fd& caller, const std::stop_token& stop) {
  auto message = container::receive_message(caller);
  if (!message || message->bytes != "call" || message->fds.size() != 4) return;
  std::stop_source cancel;
  std::stop_callback on_stop(stop, [&] { cancel.request_stop(); });
  int code = 1;
  try {
    auto request = formats::parse_json(os::read_all(message->fds[0].get()), "the call");
    ToolCall call{.argv = {},
                  .env = {},
                  .cwd = request.get_string("cwd", "/"),
                  .in = message->fds[1].get(),
                  .out = message->fds[2].get(),
                  .err = message->fds[3].get(),
                  .machine = job_.machine,
                  .github = job_.github,
                  .repository = job_.repository,
                  .ca_bundle = job_.ca_bundle,
                  .route = job_.route,
                  .stop = cancel.get_token()};
    for (const auto& word : request.get_array("argv")) call.argv.push_back(word.as_string());
    for (const auto& [name, value] : request.at("env").as_object())
      call.env[name] = value.as_string();
    TaskGroup watcher(stop);
    watcher.start([&](const std::stop_token& done) { watch(caller, cancel, done); });
    code = tool_.run(call);
  } catch (const Error& error) {
    try {
      os::write_all(message->fds[3].get(), fmt::format("{}: {}\n", tool_.name(), error.what()));
    } catch (const Error&) {
      code = 1;  // nobody reads it
    }
  } catch (const Cancelled&) {
    code = 130;
  }
  container::send_message(caller, fmt::format("exit {}", code));
}

int call_job_tool(int argc, char** argv) {
  Json words = Json::array();
  for (int i = 0; i < argc; ++i) words.push_back(std::string(argv[i]));
  Json env = Json::object();
  for (const auto& [name, value] : os::environment()) env[name] = value;
  std::error_code error;
  auto request = container::memory_file(Json::object({{"argv", std::move(words)},
                                                      {"env", std::move(env)},
                                                      {"cwd", fs::current_path(error).string()}})
                                            .dump());
  os::Fd null = os::open_file("/dev/null", O_RDWR);
  auto own = [&](int fd) { return ::fcntl(fd, F_GETFD) < 0 ? null.get() : fd; };
  auto socket = make_socket();
  auto folder = os::open_file(kToolsInside, O_PATH | O_DIRECTORY);
  auto address = address_of(folder, argv[0]);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    os::throw_errno("reaching slipway's run");
  container::send_message(
      socket, "call", {request.get(), own(STDIN_FILENO), own(STDOUT_FILENO), own(STDERR_FILENO)});
  auto answer = container::receive_message(socket);
  if (!answer || !answer->bytes.starts_with("exit "))
    fail(Fault::unavailable, "slipway's run has ended");
  return static_cast<int>(to_integer(std::string_view(answer->bytes).substr(5)).value_or(1));
}

}  // namespace slipway::workflow
