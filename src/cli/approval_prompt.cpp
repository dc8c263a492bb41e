// SPDX-License-Identifier: Apache-2.0
#include "cli/approval_prompt.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/foreground.hpp"
#include "os/file.hpp"
#include "os/file_watch.hpp"
#include "os/process.hpp"
#include "os/stop_event.hpp"
#include "workflow/environment_gate.hpp"

namespace slipway::cli {
namespace {

using workflow::PendingApproval;

constexpr auto kLookForRequests = std::chrono::seconds(1);
constexpr int kLookForOthersMs = 300;  // whether somebody else has decided meanwhile

bool may_decide(const PendingApproval& pending, const std::string& name) {
  return !equals_ignoring_case(pending.barred, name) &&
         std::any_of(pending.reviewers.begin(), pending.reviewers.end(),
                     [&](const auto& reviewer) { return equals_ignoring_case(reviewer, name); });
}

bool still_waits(const std::filesystem::path& approvals, const std::string& job) {
  auto all = workflow::pending_approvals(approvals);
  return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.job == job; });
}

enum class Answer { yes, no, taken_back, no_terminal };

// The terminal is in its own line mode: a read gives a line.
Answer read_answer(const std::function<bool()>& still_asked, const std::function<void()>& ask_again,
                   const std::stop_token& stop) {
  os::StopEvent wake(stop);
  for (;;) {
    if (stop.stop_requested() || !still_asked()) return Answer::taken_back;
    if (!has_terminal_input()) return Answer::no_terminal;
    std::array<pollfd, 2> wanted{{{STDIN_FILENO, POLLIN, 0}, {wake.get(), POLLIN, 0}}};
    if (::poll(wanted.data(), wanted.size(), kLookForOthersMs) <= 0 || wanted[0].revents == 0)
      continue;
    std::array<char, 256> line{};
    auto count = ::read(STDIN_FILENO, line.data(), line.size());
    if (count <= 0) return Answer::no_terminal;
    auto word = to_lower(trim(std::string_view(line.data(), static_cast<std::size_t>(count))));
    if (word == "y" || word == "yes") return Answer::yes;
    if (word == "n" || word == "no") return Answer::no;
    ask_again();
  }
}

}  // namespace

std::string reviewer_name() {
  auto environment = os::environment();
  for (const char* name : {"SLIPWAY_USER", "SUDO_USER", "USER", "LOGNAME"}) {
    if (auto found = environment.find(name); found != environment.end() && !found->second.empty())
      return found->second;
  }
  return "root";
}

ApprovalPrompt::ApprovalPrompt(std::filesystem::path approvals, RunView& view)
    : approvals_(std::move(approvals)), view_(view), group_(std::stop_token{}) {
  if (!view_.can_ask() || !has_terminal_input()) return;
  os::make_dirs(approvals_);
  group_.start([this](const std::stop_token& stop) {
    try {
      watch(stop);
    } catch (const Error&) {
      // Nothing is asked any more; `slipway approve` still decides.
    }
  });
}

ApprovalPrompt::~ApprovalPrompt() { group_.stop(); }

void ApprovalPrompt::watch(const std::stop_token& stop) {
  auto name = reviewer_name();
  os::FileWatch files(approvals_);
  while (!stop.stop_requested()) {
    for (const auto& pending : workflow::pending_approvals(approvals_)) {
      if (!may_decide(pending, name)) continue;
      auto question = fmt::format("Approve the deployment of '{}' to '{}' as {}? [y/n] ",
                                  pending.job, pending.environment, name);
      view_.ask(question);
      auto answer = read_answer([&] { return still_waits(approvals_, pending.job); },
                                [&] { view_.ask(question); }, stop);
      view_.answered(answer == Answer::yes || answer == Answer::no);
      if (answer == Answer::no_terminal || stop.stop_requested()) return;
      if (answer == Answer::taken_back) continue;
      try {
        workflow::decide_approval(
            approvals_, pending.job,
            {.approved = answer == Answer::yes, .reviewer = name, .comment = {}});
      } catch (const Error&) {
        // Somebody else was faster.
      }
      // The job takes its request away when it has seen the answer.
      while (!stop.stop_requested() && still_waits(approvals_, pending.job))
        files.wait(stop, Deadline::in(kLookForRequests));
    }
    files.wait(stop, Deadline::in(kLookForRequests));
  }
}

}  // namespace slipway::cli
