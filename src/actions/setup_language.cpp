// SPDX-License-Identifier: Apache-2.0
#include "actions/setup_language.hpp"

#include <sys/utsname.h>

#include "actions/version_range.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::actions {
namespace {

namespace fs = std::filesystem;

std::optional<Installed> in_tool_cache(workflow::ActionContext& context, const Language& language,
                                       const std::string& range) {
  std::string inside = fmt::format("{}/{}", context.machine().paths().tool_cache, language.tool);
  fs::path outside = context.machine().outside(inside);
  std::optional<Installed> best;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(outside, none)) {
    std::string name = entry.path().filename();
    auto version = parse_version(name);
    auto bin = fmt::format("{}/bin", tool_architecture());
    if (!version || !satisfies(*version, range) ||
        !fs::exists(entry.path() / bin / language.program))
      continue;
    if (best && *parse_version(best->version) >= *version) continue;
    auto directory = fmt::format("{}/{}/{}", inside, name, bin);
    best = Installed{name, directory + "/" + language.program, directory};
  }
  return best;
}

// "v20.11.1", "Python 3.11.7".
std::optional<std::string> version_of(workflow::ActionContext& context,
                                      const std::string& program) {
  os::Exit exit;
  auto text = context.capture({program, "--version"}, exit);
  if (!exit.ok()) return std::nullopt;
  auto word = std::string(trim(text));
  if (auto at = word.rfind(' '); at != std::string::npos) word.erase(0, at + 1);
  if (word.starts_with('v')) word.erase(0, 1);
  return parse_version(word) ? std::optional(word) : std::nullopt;
}

}  // namespace

std::string tool_architecture() {
  utsname names{};
  uname(&names);
  return std::string_view(names.machine) == "aarch64" ? "arm64" : "x64";
}

Installed find_language(workflow::ActionContext& context, const Language& language,
                        const std::string& range) {
  if (auto cached = in_tool_cache(context, language, range)) return *cached;
  std::string path = context.env_or("PATH");
  std::vector<std::string> names = {language.program};
  names.insert(names.end(), language.candidates.begin(), language.candidates.end());
  std::vector<std::string> seen;
  for (const auto& name : names) {
    auto program = context.machine().find_program(name, path);
    if (!program) continue;
    auto version = version_of(context, *program);
    if (!version) continue;
    if (satisfies(*parse_version(*version), range))
      return {*version, *program, fs::path(*program).parent_path()};
    seen.push_back(fmt::format("{} ({})", *version, *program));
  }
  fail(Fault::not_found,
       "Unable to find {} version '{}' for architecture {}: this machine has {}; install it (so "
       "that `{} --version` is in the range) "
       "or put it into {}/{}/VERSION/{}",
       language.name, range, tool_architecture(),
       seen.empty() ? "none" : fmt::format("{}", fmt::join(seen, ", ")), language.program,
       context.machine().paths().tool_cache, language.tool, tool_architecture());
}

}  // namespace slipway::actions
