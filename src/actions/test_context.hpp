// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"
#include "os/process.hpp"
#include "workflow/action.hpp"

namespace slipway::actions {

/// A job whose machine is a temporary directory on this one: what it runs, runs here.
class TestMachine final : public workflow::JobMachine {
 public:
  explicit TestMachine(const std::filesystem::path& root) {
    paths_ = {.workspace = root / "work/app/app",
              .work = root / "work/app",
              .temp = root / "temp",
              .tool_cache = root / "tools",
              .actions = root / "actions",
              .home = root / "home"};
    for (const auto& path :
         {paths_.workspace, paths_.temp, paths_.tool_cache, paths_.actions, paths_.home})
      os::make_dirs(path);
  }
  os::Exit exec(const workflow::MachineCommand& command, const workflow::OutputSink& sink,
                std::stop_token stop) override {
    auto process = os::Process::spawn({.argv = command.argv,
                                       .env = command.env,
                                       .cwd = command.cwd,
                                       .stdin_fd = command.stdin_fd,
                                       .stdout_fd = command.stdout_fd});
    return process.run(stop, Deadline::in(std::chrono::seconds(60)), std::chrono::seconds(1), sink);
  }
  [[nodiscard]] std::optional<std::string> find_program(const std::string& name,
                                                        const std::string& path) const override {
    if (name.find('/') != std::string::npos)
      return std::filesystem::exists(name) ? std::optional(name) : std::nullopt;
    for (const auto& directory : split(path, ':')) {
      if (std::filesystem::exists(directory + "/" + name)) return directory + "/" + name;
    }
    return std::nullopt;
  }
  [[nodiscard]] std::filesystem::path outside(const std::string& inside) const override {
    return inside;
  }
  [[nodiscard]] const workflow::MachinePaths& paths() const override { return paths_; }
  [[nodiscard]] bool is_job_container() const override { return false; }
  [[nodiscard]] const std::map<std::string, std::string>& base_env() const override { return env_; }
  workflow::RunningService start_service(const workflow::ContainerOrder&,
                                         const workflow::OutputSink&, std::stop_token) override {
    fail(Fault::unsupported, "no services here");
  }
  os::Exit run_container(const workflow::ContainerOrder&, const std::vector<std::string>&,
                         const std::vector<std::string>&, const workflow::OutputSink&,
                         std::stop_token) override {
    fail(Fault::unsupported, "no containers here");
  }

 private:
  workflow::MachinePaths paths_;
  std::map<std::string, std::string> env_;
};

/// One use of an action, and everything that came of it.
class TestContext final : public workflow::ActionContext {
 public:
  TestContext()
      : machine_(directory_.path()),
        environment_{{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                     {"HOME", machine_.paths().home}} {
    github_ = formats::Json::object({{"repository", "acme/app"},
                                     {"server_url", "https://github.com"},
                                     {"ref", "refs/heads/main"},
                                     {"sha", std::string(40, 'a')},
                                     {"run_id", "7"},
                                     {"actor", "ann"},
                                     {"event_name", "push"},
                                     {"event", formats::Json::object()}});
  }

  /// Runs the main stage with these inputs; the standards of the action stand for the others.
  void run(workflow::Action& action, const std::map<std::string, std::string>& inputs) {
    inputs_ = inputs;
    for (const auto& input : action.inputs()) {
      if (!input.standard || inputs_.contains(input.name)) continue;
      auto value = replace_all(*input.standard, "${{ github.repository }}",
                               github_.get_string("repository"));
      value = replace_all(value, "${{ github.run_id }}", github_.get_string("run_id"));
      inputs_[input.name] = replace_all(value, "${{ github.token }}", "t");
    }
    action.run(*this);
  }

  [[nodiscard]] std::optional<std::string> input(std::string_view name) const override {
    auto found = inputs_.find(std::string(name));
    return found == inputs_.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] const std::map<std::string, std::string>& env() const override {
    return environment_;
  }
  [[nodiscard]] const formats::Json& github() const override { return github_; }
  [[nodiscard]] std::string environment() const override { return "staging"; }
  [[nodiscard]] std::optional<std::string> state(const std::string& name) const override {
    auto found = saved.find(name);
    return found == saved.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] workflow::JobMachine& machine() override { return machine_; }
  [[nodiscard]] const std::filesystem::path& source_repository() const override { return source; }
  [[nodiscard]] bool is_dirty_run() const override { return dirty; }
  [[nodiscard]] std::optional<std::string> route(std::string_view) const override {
    return std::nullopt;
  }
  [[nodiscard]] const std::filesystem::path& ca_bundle() const override { return none_; }
  std::string id_token(const std::string& audience) override {
    if (token.empty()) fail(Fault::denied, "no permission id-token: write");
    asked_audience = audience;
    return token;
  }
  [[nodiscard]] std::stop_token stop() const override { return {}; }

  void set_output(const std::string& name, const std::string& value) override {
    outputs[name] = value;
  }
  void set_env(const std::string& name, const std::string& value) override {
    environment_[name] = value;
  }
  void add_path(const std::string& path) override { added_paths.push_back(path); }
  void save_state(const std::string& name, const std::string& value) override {
    saved[name] = value;
  }
  void mask(const std::string& value) override { masked.push_back(value); }
  void log(std::string_view text) override { lines.emplace_back(text); }
  void group(std::string_view) override {}
  void end_group() override {}
  void notice(const std::string& message, const workflow::AnnotationPlace&) override {
    lines.push_back(message);
  }
  void warning(const std::string& message, const workflow::AnnotationPlace&) override {
    warnings.push_back(message);
  }
  void error(const std::string& message, const workflow::AnnotationPlace&) override {
    lines.push_back(message);
  }
  void summary(std::string_view) override {}
  os::Exit run(const std::vector<std::string>& argv, const std::map<std::string, std::string>& more,
               const std::string& cwd) override {
    auto all = environment_;
    for (const auto& [name, value] : more) all[name] = value;
    return machine_.exec({.argv = argv,
                          .env = all,
                          .cwd = cwd.empty() ? machine_.paths().workspace : cwd,
                          .ladder = {}},
                         [&](std::string_view text) { log(text); }, {});
  }
  std::string capture(const std::vector<std::string>& argv, os::Exit& exit) override {
    std::string text;
    exit = machine_.exec(
        {.argv = argv, .env = environment_, .cwd = machine_.paths().workspace, .ladder = {}},
        [&](std::string_view part) { text += part; }, {});
    return text;
  }

  [[nodiscard]] std::filesystem::path workspace() const { return machine_.paths().workspace; }
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_.path(); }
  formats::Json& event_facts() { return github_; }
  [[nodiscard]] bool is_masked(const std::string& value) const {
    return std::find(masked.begin(), masked.end(), value) != masked.end();
  }

  std::map<std::string, std::string> outputs;
  std::map<std::string, std::string> saved;
  std::vector<std::string> added_paths;
  std::vector<std::string> masked;
  std::vector<std::string> lines;
  std::vector<std::string> warnings;
  std::filesystem::path source;
  bool dirty = false;
  std::string token;
  std::string asked_audience;

 private:
  os::TempDir directory_;
  TestMachine machine_;
  std::map<std::string, std::string> environment_;
  std::map<std::string, std::string> inputs_;
  formats::Json github_;
  std::filesystem::path none_;
};

}  // namespace slipway::actions
