// SPDX-License-Identifier: Apache-2.0
#include "workflow/check_call.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace slipway::workflow {
namespace {

bool has_type(const Template& value, const std::string& type) {
  if (value.is_expression() || type == "string") return true;
  return value.kind == (type == "boolean" ? Template::Kind::boolean : Template::Kind::number);
}

void check_inputs(const Job& job, const Trigger& call, Findings& findings) {
  for (const auto& input : call.inputs) {
    const auto& value = job.inputs[input.name];
    if (!value.is_absent()) {
      if (!has_type(value, input.type))
        findings.add(value.place, fmt::format("Unexpected value '{}'", value.text));
    } else if (input.required) {
      findings.add(
          job.uses_place,
          fmt::format("Input {} is required, but not provided while calling.", input.name));
    }
  }
  for (const auto& entry : job.inputs.entries) {
    bool is_declared = false;
    for (const auto& input : call.inputs) {
      is_declared = is_declared || compare_ignoring_case(input.name, entry.key.text) == 0;
    }
    if (!is_declared) {
      findings.add(entry.value.place,
                   fmt::format("Invalid input, {} is not defined in the referenced workflow.",
                               entry.key.text));
    }
  }
}

void check_secrets(const Job& job, const Trigger& call, Findings& findings) {
  if (job.secrets.inherit) return;
  for (const auto& secret : call.secrets) {
    if (secret.required && job.secrets.map[secret.name].is_absent()) {
      findings.add(
          job.uses_place,
          fmt::format("Secret {} is required, but not provided while calling.", secret.name));
    }
  }
  for (const auto& entry : job.secrets.map.entries) {
    bool is_declared = false;
    for (const auto& secret : call.secrets) {
      is_declared = is_declared || compare_ignoring_case(secret.name, entry.key.text) == 0;
    }
    if (!is_declared) {
      findings.add(entry.value.place,
                   fmt::format("Invalid secret, {} is not defined in the referenced workflow.",
                               entry.key.text));
    }
  }
}

Access by_policy(const std::string& scope, bool limited) {
  if (!limited) return Access::write;
  return scope == "contents" || scope == "packages" ? Access::read : Access::none;
}

// What `requested` asks for and `allowed` has not, as GitHub says it; empty when nothing.
std::string violation(const Permissions& requested, const Permissions& allowed, bool limited) {
  std::vector<std::string> wants;
  std::vector<std::string> gets;
  for (const auto& scope : permission_scopes()) {
    auto want = requested.of(scope, Access::none);
    auto have = allowed.of(scope, by_policy(scope, limited));
    if (want <= have) continue;
    wants.push_back(fmt::format("{}: {}", scope, name_of(want)));
    gets.push_back(fmt::format("{}: {}", scope, name_of(have)));
  }
  if (wants.empty()) return "";
  return fmt::format("is requesting '{}', but is only allowed '{}'.", join(wants, ", "),
                     join(gets, ", "));
}

void check_permissions(const Job& job, const Workflow& callee, bool limited, Findings& findings) {
  auto start = fmt::format("Error calling workflow '{}'.", job.uses);
  if (callee.permissions.given) {
    auto wrong = violation(callee.permissions, job.permissions, limited);
    if (!wrong.empty())
      findings.add(job.place, fmt::format("{} The workflow '{}' {}", start, job.uses, wrong));
  }
  for (const auto& inner : callee.jobs) {
    bool is_own = inner.permissions.given && inner.permissions.place != callee.permissions.place;
    if (!is_own) continue;
    auto wrong = violation(inner.permissions, job.permissions, limited);
    auto name = inner.name.is_string() && !inner.name.text.empty() ? inner.name.text : inner.id;
    if (!wrong.empty())
      findings.add(job.place, fmt::format("{} The nested job '{}' {}", start, name, wrong));
  }
}

}  // namespace

const std::vector<std::string>& permission_scopes() {
  static const std::vector<std::string> scopes = {
      "actions",       "artifact-metadata",   "attestations", "checks",          "contents",
      "deployments",   "discussions",         "issues",       "packages",        "pages",
      "pull-requests", "repository-projects", "statuses",     "security-events", "id-token",
      "models",        "vulnerability-alerts"};
  return scopes;
}

std::vector<std::string> permission_lines(const Permissions& permissions) {
  std::vector<std::string> lines;
  for (const auto& scope : permission_scopes()) {
    auto access = permissions.of(scope, Access::none);
    if (access == Access::none) continue;
    std::string name;
    for (auto word : split(scope, '-'))
      name += to_upper(word.substr(0, 1)) + std::string(word.substr(1));
    lines.push_back(fmt::format("{}: {}", name, name_of(access)));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::string_view name_of(Access access) {
  return access == Access::write ? "write" : access == Access::read ? "read" : "none";
}

void check_call(const Job& job, const Workflow& callee, bool limited, Findings& findings) {
  const auto* call = callee.find_trigger("workflow_call");
  if (call == nullptr) {
    findings.add(job.uses_place, "workflow_call key is not defined in the referenced workflow.");
    return;
  }
  check_inputs(job, *call, findings);
  check_secrets(job, *call, findings);
  check_permissions(job, callee, limited, findings);
}

}  // namespace slipway::workflow
