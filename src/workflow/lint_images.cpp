// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "workflow/lint_rules.hpp"

namespace slipway::workflow {
namespace {

constexpr const char* kMend = "name the image by the commit: ${{ github.sha }}";

// The references of a text that end in :latest.
bool names_latest(std::string_view text) {
  for (auto at = text.find(":latest"); at != std::string_view::npos;
       at = text.find(":latest", at + 1)) {
    auto after = at + 7;
    bool ends = after == text.size() ||
                std::string_view(" \t\r\n\"',;|&)@}").find(text[after]) != std::string_view::npos;
    if (ends && at > 0) return true;
  }
  return false;
}

bool is_image_command(std::string_view line) {
  for (std::string_view command :
       {"docker push", "docker build", "docker tag", "docker buildx", "podman push", "podman build",
        "buildah push", "skopeo copy", "slipway build", "crane ", "kubectl set image", "--image"}) {
    if (line.find(command) != std::string_view::npos) return true;
  }
  return false;
}

void check_run(const Step& step, LintReport& report) {
  for (auto line : lines_of(step.run.text)) {
    if (!is_image_command(line) || !names_latest(line)) continue;
    report.add(
        LintLevel::warning, "latest-tag", step.run.place,
        fmt::format("'{}' builds, pushes or deploys ':latest', which says nothing about what runs",
                    trim(line)),
        kMend);
  }
}

void check_uses(const Step& step, LintReport& report) {
  auto action = action_name(step.uses);
  const char* input = action == "docker/build-push-action" || action == "docker/metadata-action"
                          ? "tags"
                      : action == "aws-actions/amazon-ecs-render-task-definition" ? "image"
                                                                                  : nullptr;
  if (input == nullptr) return;
  const auto& value = step.with[input];
  bool is_latest = names_latest(value.text) || value.text.find("value=latest") != std::string::npos;
  if (!is_latest) return;
  bool renders = std::string_view(input) == "image";
  report.add(renders ? LintLevel::error : LintLevel::warning, "latest-tag", value.place,
             renders ? "the task definition gets ':latest': a restart may run other code"
                     : "the image is tagged ':latest', which says nothing about what runs",
             kMend);
}

void check_container(const Template& container, LintReport& report) {
  const auto& image = container.is_mapping() ? container["image"] : container;
  if (!image.is_string() || !names_latest(image.text)) return;
  report.add(LintLevel::note, "latest-tag", image.place,
             fmt::format("'{}' is another image every few weeks", image.text), "name a version");
}

bool is_secret_name(const std::string& name) {
  auto lower = to_lower(name);
  for (std::string_view part : {"password", "passwd", "secret", "token", "api_key", "apikey",
                                "private_key", "credential"}) {
    if (lower.find(part) != std::string::npos) return true;
  }
  return false;
}

// The line on which a quoted text first stands; 0 when it does not.
int line_of(std::string_view text, const std::string& quoted) {
  auto at = text.find(quoted);
  if (at == std::string_view::npos) return 0;
  return 1 + static_cast<int>(
                 std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

void check_container_definition(const formats::Json& container, std::string_view text,
                                const std::string& file, LintReport& report) {
  auto finding = [&](LintLevel level, const char* rule, const std::string& quoted,
                     std::string message, std::string mend) {
    report.add(LintFinding{file, line_of(text, quoted), 0, level, rule, std::move(message),
                           std::move(mend)});
  };
  for (const auto& variable : container.get_array("environment")) {
    auto name = variable.get_string("name");
    if (!is_secret_name(name) || variable.get_string("value").empty()) continue;
    finding(LintLevel::error, "plain-secret", "\"" + name + "\"",
            fmt::format("'{}' stands in the task definition for everyone to read", name),
            "keep it in Secrets Manager or SSM and name it under 'secrets' with valueFrom");
  }
  auto image = container.get_string("image");
  if (names_latest(image)) {
    finding(LintLevel::warning, "latest-tag", "\"" + image + "\"",
            fmt::format("'{}': a restart may run other code", image),
            "leave the image to the workflow, which names the commit");
  }
}

void check_task_definition(const std::string& file, const LintOptions& options,
                           LintReport& report) {
  auto text = options.read_file(file);
  if (!text) return;
  try {
    auto definition = formats::parse_json(*text, file);
    for (const auto& container : definition.get_array("containerDefinitions")) {
      check_container_definition(container, *text, file, report);
    }
  } catch (const Error& error) {
    report.add(LintFinding{file, 0, 0, LintLevel::error, "task-definition", error.what(), ""});
  }
}

}  // namespace

void lint_images(const Workflow& workflow, const LintOptions& options, LintReport& report) {
  for (const auto& job : workflow.jobs) {
    check_container(job.container, report);
    for (const auto& service : job.services.entries) check_container(service.value, report);
    for (const auto& step : job.steps) {
      check_run(step, report);
      check_uses(step, report);
      const auto& definition = step.with["task-definition"];
      if (definition.is_string() && options.read_file)
        check_task_definition(definition.text, options, report);
    }
  }
}

}  // namespace slipway::workflow
