// SPDX-License-Identifier: Apache-2.0
#include "deploy/bootstrap.hpp"

#include "aws/client.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/aws_access.hpp"
#include "cli/repository.hpp"
#include "cli/verbs.hpp"
#include "deploy/terraform.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

int bootstrap(const Invocation& given, Surroundings& around) {
  Project project = read_project(around, {}, "");
  if (!given.arguments.empty()) {
    std::erase_if(project.needs.environments,
                  [&](const auto& e) { return e.name != given.arguments[0]; });
    if (project.needs.environments.empty())
      fail(Fault::bad_input, "no workflow deploys to an environment '{}'", given.arguments[0]);
  }
  if (given.has("--terraform")) {
    print(deploy::to_terraform(project.needs));
    return 0;
  }
  aws::Client client(aws_access(around.state));
  deploy::ClientCalls calls(client);
  Json list = Json::array();
  auto steps = deploy::bootstrap(calls, project.needs, given.has("--dry-run"), {}, around.stop);
  for (const auto& step : steps) {
    Json item = Json::object({{"kind", step.kind}, {"name", step.name}, {"new", step.is_new}});
    if (!step.differs.empty()) {
      item["differs"] = Json::array();
      for (const auto& one : step.differs) item["differs"].push_back(one);
    }
    list.push_back(std::move(item));
    if (!around.json)
      print(fmt::format("{} {:<28} {}{}\n",
                        step.is_new            ? "+"
                        : step.differs.empty() ? "="
                                               : "~",
                        step.kind, step.name,
                        step.differs.empty() ? "" : ": " + join(step.differs, "; ")));
  }
  if (around.json) print(list.dump() + "\n");
  return 0;
}

}  // namespace

Verb bootstrap_verb() {
  return {.name = "bootstrap",
          .usage = "[ENV] [--dry-run] [--terraform]",
          .summary = "makes the AWS prerequisites that the workflow names",
          .options = {{"--dry-run", Option::Kind::flag, "", "only say what is missing"},
                      {"--terraform", Option::Kind::flag, "",
                       "print as Terraform; nothing is made or asked"}},
          .max_arguments = 1,
          .run = bootstrap};
}

}  // namespace slipway::cli
