// SPDX-License-Identifier: Apache-2.0
#include "workflow/environment_gate.hpp"

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"
#include "os/file_watch.hpp"
#include "workflow/filter.hpp"
#include "workflow/job_runner.hpp"

// A request is a file, JOB.json, that the job writes; the answer is JOB.decision.json, that `slipway approve` writes beside it.
namespace slipway::workflow {
namespace {

namespace fs = std::filesystem;
using formats::Json;

constexpr auto kAskAgain = std::chrono::seconds(1);
constexpr std::string_view kBranch = "refs/heads/";
constexpr std::string_view kTag = "refs/tags/";
constexpr std::string_view kDecided = ".decision.json";

bool may_deploy(const Protection& protection, const std::string& ref) {
  if (protection.branches.empty() && protection.tags.empty()) return true;
  bool is_tag = ref.starts_with(kTag);
  auto name = ref.substr(is_tag ? kTag.size() : ref.starts_with(kBranch) ? kBranch.size() : 0);
  const auto& patterns = is_tag ? protection.tags : protection.branches;
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const auto& pattern) { return matches_filter(pattern, name); });
}

PendingApproval pending_from(const Json& json) {
  PendingApproval pending{.job = json.get_string("job"),
                          .environment = json.get_string("environment"),
                          .reviewers = {},
                          .barred = json.get_string("barred")};
  for (const auto& name : json.get_array("reviewers"))
    pending.reviewers.push_back(name.as_string());
  return pending;
}

fs::path request_file(const fs::path& approvals, const std::string& job) {
  return approvals / (file_name_of(job) + ".json");
}
fs::path decision_file(const fs::path& approvals, const std::string& job) {
  return approvals / (file_name_of(job) + std::string(kDecided));
}

std::optional<Decision> decision_of(const GateRequest& request) {
  auto text = os::read_file_if_exists(decision_file(request.approvals, request.job));
  if (!text) return std::nullopt;
  auto json = formats::parse_json(*text, "decision");
  return Decision{.approved = json.get_bool("approved"),
                  .reviewer = json.get_string("reviewer"),
                  .comment = json.get_string("comment")};
}

Decision wait_for_review(const GateRequest& request, const std::stop_token& stop) {
  os::make_dirs(request.approvals);
  auto reviewers = Json::array();
  for (const auto& name : request.protection.reviewers) reviewers.push_back(name);
  auto file = request_file(request.approvals, request.job);
  os::write_file_durably(
      file, Json::object({{"job", request.job},
                          {"environment", request.environment},
                          {"reviewers", reviewers},
                          {"barred", request.protection.prevent_self_review ? request.actor : ""}})
                .pretty());
  struct Removed {
    const fs::path& file;
    ~Removed() {
      std::error_code none;
      fs::remove(file, none);
    }
  } removed{file};
  os::FileWatch watch(request.approvals);
  for (;;) {
    if (auto decision = decision_of(request)) return *decision;
    watch.wait(stop, Deadline::in(kAskAgain));
    if (stop.stop_requested()) throw Cancelled();
  }
}

}  // namespace

std::optional<std::string> pass_gate(const GateRequest& request,
                                     const std::function<void(const std::string&)>& on_wait,
                                     const std::stop_token& stop) {
  const auto& protection = request.protection;
  if (!may_deploy(protection, request.ref)) {
    auto short_ref = request.ref.substr(request.ref.starts_with(kTag)      ? kTag.size()
                                        : request.ref.starts_with(kBranch) ? kBranch.size()
                                                                           : 0);
    return fmt::format(
        "{} \"{}\" is not allowed to deploy to {} due to environment protection rules.",
        request.ref.starts_with(kTag) ? "Tag" : "Branch", short_ref, request.environment);
  }
  if (!protection.reviewers.empty()) {
    on_wait(fmt::format(
        "waiting for an approval of environment '{}' by {}: slipway approve {} '{}'",
        request.environment, join(protection.reviewers, ", "), request.run, request.job));
    auto decision = wait_for_review(request, stop);
    auto comment = decision.comment.empty() ? "" : ": " + decision.comment;
    if (!decision.approved)
      return fmt::format("{} rejected the deployment to {}{}", decision.reviewer,
                         request.environment, comment);
    on_wait(fmt::format("{} approved the deployment to {}{}", decision.reviewer,
                        request.environment, comment));
  }
  if (protection.wait_minutes > 0) {
    on_wait(fmt::format("environment '{}' waits for {} minutes", request.environment,
                        protection.wait_minutes));
    Guarded<bool> never;
    never.wait(
        stop, Deadline::in(std::chrono::minutes(protection.wait_minutes)),
        [](bool over) { return over; }, [](bool) {});
    if (stop.stop_requested()) throw Cancelled();
  }
  return std::nullopt;
}

std::vector<PendingApproval> pending_approvals(const fs::path& approvals) {
  std::vector<PendingApproval> pending;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(approvals, none)) {
    auto name = entry.path().filename().string();
    if (!name.ends_with(".json") || name.ends_with(kDecided)) continue;
    auto text = os::read_file_if_exists(entry.path());
    if (text) pending.push_back(pending_from(formats::parse_json(*text, name)));
  }
  std::sort(pending.begin(), pending.end(),
            [](const auto& a, const auto& b) { return a.job < b.job; });
  return pending;
}

void decide_approval(const fs::path& approvals, const std::string& job, const Decision& decision) {
  auto all = pending_approvals(approvals);
  auto found = std::find_if(all.begin(), all.end(),
                            [&](const auto& one) { return equals_ignoring_case(one.job, job); });
  if (found == all.end()) fail(Fault::not_found, "job '{}' does not wait for an approval", job);
  bool is_reviewer =
      std::any_of(found->reviewers.begin(), found->reviewers.end(),
                  [&](const auto& name) { return equals_ignoring_case(name, decision.reviewer); });
  if (!is_reviewer)
    fail(Fault::denied, "'{}' is no reviewer of environment '{}': {} may approve",
         decision.reviewer, found->environment, join(found->reviewers, ", "));
  if (equals_ignoring_case(found->barred, decision.reviewer))
    fail(Fault::denied, "'{}' started the run and may not approve its deployment to '{}'",
         decision.reviewer, found->environment);
  os::write_file_durably(decision_file(approvals, found->job),
                         Json::object({{"approved", decision.approved},
                                       {"reviewer", decision.reviewer},
                                       {"comment", decision.comment}})
                             .pretty());
}

}  // namespace slipway::workflow
