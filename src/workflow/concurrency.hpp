// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace slipway::workflow {

/// A place in a concurrency group, held until the object's end or the process's.
class GroupPlace {
 public:
  GroupPlace() = default;
  GroupPlace(const GroupPlace&) = delete;
  GroupPlace& operator=(const GroupPlace&) = delete;
  virtual ~GroupPlace() = default;
};

struct GroupRequest {
  std::string group;                ///< compared ignoring case
  bool cancel_in_progress = false;  ///< who runs now is asked to stop
  bool queues =
      false;  ///< `queue: max`: those that wait stay; else the newest takes the place of all others
  std::string who;  ///< for people: "run 12, job deploy"
};

/// Waits for its turn in a group that all processes on `directory` share: one runs, one waits; a newer one takes the place of who waits,
/// unless it queues.
///   on_wait    called once, when it has to wait, with who runs
///   on_cancel  called at most once, from another thread, when a newer one with cancel-in-progress wants the group
///   returns    nothing when a newer one took its place
///   throws     Cancelled
///   source     docs.github.com, "Control the concurrency of workflows and jobs"; facts d.23
std::unique_ptr<GroupPlace> enter_group(const std::filesystem::path& directory,
                                        const GroupRequest& request,
                                        const std::function<void(const std::string&)>& on_wait,
                                        std::function<void()> on_cancel, std::stop_token stop);

}  // namespace slipway::workflow
