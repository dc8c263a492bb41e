// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "aws/client.hpp"
#include "cli/repository.hpp"
#include "cli/verb.hpp"
#include "deploy/candidate.hpp"
#include "deploy/environment_release.hpp"
#include "deploy/rollout.hpp"
#include "deploy/settings.hpp"

namespace slipway::cli {

/// Who runs this program: $SUDO_USER, $GITHUB_ACTOR, $USER, …
std::string user_name();
/// True where nobody watches: in a CI job.
bool is_automatic();

/// An environment as the repository around us describes it.
struct EnvironmentView {
  Project project;
  deploy::Settings settings;
  deploy::EnvironmentNeed need;
  std::string sha;            ///< full, of --sha or HEAD
  bool keeps_images = false;  ///< the task definitions' images stay as they are
};
/// Reads workflows, task definitions and slipway.yml.
///   sha     --sha; empty: HEAD
///   throws  Error{bad_input} when neither workflow nor slipway.yml deploys to it, naming those that they do deploy to
EnvironmentView read_environment(const Surroundings& around, const std::string& environment,
                                 const std::string& sha);

/// slipway.yml of a working tree. What its last commit protects stays protected, whatever was edited since.
///   throws  Error{bad_input} with file:line:column
deploy::Settings read_settings(const std::filesystem::path& top, const std::stop_token& stop);

/// The candidates for a release of it. `given` may have --service, --image NAME=REF, --task-definition.
std::vector<deploy::Candidate> read_candidates(const Surroundings& around, deploy::Calls& calls,
                                               EnvironmentView& view, const Invocation& given);

/// What a release would change, as text.
std::string print_differences(const std::vector<deploy::Difference>& differences);
formats::Json to_json(const std::vector<deploy::Difference>& differences);

/// Files of migrations that the commit adds to what the environment runs, by git; empty where git cannot tell.
std::vector<std::string> pending_migrations(const Surroundings& around,
                                            const ledger::Ledger& ledger,
                                            const EnvironmentView& view);
/// They as lines of a difference.
std::string print_migrations(const std::vector<std::string>& files);

/// Prints events on stderr, unless --quiet.
std::function<void(const std::string&, const deploy::RolloutEvent&)> event_printer(
    const Surroundings& around);

/// What came of a release, on stdout. returns  the exit code
int print_outcomes(const Surroundings& around, const std::string& environment,
                   const std::vector<deploy::ServiceOutcome>& outcomes, bool has_waited);

/// "go on? [y/N]" on the terminal; true when there is none, or with --yes.
bool is_confirmed(const Invocation& given, const std::string& question);
/// Asks on the terminal what is to become of an interrupted deployment; a second Ctrl-C leaves it.
deploy::Interrupted ask_interrupted(const std::stop_token& hurry);

/// The settings of the repository around us; none outside of one, or when they are wrong (which is said).
deploy::Settings settings_here(const Surroundings& around);

}  // namespace slipway::cli
