// SPDX-License-Identifier: Apache-2.0
#include "actions/aws_access.hpp"
#include "actions/builtin.hpp"
#include "actions/setup_language.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"

// actions/setup-node: the Node.js that the machine or its tool cache has; nothing is downloaded.
namespace slipway::actions {
namespace {

namespace fs = std::filesystem;
using workflow::ActionContext;

// source  nodejs.org, "Releases": the code names of the long-term lines
const std::map<std::string, std::string>& lts_lines() {
  static const std::map<std::string, std::string> kLines = {
      {"argon", "4"},   {"boron", "6"},    {"carbon", "8"},   {"dubnium", "10"},
      {"erbium", "12"}, {"fermium", "14"}, {"gallium", "16"}, {"hydrogen", "18"},
      {"iron", "20"},   {"jod", "22"},     {"krypton", "24"}};
  return kLines;
}

// package.json: volta.node, then devEngines, then engines.node.
std::string from_package(const std::string& text, const std::string& file) {
  auto package = formats::parse_json(text, file);
  if (const auto* volta = package.find("volta"); volta && !volta->get_string("node").empty())
    return volta->get_string("node");
  if (const auto* engines = package.find("engines");
      engines && !engines->get_string("node").empty())
    return engines->get_string("node");
  fail(Fault::bad_input, "'{}' names no Node.js version: neither volta.node nor engines.node",
       file);
}

std::string node_version_in(ActionContext& context, const std::string& name) {
  auto text = os::read_file_if_exists(job_file(context, name));
  if (!text)
    fail(Fault::not_found, "The specified node version file at: {} does not exist",
         job_path(context, name));
  if (fs::path(name).filename() == "package.json") return from_package(*text, name);
  for (auto line : lines_of(*text)) {
    auto word = trim(line.substr(0, line.find('#')));
    if (word.empty()) continue;
    for (std::string_view prefix :
         {"nodejs", "node", "v"}) {  // .tool-versions: "nodejs 20.1.0"; .nvmrc: "v20"
      if (word.starts_with(prefix) && word.size() > prefix.size())
        word = trim(word.substr(prefix.size()));
    }
    return std::string(word);
  }
  fail(Fault::bad_input, "'{}' names no version", name);
}

std::string range_of(std::string given) {
  given = std::string(trim(given));
  std::string lower = to_lower(given);
  if (lower.empty() || lower == "latest" || lower == "current" || lower == "node" ||
      lower == "lts/*")
    return "*";
  if (lower.starts_with("lts/")) {
    auto line = lts_lines().find(lower.substr(4));
    if (line == lts_lines().end()) fail(Fault::bad_input, "Unable to find LTS release '{}'", given);
    return line->second;
  }
  return given;
}

class SetupNode final : public workflow::Action {
 public:
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    return {{"node-version", std::nullopt},
            {"node-version-file", std::nullopt},
            {"architecture", std::nullopt},
            {"check-latest", "false"},
            {"always-auth", std::nullopt},
            {"registry-url", std::nullopt},
            {"scope", std::nullopt},
            {"token", std::nullopt},
            {"cache", std::nullopt},
            {"package-manager-cache", std::nullopt},
            {"cache-dependency-path", std::nullopt},
            {"mirror", std::nullopt},
            {"mirror-token", std::nullopt}};
  }

  [[nodiscard]] bool is_apart_from_services() const override { return true; }
  void run(ActionContext& context) override {
    auto given = context.text("node-version");
    if (given.empty() && !context.text("node-version-file").empty())
      given = node_version_in(context, context.text("node-version-file"));
    auto range = range_of(given);
    auto found = find_language(context,
                               {.name = "Node.js",
                                .tool = "node",
                                .program = "node",
                                .candidates = {"/usr/local/bin/node", "/usr/bin/node", "nodejs"}},
                               range);
    if (context.machine().find_program("node", context.env_or("PATH")) != found.program)
      context.add_path(found.directory);
    context.set_output("node-version", "v" + found.version);
    context.set_output("cache-hit", "false");
    context.log(fmt::format("Node.js {} ({}) satisfies '{}'", found.version, found.program,
                            given.empty() ? "*" : given));
    use_registry(context);
  }

 private:
  // source  actions/setup-node, src/authutil.ts
  static void use_registry(ActionContext& context) {
    std::string url = context.text("registry-url");
    if (url.empty()) return;
    if (!url.ends_with('/')) url += '/';
    std::string scope = context.text("scope");
    if (!scope.empty() && !scope.starts_with('@')) scope = "@" + scope;
    auto file = context.machine().paths().temp + "/.npmrc";
    auto without_scheme = url.substr(url.find(':') + 1);
    os::write_file(context.machine().outside(file),
                   fmt::format("{}:_authToken=${{NODE_AUTH_TOKEN}}\n{}registry={}\n",
                               without_scheme, scope.empty() ? "" : to_lower(scope) + ":", url));
    context.set_env("NPM_CONFIG_USERCONFIG", file);
    context.set_env("NODE_AUTH_TOKEN",
                    context.env_or("NODE_AUTH_TOKEN", "XXXXX-XXXXX-XXXXX-XXXXX"));
  }
};

}  // namespace

std::unique_ptr<workflow::Action> make_setup_node() { return std::make_unique<SetupNode>(); }

}  // namespace slipway::actions
