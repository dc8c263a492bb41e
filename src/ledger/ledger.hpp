// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.hpp"
#include "formats/time.hpp"

namespace slipway::ledger {

/// How a release ended.
enum class Verdict {
  running,      ///< begun and not ended: still under way, or its process died
  succeeded,    ///< observed: its deployment became the only one and is healthy
  failed,       ///< did not become healthy; what ran before may still run beside it
  rolled_back,  ///< did not become healthy and what ran before runs again
  unknown,      ///< nobody waited for the end, or the watch was broken off
  lost,         ///< its process died before the end was seen
};
/// "running", "succeeded", "failed", "rolled back", "unknown", "lost".
std::string_view name_of(Verdict verdict);
/// Nothing for another text.
std::optional<Verdict> verdict_named(std::string_view name);

struct ReleasedImage {
  std::string container;
  std::string reference;  ///< as the task definition has it
  std::string digest;     ///< "sha256:…"; empty when not known
  bool operator==(const ReleasedImage&) const = default;
};

/// A secret that a task definition names, and the version of it that was current.
struct SecretVersion {
  std::string value_from;  ///< as the task definition has it
  std::string version;     ///< Secrets Manager's version id or SSM's number; empty when not known
  bool operator==(const SecretVersion&) const = default;
};

/// One service of one environment brought (or being brought) to a task definition.
struct Release {
  std::int64_t id = 0;      ///< of its first entry; grows with time
  std::string environment;  ///< "staging"
  std::string cluster;      ///< name, not ARN
  std::string service;      ///< name
  std::string region;
  std::string cause = "deploy";  ///< "deploy", "rollback", "promote"
  std::string sha;               ///< full commit; empty when not known
  std::string run_id;            ///< empty outside a run
  std::string test_verdict;      ///< "success", "failure", …; empty when not known
  std::vector<ReleasedImage> images;
  std::vector<SecretVersion> secrets;
  std::string task_definition;           ///< ARN with its revision; empty until it is registered
  std::string previous_task_definition;  ///< what the service ran before; empty when nothing
  std::string deployment;                ///< "ecs-svc/…"; empty until the cloud accepted it
  std::string who;
  formats::Time started{};
  std::optional<formats::Time> ended;
  Verdict verdict = Verdict::running;
  std::string reason;  ///< one line; why it is not succeeded
  formats::Json
      causes;  ///< structured, as deploy::to_json(Verdict) has them; null when there are none
  std::string changes;  ///< what it changes of what ran before, as text; empty when not known
  std::string
      trace_parent;        ///< the span that made it, as W3C's traceparent; empty: it is not traced
  std::int64_t epoch = 0;  ///< of the environment's lock that it is made under; 0: under none
  std::string process;     ///< who does it, see process.hpp; empty in entries of older versions
  bool is_issued = false;  ///< the cloud was about to be asked, or was
  bool is_settled = false;  ///< lost, and the cloud was asked afterwards what had become of it
};

/// Release as JSON, times in ISO 8601, empty members left out.
formats::Json to_json(const Release& release);

/// One line of the chain.
struct Entry {
  std::int64_t number = 0;  ///< 1, 2, 3, … without gaps
  std::string at;           ///< ISO 8601 with milliseconds
  std::string kind;         ///< "release.begun", "release.accepted", "release.ended", …
  std::string body;         ///< JSON on one line
  std::string previous;     ///< hash of the entry before; 64 zeros for the first
  std::string hash;         ///< see hash_of()
  std::string
      signature;  ///< Ed25519 over the hash's 64 digits, in base64; empty in entries of older versions
};
/// SHA-256 in hexadecimal over previous, number, at, kind and body, each followed by a line break.
std::string hash_of(const Entry& entry);

/// What does not hold in the chain.
struct Broken {
  std::int64_t number = 0;  ///< of the first bad entry
  std::string what;
};

/// What stands between a rollback and the next automatic deployment.
struct Pause {
  std::string at;  ///< ISO 8601
  std::string who;
  std::string reason;
};

/// A message that is still to be delivered.
struct Outgoing {
  std::int64_t id = 0;
  std::string place;  ///< whose settings: a repository's directory; empty in rows of older versions
  std::string sink;   ///< which of their notifications
  formats::Json body;
  int attempts = 0;
};

/// Who released what, and how it ended: entries that are only ever appended, each holding the hash of the one before and signed
/// with the key in ledger.key beside the file, which is made with the first entry. What a function returned for is on disk.
///   threads  any, and several processes on one file
class Ledger final {
 public:
  /// Opens STATE/ledger.db, making it when it does not exist; marks the running releases of processes that died as lost.
  ///   throws  Error{unavailable}
  explicit Ledger(const std::filesystem::path& file);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;
  ~Ledger();

