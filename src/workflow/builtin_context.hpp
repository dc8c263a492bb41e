// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "workflow/job_state.hpp"

namespace slipway::workflow {

/// What a built-in action sees of a step.
class BuiltinContext final : public ActionContext {
 public:
  BuiltinContext(JobState& job, StepCall& call, const Variables& inputs, ActionState& state);

  [[nodiscard]] std::optional<std::string> input(std::string_view name) const override;
  [[nodiscard]] const std::map<std::string, std::string>& env() const override { return env_; }
  [[nodiscard]] const formats::Json& github() const override { return github_; }
  [[nodiscard]] std::string environment() const override { return job_.environment; }
  [[nodiscard]] std::string trace_parent() const override;
  [[nodiscard]] std::optional<std::string> state(const std::string& name) const override;
  [[nodiscard]] JobMachine& machine() override { return *job_.machine; }
  [[nodiscard]] const std::filesystem::path& source_repository() const override {
    return job_.services.source;
  }
  [[nodiscard]] bool is_dirty_run() const override { return job_.order.dirty; }
  [[nodiscard]] std::optional<std::string> route(std::string_view host) const override;
  [[nodiscard]] const std::filesystem::path& ca_bundle() const override {
    return job_.services.ca_bundle;
  }
  std::string id_token(const std::string& audience) override;
  [[nodiscard]] std::stop_token stop() const override { return call_.stop; }

  void set_output(const std::string& name, const std::string& value) override;
  void set_env(const std::string& name, const std::string& value) override;
  void add_path(const std::string& directory) override;
  void save_state(const std::string& name, const std::string& value) override;
  void mask(const std::string& value) override;
  void log(std::string_view text) override;
  void group(std::string_view title) override;
  void end_group() override;
  void notice(const std::string& message, const AnnotationPlace& place) override;
  void warning(const std::string& message, const AnnotationPlace& place) override;
  void error(const std::string& message, const AnnotationPlace& place) override;
  void summary(std::string_view markdown) override;
  os::Exit run(const std::vector<std::string>& argv,
               const std::map<std::string, std::string>& more_env, const std::string& cwd) override;
  std::string capture(const std::vector<std::string>& argv, os::Exit& exit) override;

 private:
  JobState& job_;
  StepCall& call_;
  const Variables& inputs_;  // names in lower case
  ActionState& state_;
  Variables env_;
  formats::Json github_;
};

}  // namespace slipway::workflow
