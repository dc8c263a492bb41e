// SPDX-License-Identifier: Apache-2.0
#include "cloud/rds/postgres.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace slipway::cloud::rds {
namespace {

namespace fs = std::filesystem;

// The superuser inside the server, as RDS has one; nobody can log in as it over the network.
constexpr std::string_view kSuperuser = "rdsadmin";
constexpr auto kTick = std::chrono::milliseconds(50);

void pause(const std::stop_token& stop, std::chrono::milliseconds span) {
  Guarded<int> nothing;
  nothing.wait(
      stop, Deadline::in(span), [](int) { return false; }, [](int) {});
  if (stop.stop_requested()) throw Cancelled();
}

struct Unprivileged {
  std::string name;
  uid_t uid;
  gid_t gid;
};
// Whom the server runs as when we are root: "postgres", else "nobody".
std::optional<Unprivileged> unprivileged() {
  if (::geteuid() != 0) return std::nullopt;
  for (const char* name : {"postgres", "nobody"}) {
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 4096> buffer{};
    if (::getpwnam_r(name, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
      return Unprivileged{name, entry.pw_uid, entry.pw_gid};
    }
  }
  fail(Fault::unavailable,
       "PostgreSQL refuses to run as root and there is no user 'postgres' or 'nobody'");
}

// True when a user without rights of its own can reach the directory.
bool is_reachable(const fs::path& directory) {
  for (auto path = directory; path != path.root_path(); path = path.parent_path()) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IXOTH) == 0) return false;
  }
  return true;
}

// argv for a program under the unprivileged user. A state directory below a home that others cannot enter (/root) is reached by
// letting it search directories, and nothing more.
std::vector<std::string> as_unprivileged(const fs::path& directory, std::vector<std::string> argv) {
  auto user = unprivileged();
  if (!user) return argv;
  std::vector<std::string> command = {"setpriv", fmt::format("--reuid={}", user->uid),
                                      fmt::format("--regid={}", user->gid), "--clear-groups"};
  if (!is_reachable(directory.parent_path())) {
    command.insert(command.end(),
                   {"--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search",
                    "--bounding-set=-all,+dac_read_search"});
  }
  command.push_back("--");
  command.insert(command.end(), argv.begin(), argv.end());
  return command;
}

void give_to_unprivileged(const fs::path& path) {
  if (auto user = unprivileged(); user && ::chown(path.c_str(), user->uid, user->gid) != 0)
    os::throw_errno("chown " + path.string());
}

std::map<std::string, std::string> clean_environment() {
  auto environment = os::environment();
  std::map<std::string, std::string> clean = {{"LC_ALL", "C.UTF-8"}, {"PATH", environment["PATH"]}};
  return clean;
}

std::string quote_identifier(std::string_view name) {
  return "\"" + replace_all(std::string(name), "\"", "\"\"") + "\"";
}
std::string quote_literal(std::string_view text) {
  // E'' so that a backslash is one whatever standard_conforming_strings says.
  return "E'" + replace_all(replace_all(std::string(text), "\\", "\\\\"), "'", "''") + "'";
}

constexpr std::string_view kAccess =
    "# Written by slipway when the instance was made.\n"
    "host all rdsadmin 0.0.0.0/0 reject\n"
    "host all rdsadmin ::/0 reject\n"
    "host all all 0.0.0.0/0 scram-sha-256\n"
    "host all all ::/0 scram-sha-256\n";

}  // namespace

std::optional<PostgresPrograms> find_postgres(std::stop_token stop) {
  std::vector<fs::path> places;
  if (auto found = os::find_program("postgres")) places.push_back(fs::path(*found).parent_path());
  std::error_code none;
  std::vector<std::pair<long long, fs::path>> versions;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", none)) {
    if (auto number = to_integer(entry.path().filename().string()))
      versions.emplace_back(*number, entry.path() / "bin");
  }
  std::sort(versions.rbegin(), versions.rend());
  for (const auto& [number, path] : versions) places.push_back(path);
  for (const auto& place : places) {
    if (!fs::exists(place / "postgres", none) || !fs::exists(place / "initdb", none)) continue;
    auto said = os::capture(
        {.argv = {(place / "postgres").string(), "--version"}, .env = {}, .cwd = "", .inherit = {}},
        stop, Deadline::in(std::chrono::seconds(10)));
    auto words = split(trim(said.out), ' ');
    if (said.exit.ok() && words.size() >= 3) return PostgresPrograms{place, words[2]};
  }
  return std::nullopt;
}

bool Postgres::is_initialised() const { return fs::exists(config_.directory / "initialised"); }

void Postgres::initialise(const PostgresPrograms& programs, const std::string& password,
                          std::stop_token stop) {
  auto data = config_.directory / "data";
  os::make_dirs(config_.directory);
  os::remove_tree(data);  // what a broken-off attempt left
  os::make_dirs(data);
  fs::permissions(data, fs::perms::owner_all);
  give_to_unprivileged(data);
  auto made =
      os::capture({.argv = as_unprivileged(config_.directory,
                                           {(programs.bin / "initdb").string(), "-D", data.string(),
                                            "-U", std::string(kSuperuser), "-E", "UTF8",
                                            "--locale=C.UTF-8", "--auth=reject"}),
                   .env = clean_environment(),
                   .cwd = "/",
                   .inherit = {}},
                  stop, Deadline::in(std::chrono::minutes(2)));
  if (!made.exit.ok())
    fail(Fault::unavailable, "initdb: {}: {}", os::to_string(made.exit),
         trim(made.err.empty() ? made.out : made.err));
  os::write_file(data / "pg_hba.conf", kAccess, 0600);
  give_to_unprivileged(data / "pg_hba.conf");
  std::string statements =
      "CREATE ROLE rds_superuser NOLOGIN;\nGRANT pg_monitor, pg_signal_backend TO rds_superuser;\n";
  statements +=
      fmt::format("CREATE ROLE {} LOGIN CREATEDB CREATEROLE IN ROLE rds_superuser PASSWORD {};\n",
                  quote_identifier(config_.master_user), quote_literal(password));
  statements +=
      fmt::format("GRANT CREATE ON DATABASE postgres TO {0};\nGRANT ALL ON SCHEMA public TO {0};\n",
                  quote_identifier(config_.master_user));
  if (!config_.database.empty() && config_.database != "postgres") {
    statements += fmt::format("CREATE DATABASE {} OWNER {};\n", quote_identifier(config_.database),
                              quote_identifier(config_.master_user));
  }
  run_single(programs, statements, stop);
  os::write_file_durably(config_.directory / "initialised", programs.version + "\n");
}

