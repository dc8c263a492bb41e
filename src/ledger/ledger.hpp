// SPDX-License-Identifier: Apache-2.0
#pragma once
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
};
/// "running", "succeeded", "failed", "rolled back", "unknown".
std::string_view name_of(Verdict verdict);
/// Nothing for another text.
std::optional<Verdict> verdict_named(std::string_view name);

struct ReleasedImage {
  std::string container;
  std::string reference;  ///< as the task definition has it
  std::string digest;     ///< "sha256:…"; empty when not known
  bool operator==(const ReleasedImage&) const = default;
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
  std::string task_definition;           ///< ARN with its revision
  std::string previous_task_definition;  ///< what the service ran before; empty when nothing
  std::string deployment;                ///< "ecs-svc/…"; empty until the cloud accepted it
  std::string who;
  formats::Time started{};
  std::optional<formats::Time> ended;
  Verdict verdict = Verdict::running;
  std::string reason;  ///< one line; why it is not succeeded
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
};
/// SHA-256 in hexadecimal over previous, number, at, kind and body, each followed by a line break.
std::string hash_of(const Entry& entry);

/// What does not hold in the chain.
struct Broken {
  std::int64_t number = 0;  ///< of the first bad entry
  std::string what;
};

/// Who released what, and how it ended: entries that are only ever appended, each holding the hash of the one before.
/// What a function returned for is on disk.
///   threads  any, and several processes on one file
class Ledger final {
 public:
  /// Opens STATE/ledger.db, making it when it does not exist. throws Error{unavailable}
  explicit Ledger(const std::filesystem::path& file);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;
  ~Ledger();

  /// Journals the intent, before the cloud is asked. `release.id`, `ended` and `verdict` are ignored.
  ///   returns  its id
  std::int64_t begin(const Release& release);
  /// The cloud took it: `deployment` is what it called it; `images` replaces the intent's when not empty.
  void accepted(std::int64_t id, const std::string& deployment, const std::vector<ReleasedImage>& images = {});
  /// throws  Error{conflict} when the release is not known or has ended already
  void end(std::int64_t id, Verdict verdict, const std::string& reason);

  [[nodiscard]] std::optional<Release> find(std::int64_t id) const;
  /// The release begun last, however it ended.
  [[nodiscard]] std::optional<Release> latest(const std::string& environment, const std::string& service) const;
  /// The release that succeeded last: what the service should be running.
  [[nodiscard]] std::optional<Release> current(const std::string& environment, const std::string& service) const;
  /// The newest release that succeeded with this task definition ARN.
  [[nodiscard]] std::optional<Release> with_task_definition(const std::string& environment, const std::string& service,
                                                            const std::string& task_definition) const;
  /// Newest first. Empty `environment`: of all; empty `service`: of all.
  [[nodiscard]] std::vector<Release> history(const std::string& environment = "", const std::string& service = "",
                                             std::size_t most = 100) const;
  /// Sorted.
  [[nodiscard]] std::vector<std::string> environments() const;
  /// In the order in which they were first released.
  [[nodiscard]] std::vector<std::string> services(const std::string& environment) const;

  /// Appends another kind of entry. returns its number
  std::int64_t append(const std::string& kind, const formats::Json& body);
  [[nodiscard]] std::vector<Entry> entries(std::int64_t from = 1, std::size_t most = 1'000'000) const;
  /// Nothing when every entry, their order and their number are as they were written.
  [[nodiscard]] std::optional<Broken> verify() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::ledger