  /// Journals the intent, before the cloud is asked. `release.id`, `ended` and `verdict` are ignored.
  ///   returns  its id
  std::int64_t begin(const Release& release);
  void registered(std::int64_t id, const std::string& task_definition);
  /// Journals that UpdateService is about to be called.
  ///   throws  Error{conflict} when the lock that the release is made under was taken over
  void issuing(std::int64_t id);
  /// The cloud took it: `deployment` is what it called it; `images` replaces the intent's when not empty.
  void accepted(std::int64_t id, const std::string& deployment,
                const std::vector<ReleasedImage>& images = {});
  /// throws  Error{conflict} when the release is not known or has ended already (a lost one may be ended)
  void end(std::int64_t id, Verdict verdict, const std::string& reason,
           const formats::Json& causes = {});
  /// The releases that were lost and that nobody has asked the cloud about, oldest first.
  [[nodiscard]] std::vector<Release> lost(const std::string& environment) const;

  [[nodiscard]] std::optional<Release> find(std::int64_t id) const;
  /// The release begun last, however it ended.
  [[nodiscard]] std::optional<Release> latest(const std::string& environment,
                                              const std::string& service) const;
  /// The release that succeeded last: what the service should be running.
  [[nodiscard]] std::optional<Release> current(const std::string& environment,
                                               const std::string& service) const;
  /// The newest release that succeeded with this task definition ARN.
  [[nodiscard]] std::optional<Release> with_task_definition(
      const std::string& environment, const std::string& service,
      const std::string& task_definition) const;
  /// Newest first. Empty `environment`: of all; empty `service`: of all.
  [[nodiscard]] std::vector<Release> history(const std::string& environment = "",
                                             const std::string& service = "",
                                             std::size_t most = 100) const;
  /// Sorted.
  [[nodiscard]] std::vector<std::string> environments() const;
  /// In the order in which they were first released.
  [[nodiscard]] std::vector<std::string> services(const std::string& environment) const;

  /// Appends another kind of entry. returns its number
  std::int64_t append(const std::string& kind, const formats::Json& body);
  [[nodiscard]] std::vector<Entry> entries(std::int64_t from = 1,
                                           std::size_t most = 1'000'000) const;
  /// Nothing when every entry, their order, number and signatures are as they were written, and what history() tells is what
  /// they say.
  [[nodiscard]] std::optional<Broken> verify() const;
  /// 32 bytes; empty when no entry was written yet.
  [[nodiscard]] std::string public_key() const;
  /// What was exported then still holds: {"entries", "head", "at", "signature"}. Makes the key if there is none.
  formats::Json checkpoint();

  /// 64 bytes: Ed25519 with the ledger's key, which must have been made.
  std::string sign(const std::string& message);

  // Automatic deployments of an environment.
  void pause(const std::string& environment, const std::string& who, const std::string& reason);
  /// False when it was not paused.
  bool resume(const std::string& environment, const std::string& who);
  [[nodiscard]] std::optional<Pause> paused(const std::string& environment) const;

  // The lock of an environment; use EnvironmentLock.
  struct LockAnswer {
    std::int64_t epoch = 0;  ///< 0: someone else has it
    std::string holder;      ///< who has it
  };
  LockAnswer try_lock(const std::string& environment, const std::string& owner,
                      std::chrono::milliseconds lease, bool take_over);
  bool renew_lock(const std::string& environment, std::int64_t epoch,
                  std::chrono::milliseconds lease);
  void unlock(const std::string& environment, std::int64_t epoch);
  [[nodiscard]] bool holds_lock(const std::string& environment, std::int64_t epoch) const;

  // Messages to be delivered once, after what they tell was recorded.
  void put_out(const std::string& place, const std::string& sink, const formats::Json& body);
  /// Those that are due, oldest first.
  [[nodiscard]] std::vector<Outgoing> outgoing() const;
  /// When the next message of a place is due, in the past too; nothing when none waits.
  [[nodiscard]] std::optional<formats::Time> next_outgoing(const std::string& place) const;
  /// Takes a message for `span`, in which nobody else delivers it. False: another process has, or it is gone.
  bool claim(const Outgoing& message, std::chrono::milliseconds span);
  void delivered(std::int64_t id);
  /// The thread that a notification's messages about `key` stand in; empty: none yet.
  [[nodiscard]] std::string thread(const std::string& sink, const std::string& key) const;
  void set_thread(const std::string& sink, const std::string& key, const std::string& thread);
  /// Tries again after `pause`; false: it was given up.
  bool not_delivered(std::int64_t id, std::chrono::milliseconds pause, int most_attempts);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::ledger
