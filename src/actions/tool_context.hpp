// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>

#include "formats/json.hpp"
#include "workflow/action.hpp"
#include "workflow/job_tool.hpp"

namespace slipway::actions {

/// A call of a tool as a built-in action sees a step: what the action logs goes to the caller's stderr, as docker's progress does.
class ToolContext final : public workflow::ActionContext {
 public:
  /// `inputs` by name in lower case.
  ToolContext(workflow::ToolCall& call, std::map<std::string, std::string> inputs)
      : call_(call), inputs_(std::move(inputs)) {}

  [[nodiscard]] std::optional<std::string> input(std::string_view name) const override;
  [[nodiscard]] const std::map<std::string, std::string>& env() const override { return call_.env; }
  [[nodiscard]] const formats::Json& github() const override { return call_.github; }
  [[nodiscard]] std::optional<std::string> state(const std::string&) const override {
    return std::nullopt;
  }
  [[nodiscard]] workflow::JobMachine& machine() override { return call_.machine; }
  [[nodiscard]] std::string working_directory() override { return call_.cwd; }
  [[nodiscard]] const std::filesystem::path& source_repository() const override {
    return call_.repository;
  }
  [[nodiscard]] bool is_dirty_run() const override { return false; }
  [[nodiscard]] std::optional<std::string> route(std::string_view host) const override;
  [[nodiscard]] const std::filesystem::path& ca_bundle() const override { return call_.ca_bundle; }
  std::string id_token(const std::string& audience) override;
  [[nodiscard]] std::stop_token stop() const override { return call_.stop; }

  void set_output(const std::string& name, const std::string& value) override {
    outputs_[name] = value;
  }
  void set_env(const std::string&, const std::string&) override {}
  void add_path(const std::string&) override {}
  void save_state(const std::string&, const std::string&) override {}
  void mask(const std::string&) override {}
  void log(std::string_view text) override;
  void group(std::string_view) override {}
  void end_group() override {}
  void notice(const std::string& message, const workflow::AnnotationPlace& place) override;
  void warning(const std::string& message, const workflow::AnnotationPlace& place) override;
  void error(const std::string& message, const workflow::AnnotationPlace& place) override;
  void summary(std::string_view) override {}
  os::Exit run(const std::vector<std::string>& argv,
               const std::map<std::string, std::string>& more_env, const std::string& cwd) override;
  std::string capture(const std::vector<std::string>& argv, os::Exit& exit) override;

  /// What the action set, "" when it did not.
  [[nodiscard]] std::string output(const std::string& name) const;
  /// Text for the caller's stdout.
  void print(std::string_view text);

 private:
  workflow::ToolCall& call_;
  std::map<std::string, std::string> inputs_;
  std::map<std::string, std::string> outputs_;
};

}  // namespace slipway::actions
