// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "os/process.hpp"

namespace slipway::cloud::rds {

/// How one PostgreSQL server is made and run.
struct PostgresConfig {
  std::filesystem::path directory;  ///< holds data/ and log
  std::string master_user;
  std::string database;  ///< made besides "postgres"; empty: none
  std::uint16_t port = 5432;
  std::vector<std::string> addresses;  ///< to listen on
};

/// The installed PostgreSQL.
struct PostgresPrograms {
  std::filesystem::path bin;  ///< the directory of initdb and postgres
  std::string version;        ///< "15.6"
};
/// The newest installed one, or nothing.
std::optional<PostgresPrograms> find_postgres(std::stop_token stop);

/// A real PostgreSQL server process under an unprivileged user (it refuses root), with its own data directory. It survives us when
/// we are killed and is found again by its pid file; it ends with stop().
///   threads  one at a time
class Postgres final {
 public:
  explicit Postgres(PostgresConfig config) : config_(std::move(config)) {}
  /// True when the data directory was made completely.
  [[nodiscard]] bool is_initialised() const;
  /// Makes the data directory, the master user (no superuser, as on RDS) and the database.
  ///   throws  Error{unavailable} with what initdb said; Cancelled
  void initialise(const PostgresPrograms& programs, const std::string& password,
                  std::stop_token stop);
  /// Sets the master user's password; the server must be stopped.
  void set_password(const PostgresPrograms& programs, const std::string& password,
                    std::stop_token stop);
  /// Starts the server, or adopts the one that runs in this directory; returns when it takes connections.
  ///   throws  Error{unavailable} with the end of its log; Cancelled
  void start(const PostgresPrograms& programs, std::stop_token stop, Deadline deadline);
  [[nodiscard]] bool is_running();
  /// Ends connections, waits for the checkpoint; after `grace` the hard way.
  void stop(std::chrono::milliseconds grace);
  [[nodiscard]] const PostgresConfig& config() const { return config_; }
  /// The last lines of its log, for messages.
  [[nodiscard]] std::string log_tail() const;

 private:
  void run_single(const PostgresPrograms& programs, const std::string& statements,
                  std::stop_token stop);
  [[nodiscard]] std::optional<pid_t> running_pid() const;

  PostgresConfig config_;
  std::optional<os::Process> own_;  // when we started it
};

}  // namespace slipway::cloud::rds
