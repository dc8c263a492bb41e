// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <stop_token>

#include "base/deadline.hpp"
#include "os/fd.hpp"

namespace slipway::os {

/// Tells when a file is written to, or when something appears or changes in a directory (inotify).
///   threads  one at a time
class FileWatch final {
 public:
  /// `path` must exist. throws Error{not_found, unavailable}
  explicit FileWatch(const std::filesystem::path& path);
  /// Waits for a change since the last call (or since construction).
  ///   returns  false when stopped or past the deadline
  bool wait(const std::stop_token& stop, Deadline deadline);

 private:
  Fd inotify_;
};

}  // namespace slipway::os
