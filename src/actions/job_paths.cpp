// SPDX-License-Identifier: Apache-2.0
#include "actions/job_paths.hpp"

#include <set>

#include "actions/aws_access.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::actions {
namespace {

// The job's own shell knows its file system best. IFS is empty, so that spaces in patterns stay.
constexpr const char* kExpand =
    "shopt -s globstar nullglob dotglob; IFS=; for p; do for f in $p; do [ -e \"$f\" ] || [ -L "
    "\"$f\" ] && printf '%s\\0' \"$f\"; done; done; true";

std::set<std::string> expand(workflow::ActionContext& context,
                             const std::vector<std::string>& patterns) {
  if (patterns.empty()) return {};
  std::vector<std::string> argv = {"bash", "-c", kExpand, "find-paths"};
  argv.insert(argv.end(), patterns.begin(), patterns.end());
  os::Exit exit;
  auto text = context.capture(argv, exit);
  if (!exit.ok())
    fail(Fault::failed, "expanding the paths '{}' failed with {}", fmt::join(patterns, "', '"),
         os::to_string(exit));
  std::set<std::string> found;
  for (auto& path : split(text, '\0')) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    if (!path.empty()) found.insert(std::move(path));
  }
  return found;
}

}  // namespace

FoundPaths find_paths(workflow::ActionContext& context, const std::vector<std::string>& patterns) {
  std::vector<std::string> wanted;
  std::vector<std::string> unwanted;
  for (const auto& pattern : patterns) {
    bool excludes = pattern.starts_with('!');
    (excludes ? unwanted : wanted)
        .push_back(job_path(context, excludes ? pattern.substr(1) : pattern));
  }
  FoundPaths found;
  for (const auto& path : expand(context, wanted)) {  // a directory comes before what is below it
    bool is_covered = std::any_of(found.paths.begin(), found.paths.end(),
                                  [&](const auto& known) { return path.starts_with(known + "/"); });
    if (!is_covered) found.paths.push_back(path);
  }
  auto excluded = expand(context, unwanted);
  std::erase_if(found.paths, [&](const auto& path) { return excluded.contains(path); });
  found.excluded.assign(excluded.begin(), excluded.end());
  return found;
}

}  // namespace slipway::actions
