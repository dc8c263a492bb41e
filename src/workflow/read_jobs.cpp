// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "workflow/read_parts.hpp"
#include "workflow/step_ids.hpp"

namespace slipway::workflow {
namespace {

class JobReader final {
 public:
  explicit JobReader(Findings& findings) : findings_(findings) {}

  std::vector<Job> read(Template& jobs) {
    std::vector<Job> result;
    result.reserve(jobs.entries.size());
    for (auto& entry : jobs.entries) {
      if (!entry.key.is_string()) continue;
      if (auto wrong = ids_.add(entry.key.text);
          !wrong.empty() && !findings_.has(entry.key.place)) {
        findings_.add(entry.key.place, wrong);
      }
      if (entry.value.is_mapping()) result.push_back(read_job(entry.key, entry.value));
    }
    return result;
  }

 private:
  Job read_job(const Template& id, Template& value) {
    const auto& schema = workflow_schema();
    Job job;
    job.id = id.text;
    job.place = id.place;
    job.name = value.take("name");
    read_needs(value["needs"], job);
    job.condition = read_condition(value["if"], schema.at("job-if").available, true, findings_);
    job.permissions = read_permissions(value["permissions"]);
    job.concurrency = value.take("concurrency");
    job.environment = value.take("environment");
    job.strategy = value.take("strategy");
    job.runs_on = value.take("runs-on");
    job.env = value.take("env");
    job.defaults = read_defaults(value["defaults"]);
    job.container = value.take("container");
    job.services = value.take("services");
    job.outputs = value.take("outputs");
    job.timeout_minutes = value.take("timeout-minutes");
    job.continue_on_error = value.take("continue-on-error");
    job.cancel_timeout_minutes = value.take("cancel-timeout-minutes");
    auto steps = value.take("steps");
    job.steps = read_steps(steps, schema.at("step-if").available, findings_);
    job.uses = value["uses"].text;
    job.uses_place = value["uses"].place;
    job.inputs = value.take("with");
    const auto& secrets = value["secrets"];
    job.secrets.inherit = secrets.is_string();  // "inherit"; the schema has reported any other word
    if (secrets.is_mapping()) job.secrets.map = secrets;
    check(job);
    check_snapshot(value["snapshot"]);
    return job;
  }

  static void read_needs(const Template& needs, Job& job) {
    auto add = [&](const Template& one) {
      job.needs.push_back(one.text);
      job.needs_places.push_back(one.place);
    };
    if (needs.is_string()) add(needs);
    for (const auto& item : needs.items) add(item);
  }

  void check(const Job& job) {
    check_group(job.runs_on["group"]);
    check_concurrency(job.concurrency, findings_);
    check_matrix(job.strategy["matrix"]);
    check_container(job.container, false);
    for (const auto& service : job.services.entries) check_container(service.value, true);
  }

  // Read and passed over, but held to its form: "2.*".
  void check_snapshot(const Template& snapshot) {
    const auto& version = snapshot["version"];
    if (version.is_string()) {
      auto parts = split(version.text, '.');
      bool has_major =
          !parts[0].empty() && parts[0].find_first_not_of("0123456789") == std::string::npos;
      if (parts.size() != 2 || parts[1] != "*" || !has_major) {
        findings_.add(
            snapshot.place,
            fmt::format("Expected format '{{major-version}}.*' Actual '{}'", version.text));
      }
    }
    if (!snapshot["if"].is_absent()) {
      read_condition(snapshot["if"], workflow_schema().at("snapshot-if").available, false,
                     findings_);
    }
  }

  void check_group(const Template& group) {
    if (!group.is_string()) return;
    auto names = split(group.text, '/');
    if (names.size() == 2 && names[1].empty()) {
      findings_.add(group.place, fmt::format("Invalid runs-on group name '{}'.", group.text));
    } else if (names.size() > 2 ||
               (names.size() == 2 && names[0] != "org" && names[0] != "organization" &&
                names[0] != "ent" && names[0] != "enterprise")) {
      findings_.add(
          group.place,
          fmt::format(
              "Invalid runs-on group name '{}'. Please use 'organization/' or 'enterprise/' "
              "prefix to target a single runner group.",
              group.text));
    }
  }

