// SPDX-License-Identifier: Apache-2.0
#include "workflow/own_repository.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/process.hpp"

namespace slipway::workflow {
namespace {

namespace fs = std::filesystem;

// Objects are hard links where the file systems allow it. Without the repository's own configuration, which may hold credentials.
void copy_repository(const fs::path& source, const fs::path& target, const std::stop_token& stop) {
  auto done = os::capture(
      {.argv = {"git", "-c", "safe.directory=*", "clone", "-q", "--bare", "-c",
                "uploadpack.allowAnySHA1InWant=true", "--", source.string(), target.string()}},
      stop, Deadline::in(std::chrono::minutes(10)));
  if (!done.exit.ok())
    fail(Fault::unavailable, "copying the repository for the job: {}", trim(done.err));
}

void add_git_setting(Variables& env, const std::string& key, const std::string& value) {
  auto count = to_integer(env["GIT_CONFIG_COUNT"]).value_or(0);
  env[fmt::format("GIT_CONFIG_KEY_{}", count)] = key;
  env[fmt::format("GIT_CONFIG_VALUE_{}", count)] = value;
  env["GIT_CONFIG_COUNT"] = std::to_string(count + 1);
}

}  // namespace

void offer_own_repository(JobState& job, Variables& env) {
  const auto& paths = job.machine->paths();
  auto inside = (fs::path(paths.temp).parent_path() / "_repository").string();
  auto outside = job.machine->outside(inside);
  if (!fs::exists(outside)) copy_repository(job.services.source, outside, job.stop);
  const auto& github = job.base.values.at("github");
  auto url = github.get("server_url").to_string() + "/" + github.get("repository").to_string();
  add_git_setting(env, fmt::format("url.file://{}.insteadOf", inside), url);
  add_git_setting(env, "safe.directory", inside);
}

}  // namespace slipway::workflow
