// SPDX-License-Identifier: Apache-2.0
#include "workflow/action_lock.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"

namespace slipway::workflow {
namespace {

using formats::Json;

constexpr std::string_view kAbout =
    "The commits of the actions that this repository's workflows use. Written by slipway run; see "
    "docs/run.md.";

std::string key_of(const std::string& name, const std::string& ref) {
  return to_lower(name) + "@" + ref;
}

}  // namespace

ActionLock::ActionLock(std::filesystem::path file, bool update)
    : file_(std::move(file)), update_(update) {
  read();
}

void ActionLock::read() {
  auto text = file_.empty() ? std::nullopt : os::read_file_if_exists(file_);
  if (!text) return;
  auto json = formats::parse_json(*text, file_.filename().string());
  const auto* actions = json.find("actions");
  if (!actions) return;
  for (const auto& [name, sha] : actions->as_object()) commits_[name] = sha.as_string();
}

void ActionLock::write() const {
  auto actions = Json::object();
  for (const auto& [name, sha] : commits_) actions[name] = sha;
  os::replace_file(
      file_,
      Json::object({{"about", kAbout}, {"version", 1}, {"actions", actions}}).pretty() + "\n");
}

void ActionLock::check(const std::string& name, const std::string& ref, const std::string& sha,
                       bool is_tag) {
  if (file_.empty()) return;
  std::lock_guard lock(mutex_);
  auto& known = commits_[key_of(name, ref)];
  if (known == sha) return;
  if (!known.empty() && is_tag && !update_) {
    fail(Fault::denied,
         "the tag {}@{} was moved: {} has {} on record, the server says {}. If you trust the new "
         "commit, run with --update-lock",
         name, ref, file_.filename().string(), known, sha);
  }
  known = sha;
  write();
}

std::optional<std::string> ActionLock::find(const std::string& name, const std::string& ref) const {
  std::lock_guard lock(mutex_);
  auto found = commits_.find(key_of(name, ref));
  if (found == commits_.end()) return std::nullopt;
  return found->second;
}

}  // namespace slipway::workflow