  void check_matrix(const Template& matrix) {
    if (!matrix.is_mapping()) return;
    bool has_values = false;
    for (const auto& entry : matrix.entries) {
      if (!entry.key.is_string() || entry.is_insert) {
        has_values = true;
        continue;
      }
      const auto& name = entry.key.text;
      if (name == "exclude") continue;
      if (name == "include") {
        has_values = has_values || entry.value.is_expression() || !entry.value.items.empty();
        continue;
      }
      has_values = true;
      if (entry.value.is_sequence() && entry.value.items.empty()) {
        findings_.add(entry.value.place,
                      fmt::format("Matrix vector '{}' does not contain any values", name));
      }
    }
    if (!has_values) findings_.add(matrix.place, "Matrix must define at least one vector");
  }

  void check_container(const Template& container, bool is_service) {
    if (container.is_absent() || container.has_expression()) return;
    const auto& image = container.is_mapping() ? container["image"] : container;
    bool has_prefix = image.text.starts_with("docker://");
    auto rest = has_prefix ? image.text.substr(9) : image.text;
    bool has_none = container.is_mapping() && image.is_absent();
    if (rest.empty() && (has_prefix || is_service || has_none) && !findings_.has(container.place)) {
      findings_.add(container.place, "Container image cannot be empty");
    }
  }

  Findings& findings_;
  Ids ids_;
};

struct Waiting {
  const Job* job;
  std::vector<std::size_t> needs;  // indexes of those not satisfied yet
};

// Every `needs` names a job, and none waits for itself through others.
void check_graph(const std::vector<Job>& jobs, Place place, Findings& findings) {
  std::vector<Waiting> waiting;
  std::vector<std::string> ready;
  for (const auto& job : jobs) {
    if (job.needs.empty()) {
      ready.push_back(job.id);
      continue;
    }
    Waiting one{&job, {}};
    for (std::size_t i = 0; i < job.needs.size(); ++i) one.needs.push_back(i);
    waiting.push_back(std::move(one));
  }
  bool has_start = !ready.empty() || jobs.empty();
  if (!has_start)
    findings.add(place, "The workflow must contain at least one job with no dependencies.");
  for (std::size_t next = 0; next < ready.size(); ++next) {
    for (auto& one : waiting) {
      if (one.needs.empty()) continue;
      std::erase_if(one.needs, [&](std::size_t i) {
        return compare_ignoring_case(one.job->needs[i], ready[next]) == 0;
      });
      if (one.needs.empty()) ready.push_back(one.job->id);
    }
  }
  std::set<std::string, IgnoringCase> names;
  for (const auto& job : jobs) names.insert(job.id);
  for (const auto& one : waiting) {
    for (auto i : one.needs) {
      const auto& need = one.job->needs[i];
      if (!has_start && names.contains(need)) continue;  // said already
      findings.add(
          one.job->needs_places[i],
          names.contains(need)
              ? fmt::format(
                    "Job '{}' depends on job '{}' which creates a cycle in the dependency graph.",
                    one.job->id, need)
              : fmt::format("Job '{}' depends on unknown job '{}'.", one.job->id, need));
    }
  }
}

}  // namespace

void check_concurrency(const Template& concurrency, Findings& findings) {
  const auto& group = concurrency.is_mapping() ? concurrency["group"] : concurrency;
  if (group.is_string() && group.text.size() > 400) {
    findings.add(concurrency.place, "Concurrency group name must be less than 400 characters");
  }
}

std::vector<Job> read_jobs(Template jobs, Findings& findings) {
  auto result = JobReader(findings).read(jobs);
  if (jobs.is_mapping() && jobs.entries.empty() && findings.empty())
    findings.add(jobs.place, "The workflow must contain at least one job with no dependencies.");
  check_graph(result, jobs.place, findings);
  return result;
}

}  // namespace slipway::workflow
