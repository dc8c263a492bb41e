// SPDX-License-Identifier: Apache-2.0
#include "actions/working_tree.hpp"

#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::actions {
namespace {

namespace fs = std::filesystem;

void add_names(std::set<std::string>& names, const fs::path& tree, std::vector<std::string> words,
               const std::stop_token& stop) {
  std::vector<std::string> argv = {"git", "-C", tree.string(), "-c", "safe.directory=*"};
  argv.insert(argv.end(), words.begin(), words.end());
  auto done = os::capture({.argv = std::move(argv)}, stop, Deadline::in(std::chrono::minutes(5)));
  if (!done.exit.ok()) fail(Fault::failed, "git {}: {}", words.front(), trim(done.err));
  for (auto& name : split(done.out, '\0')) {
    if (!name.empty()) names.insert(std::move(name));
  }
}

}  // namespace

std::size_t copy_changes(const fs::path& tree, const fs::path& checkout,
                         const std::stop_token& stop) {
  std::set<std::string> names;
  add_names(names, tree, {"diff", "--name-only", "--no-renames", "-z", "--relative", "HEAD"}, stop);
  add_names(names, tree, {"ls-files", "-z", "--others", "--exclude-standard"}, stop);
  for (const auto& name : names) {
    fs::path from = tree / name;
    fs::path to = checkout / name;
    os::remove_tree(to);
    auto status = fs::symlink_status(from);
    if (!fs::exists(status)) continue;
    os::make_dirs(to.parent_path());
    fs::copy(from, to, fs::copy_options::copy_symlinks | fs::copy_options::recursive);
  }
  return names.size();
}

}  // namespace slipway::actions
