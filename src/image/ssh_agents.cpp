// SPDX-License-Identifier: Apache-2.0
#include "image/ssh_agents.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.hpp"
#include "base/text.hpp"
#include "net/stream.hpp"
#include "os/file.hpp"
#include "os/process.hpp"
#include "os/stop_event.hpp"
#include "os/user_namespace.hpp"

namespace slipway::image {
namespace {

namespace fs = std::filesystem;

struct KeyAgent {
  os::TempDir directory;
  os::Process process;
};

// Until the agent has told its pid: it listens by then.
void wait_until_ready(const os::Process& agent) {
  constexpr auto kTime = std::chrono::seconds(10);
  std::string said;
  Deadline deadline = Deadline::in(kTime);
  while (said.find("Agent pid") == std::string::npos) {
    pollfd ready{agent.output().get(), POLLIN, 0};
    int count = ::poll(&ready, 1, static_cast<int>(deadline.left(kTime).count()));
    std::array<char, 512> bytes{};
    ssize_t size = count > 0 ? ::read(agent.output().get(), bytes.data(), bytes.size()) : 0;
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) fail(Fault::unavailable, "ssh-agent does not start: {}", trim(said));
    said.append(bytes.data(), static_cast<std::size_t>(size));
  }
}

}  // namespace

SshAgent agent_with_keys(std::string id, const std::vector<fs::path>& keys) {
  for (const char* program : {"ssh-agent", "ssh-add"}) {
    if (!os::find_program(program))
      fail(Fault::unavailable,
           "--ssh {}: a key needs {}, which is not here (install openssh-client)", id, program);
  }
  os::TempDir directory;
  std::string socket = (directory.path() / "agent").string();
  auto agent = std::make_shared<KeyAgent>(KeyAgent{
      std::move(directory), os::Process::spawn({.argv = {"ssh-agent", "-D", "-a", socket}})});
  wait_until_ready(agent->process);
  auto env = os::environment();
  env["SSH_AUTH_SOCK"] = socket;
  env["SSH_ASKPASS_REQUIRE"] = "never";  // nobody is there to be asked for a passphrase
  for (const auto& key : keys) {
    auto added = os::capture({.argv = {"ssh-add", "-q", key.string()}, .env = env}, {},
                             Deadline::in(std::chrono::seconds(30)));
    if (!added.exit.ok())
      fail(Fault::bad_input, "--ssh {}: the key '{}' is not taken: {}", id, key.string(),
           added.err.empty() ? "it has a passphrase, or is none" : trim(added.err));
  }
  return {.id = std::move(id), .socket = socket, .own = agent};
}

AgentSocket::AgentSocket(const fs::path& place, std::string agent, unsigned mode, uid_t uid,
                         gid_t gid)
    : agent_(std::move(agent)), listener_(net::listen_unix(place.string(), mode)) {
  if (::chown(place.c_str(), uid, gid) != 0 && !os::is_unmapped_owner(errno))
    os::throw_errno("chown of an agent's socket");
  tasks_.start([this](const std::stop_token& stop) { serve(stop); });
}

void AgentSocket::serve(const std::stop_token& stop) {
  os::StopEvent stopped(stop);
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> ready{{{listener_.get(), POLLIN, 0}, {stopped.get(), POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return;
    if (ready[0].revents == 0) continue;
    auto client =
        std::make_shared<os::Fd>(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client->is_open()) continue;
    tasks_.start([this, client](const std::stop_token& its_stop) {
      try {
        relay(*client, its_stop);
      } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the client sees its connection end
      }
    });
  }
}

void AgentSocket::relay(const os::Fd& client, const std::stop_token& stop) const {
  os::Fd agent = net::connect_unix(agent_);
  os::StopEvent stopped(stop);
  std::array<char, 16384> bytes{};
  for (;;) {
    std::array<pollfd, 3> ready{
        {{client.get(), POLLIN, 0}, {agent.get(), POLLIN, 0}, {stopped.get(), POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (ready[2].revents != 0) return;
    for (std::size_t from = 0; from < 2; ++from) {
      if (ready[from].revents == 0) continue;
      ssize_t size = ::recv(ready[from].fd, bytes.data(), bytes.size(), 0);
      if (size <= 0) return;  // one question and its answer at a time: nothing is under way
      std::string_view rest(bytes.data(), static_cast<std::size_t>(size));
      while (!rest.empty()) {
        ssize_t sent = ::send(ready[1 - from].fd, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return;
        rest.remove_prefix(static_cast<std::size_t>(sent));
      }
    }
  }
}

}  // namespace slipway::image
