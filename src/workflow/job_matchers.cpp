// SPDX-License-Identifier: Apache-2.0
#include "workflow/job_matchers.hpp"

#include "base/error.hpp"
#include "os/file.hpp"

namespace slipway::workflow {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLargest = 1U << 20;

}  // namespace

std::string JobMatchers::inside(const std::string& path) const {
  auto whole = path.starts_with('/') ? fs::path(path) : fs::path(machine_.paths().workspace) / path;
  return whole.lexically_normal().string();
}

std::string JobMatchers::read(const std::string& path) const {
  auto outside = machine_.outside(inside(path));
  // What a link leads to is another file inside than outside.
  if (!fs::is_regular_file(fs::symlink_status(outside)))
    fail(Fault::not_found, "'{}' is no file", path);
  if (fs::file_size(outside) > kLargest) fail(Fault::bad_input, "'{}' is larger than 1 MiB", path);
  return os::read_file(outside);
}

std::string JobMatchers::place_of(const std::string& file, const std::string& from_path) const {
  auto base = from_path.empty() ? fs::path(machine_.paths().workspace)
                                : fs::path(inside(from_path)).parent_path();
  auto whole = inside((base / file).string());
  const auto& workspace = machine_.paths().workspace;
  if (!whole.starts_with(workspace + "/")) return "";
  try {
    std::error_code none;
    if (!fs::is_regular_file(fs::symlink_status(machine_.outside(whole), none))) return "";
  } catch (const Error&) {
    return "";  // a place of the job's container that cannot be looked at from here
  }
  return whole.substr(workspace.size() + 1);
}

}  // namespace slipway::workflow
