// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/repository.hpp"
#include "cli/scaffold.hpp"
#include "cli/verbs.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

// "owner/name" of a GitHub remote; empty when there is none.
std::string origin_of(const std::filesystem::path& top, const std::stop_token& stop) {
  auto answer = os::capture({.argv = {"git", "remote", "get-url", "origin"}, .cwd = top.string()},
                            stop, Deadline::in(std::chrono::seconds(10)));
  if (!answer.exit.ok()) return "";
  std::string url(trim(answer.out));
  if (url.ends_with(".git")) url.resize(url.size() - 4);
  auto parts = split(replace_all(url, ":", "/"), '/');
  return parts.size() < 2 ? "" : parts[parts.size() - 2] + "/" + parts.back();
}

int init(const Invocation& given, Surroundings& around) {
  auto top = repository_top(around.cwd, around.stop);
  ScaffoldOptions options;
  if (auto account = given.value("--account")) options.account = *account;
  if (auto region = given.value("--region")) options.region = *region;
  if (options.account.size() != 12 ||
      options.account.find_first_not_of("0123456789") != std::string::npos)
    fail(Fault::bad_input, "--account takes twelve digits, not '{}'", options.account);
  auto app = find_app(top, origin_of(top, around.stop), given.value_or("--frontend", ""),
                      given.value_or("--backend", ""));
  Json list = Json::array();
  for (const auto& file : scaffold(app, options)) {
    bool is_there = std::filesystem::exists(top / file.path);
    bool writes = !is_there || given.has("--force");
    if (writes) {
      os::make_dirs((top / file.path).parent_path());
      os::write_file(top / file.path, file.text);
    }
    list.push_back(Json::object({{"path", file.path}, {"written", writes}}));
    if (!around.json) print(fmt::format("{} {}\n", writes ? "+" : "=", file.path));
  }
  if (around.json) {
    print(list.dump() + "\n");
    return 0;
  }
  if (app.backend && app.backend->health_path.empty() &&
      app.backend->kind == BackendFound::Kind::django) {
    print_error(
        "the backend has no path for health checks (healthz, health): the load balancer asks /, "
        "which must answer 200 for any host name\n");
  }
  print_error("next: git add -A && git commit, then slipway lint, slipway up\n");
  return 0;
}

}  // namespace

Verb init_verb() {
  return {
      .name = "init",
      .usage =
          "[--frontend nextjs] [--backend fastapi|django] [--account ID] [--region R] [--force]",
      .summary =
          "writes Dockerfiles, workflow, task definitions, trust policy for the app found here",
      .options = {{"--frontend", Option::Kind::value, "NAME", "nextjs: it must be there"},
                  {"--backend", Option::Kind::value, "NAME", "fastapi or django: it must be there"},
                  {"--account", Option::Kind::value, "ID",
                   "the AWS account; default 123456789012, the local AWS's"},
                  {"--region", Option::Kind::value, "R", "default us-east-1"},
                  {"--force", Option::Kind::flag, "", "also over files that are there"}},
      .max_arguments = 0,
      .run = init};
}

}  // namespace slipway::cli