void Postgres::set_password(const PostgresPrograms& programs, const std::string& password,
                            std::stop_token stop) {
  run_single(programs,
             fmt::format("ALTER ROLE {} PASSWORD {};\n", quote_identifier(config_.master_user),
                         quote_literal(password)),
             stop);
}

// Single-user mode takes one statement a line from stdin: nothing of it is seen on a command line, and no superuser may log in.
void Postgres::run_single(const PostgresPrograms& programs, const std::string& statements,
                          std::stop_token stop) {
  auto done =
      os::capture({.argv = as_unprivileged(
                       config_.directory,
                       {(programs.bin / "postgres").string(), "--single", "-D",
                        (config_.directory / "data").string(), "-c", "exit_on_error=true", "-c",
                        "log_statement=none", "-c", "log_min_error_statement=panic", "postgres"}),
                   .env = clean_environment(),
                   .cwd = "/",
                   .inherit = {}},
                  stop, Deadline::in(std::chrono::minutes(1)), statements);
  if (!done.exit.ok())
    fail(Fault::unavailable, "postgres --single: {}: {}", os::to_string(done.exit), trim(done.err));
}

std::optional<pid_t> Postgres::running_pid() const {
  auto file = os::read_file_if_exists(config_.directory / "data" / "postmaster.pid");
  if (!file) return std::nullopt;
  auto lines = lines_of(*file);
  auto pid = lines.empty() ? std::nullopt : to_integer(trim(lines[0]));
  if (!pid || *pid <= 1) return std::nullopt;
  // Another process may have the number by now: ours has our directory on its command line.
  auto command = os::read_file_if_exists(fmt::format("/proc/{}/cmdline", *pid));
  auto data = (config_.directory / "data").string();
  if (!command || command->find(data) == std::string::npos) return std::nullopt;
  return static_cast<pid_t>(*pid);
}

bool Postgres::is_running() {
  if (own_) {
    if (!own_->wait({}, Deadline::in(std::chrono::milliseconds(0)))) return true;
    own_.reset();
    return false;
  }
  return running_pid().has_value();
}

void Postgres::start(const PostgresPrograms& programs, std::stop_token stop, Deadline deadline) {
  if (is_running()) return;
  auto data = config_.directory / "data";
  std::error_code none;
  fs::remove(data / "postmaster.pid", none);
  auto log =
      os::open_file((config_.directory / "log").string(), O_WRONLY | O_CREAT | O_APPEND, 0640);
  own_ = os::Process::spawn(
      {.argv = as_unprivileged(
           config_.directory,
           {(programs.bin / "postgres").string(), "-D", data.string(), "-p",
            std::to_string(config_.port), "-c", "listen_addresses=" + join(config_.addresses, ","),
            "-c", "unix_socket_directories=", "-c", "max_connections=100"}),
       .env = clean_environment(),
       .cwd = "/",
       .stdin_fd = -1,
       .stdout_fd = log.get(),
       .stderr_fd = log.get(),
       .inherit = {},
       .own_session = true});
  // The last line of postmaster.pid says "ready" once connections are taken.
  while (true) {
    auto file = os::read_file_if_exists(data / "postmaster.pid");
    if (file && file->find("ready") != std::string::npos) return;
    if (!is_running()) fail(Fault::unavailable, "PostgreSQL ended while starting: {}", log_tail());
    if (deadline.passed())
      fail(Fault::unavailable, "PostgreSQL did not take connections in time: {}", log_tail());
    pause(stop, kTick);
  }
}

void Postgres::stop(std::chrono::milliseconds grace) {
  auto pid = own_ ? std::optional(own_->pid()) : running_pid();
  if (!pid) return;
  ::kill(*pid, SIGINT);  // "fast shutdown": transactions are rolled back, a checkpoint is written
  auto deadline = Deadline::in(grace);
  while (is_running() && !deadline.passed()) pause({}, kTick);
  if (is_running()) {
    ::kill(*pid, SIGQUIT);
    auto last = Deadline::in(std::chrono::seconds(2));
    while (is_running() && !last.passed()) pause({}, kTick);
    if (is_running()) ::kill(*pid, SIGKILL);
  }
  own_.reset();
}

std::string Postgres::log_tail() const {
  auto text = os::read_file_if_exists(config_.directory / "log").value_or("");
  auto lines = lines_of(text);
  std::string tail;
  for (std::size_t i = lines.size() > 3 ? lines.size() - 3 : 0; i < lines.size(); ++i)
    tail += (tail.empty() ? "" : " | ") + std::string(lines[i]);
  return tail;
}

}  // namespace slipway::cloud::rds
