// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace slipway::workflow {

/// Which commits the actions of a repository's workflows were: `slipway.lock` at its top, kept under version control.
///   threads  any
class ActionLock final {
 public:
  /// `file`  empty: nothing is recorded; `update`: what moved is recorded anew instead of being refused
  ActionLock(std::filesystem::path file, bool update);
  ActionLock(const ActionLock&) = delete;
  ActionLock& operator=(const ActionLock&) = delete;

  /// Notes that `name`@`ref` is `sha`.
  ///   is_tag   a tag stays where it is: another commit than the recorded one is refused; a branch's is recorded
  ///   throws   Error{denied} for a tag that moved
  void check(const std::string& name, const std::string& ref, const std::string& sha, bool is_tag);
  /// The commit on record.
  [[nodiscard]] std::optional<std::string> find(const std::string& name,
                                                const std::string& ref) const;

 private:
  void read();
  void write() const;

  std::filesystem::path file_;
  bool update_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> commits_;  // guarded by mutex_: "owner/name@ref" -> sha
};

}  // namespace slipway::workflow
