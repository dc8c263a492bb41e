// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "os/process.hpp"

namespace slipway::cloud::elb {

/// The HAProxy that carries the requests: one master with its workers, in a session of its own, so that it outlives a crash of ours and
/// is taken over again.
///   threads  any
class Haproxy final {
 public:
  /// `directory` (STATE/cloud/haproxy) gets the configuration, the runtime socket and the master's pid.
  Haproxy(std::filesystem::path directory, Log& log);
  Haproxy(const Haproxy&) = delete;
  Haproxy& operator=(const Haproxy&) = delete;
  ~Haproxy() = default;

  [[nodiscard]] std::string socket() const { return (directory_ / "s").string(); }
  /// Makes HAProxy run with this configuration: starts it, or reloads it (listening sockets are handed over, open requests end in the
  /// old workers). Returns when the new worker listens. Nothing happens when it runs with it already, unless `anew`.
  ///   returns  whether it was started or reloaded
  ///   throws  Error{unavailable}: not installed, or HAProxy's own words about the configuration
  bool apply(const std::string& configuration, bool anew = false);
  /// Whether workers of before the last reload still end their requests.
  [[nodiscard]] bool has_old_workers() const;
  /// One command for the runtime socket; returns what it printed. throws Error{unavailable}
  std::string command(const std::string& line);
  /// Ends master and workers; absence is fine.
  void stop();

 private:
  struct Master {
    pid_t pid = 0;
    unsigned long long ticks = 0;
  };
  [[nodiscard]] std::optional<Master> running() const;
  void start(const std::string& program, const std::string& mark);
  void reload(const Master& master, const std::string& mark);
  void wait_for_worker(const std::string& mark, std::optional<Master> reloading);
  std::string worker_mark();

  std::filesystem::path directory_;
  Log& log_;
  std::mutex mutex_;
  std::string applied_;  // guarded by mutex_
};

}  // namespace slipway::cloud::elb
