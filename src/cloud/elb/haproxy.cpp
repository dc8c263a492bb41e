// SPDX-License-Identifier: Apache-2.0
#include "cloud/elb/haproxy.hpp"

#include <fcntl.h>
#include <signal.h>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/text.hpp"
#include "net/stream.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace slipway::cloud::elb {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A pause between two looks at something that tells nobody when it changes.
void pause(milliseconds span) {
  Guarded<int> nothing;
  nothing.wait(
      {}, Deadline::in(span), [](int) { return false; }, [](int) {});
}

constexpr std::string_view kGlobal = "global\n";
// A master that is still at a reload asked for earlier loses the signal of the next.
constexpr auto kAskAgain = seconds(1);

}  // namespace

Haproxy::Haproxy(std::filesystem::path directory, Log& log)
    : directory_(std::move(directory)), log_(log) {
  os::make_dirs(directory_);
}

std::optional<Haproxy::Master> Haproxy::running() const {
  auto text = os::read_file_if_exists(directory_ / "master.pid");
  if (!text) return std::nullopt;
  auto parts = split(trim(*text), ' ');
  if (parts.size() != 2) return std::nullopt;
  auto pid = to_integer(parts[0]);
  auto ticks = to_integer(parts[1]);
  if (!pid || !ticks) return std::nullopt;
  Master master{static_cast<pid_t>(*pid), static_cast<unsigned long long>(*ticks)};
  return os::is_alive(master.pid, master.ticks) ? std::optional(master) : std::nullopt;
}

bool Haproxy::apply(const std::string& configuration, bool anew) {
  std::lock_guard lock(mutex_);
  auto master = running();
  if (master && configuration == applied_ && !anew) return false;
  // By its whole path: at a reload the master runs itself anew by the name that it was given, and PATH may lack /usr/sbin.
  auto program = os::find_program("haproxy");
  if (!program)
    fail(Fault::unavailable, "there is no haproxy on this machine: apt-get install haproxy");
  // The worker tells it again: so that it is known which configuration it has read.
  std::string mark = hex(random_bytes(8));
  std::string marked = configuration;
  auto global = marked.find(kGlobal);
  if (global == std::string::npos) fail(Fault::bad_input, "the configuration has no global part");
  marked.insert(global + kGlobal.size(), fmt::format("  description {}\n", mark));
  auto candidate = directory_ / "next.cfg";
  os::write_file(candidate, marked, 0600);
  auto check = os::capture({.argv = {*program, "-c", "-q", "-f", candidate.string()}}, {},
                           Deadline::in(seconds(10)));
  if (!check.exit.ok())
    fail(Fault::unavailable, "haproxy refuses its configuration: {}", trim(check.err));
  os::write_file_durably(directory_ / "haproxy.cfg", marked, 0600);
  applied_.clear();  // unknown, until it listens
  if (master) {
    reload(*master, mark);
  } else {
    start(*program, mark);
  }
  applied_ = configuration;
  return true;
}

// The master's children are its workers. source proc(5), /proc/PID/task/TID/children
bool Haproxy::has_old_workers() const {
  auto master = running();
  if (!master) return false;
  auto workers =
      os::read_file_if_exists(fmt::format("/proc/{0}/task/{0}/children", master->pid)).value_or("");
  return split(trim(workers), ' ').size() > 1;
}

void Haproxy::start(const std::string& program, const std::string& mark) {
  os::Fd log =
      os::open_file((directory_ / "haproxy.log").string(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  auto process =
      os::Process::spawn({.argv = {program, "-W", "-f", (directory_ / "haproxy.cfg").string()},
                          .stdout_fd = log.get(),
                          .own_session = true});
  auto ticks = os::start_ticks(process.pid());
  os::write_file_durably(directory_ / "master.pid",
                         fmt::format("{} {}\n", process.pid(), ticks.value_or(0)), 0600);
  process.detach();
  wait_for_worker(mark, std::nullopt);
  log_.info("elb: haproxy started");
}

void Haproxy::reload(const Master& master, const std::string& mark) {
  ::kill(master.pid, SIGUSR2);
  wait_for_worker(mark, master);
  log_.debug("elb: haproxy reloaded");
}

// What the configuration says of itself that the answering worker has read; empty when nobody listens (yet).
std::string Haproxy::worker_mark() {
  constexpr std::string_view kMark = "description: ";
  try {
    std::string info = command("show info");
    for (auto line : lines_of(info)) {
      if (line.starts_with(kMark)) return std::string(trim(line.substr(kMark.size())));
    }
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): it is told by the deadline
  }
  return "";
}

void Haproxy::wait_for_worker(const std::string& mark, std::optional<Master> reloading) {
  auto deadline = Deadline::in(seconds(15));
  auto again = Deadline::in(kAskAgain);
  while (!deadline.passed()) {
    if (worker_mark() == mark) return;
    if (!running()) break;
    if (reloading && again.passed()) {
      ::kill(reloading->pid, SIGUSR2);
      again = Deadline::in(kAskAgain);
    }
    pause(milliseconds(5));
  }
  std::string log = os::read_file_if_exists(directory_ / "haproxy.log").value_or("");
  fail(Fault::unavailable, "haproxy did not start: {}",
       trim(log.size() > 500 ? std::string_view(log).substr(log.size() - 500) : log));
}

std::string Haproxy::command(const std::string& line) {
  auto stream = net::plain_stream(net::connect_unix(socket()));
  stream->set_timeout(seconds(5));
  stream->write(line + "\n");
  std::string out;
  std::array<char, 8192> chunk{};
  while (std::size_t n = stream->read(chunk)) out.append(chunk.data(), n);
  return out;
}

void Haproxy::stop() {
  std::lock_guard lock(mutex_);
  if (auto master = running()) {
    ::kill(master->pid, SIGTERM);
    if (!os::wait_until_gone(master->pid, master->ticks, {}, Deadline::in(seconds(5)))) {
      ::kill(-master->pid, SIGKILL);  // its session is its process group
      os::wait_until_gone(master->pid, master->ticks, {}, Deadline::in(seconds(5)));
    }
  }
  std::filesystem::remove(directory_ / "master.pid");
  std::filesystem::remove(directory_ / "s");
  applied_.clear();
}

}  // namespace slipway::cloud::elb
