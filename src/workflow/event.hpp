// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "formats/json.hpp"
#include "formats/otlp.hpp"
#include "workflow/value.hpp"

namespace slipway::workflow {

/// What happened in a repository, as GitHub would say it.
struct Event {
  std::string name = "push";  ///< push, pull_request, workflow_dispatch, schedule, …
  formats::Json payload;      ///< `github.event`
  std::string ref;            ///< full: "refs/heads/main", "refs/tags/v1", "refs/pull/3/merge"
  std::string sha;
  std::string before;      ///< push: the ref's commit before; empty or zeros when the ref is new
  std::string base_ref;    ///< pull_request: short name of the target branch
  std::string head_ref;    ///< pull_request: short name of the source branch
  std::string repository;  ///< "owner/name"
  std::string default_branch = "main";
  std::string actor;
  std::string server_url = "https://github.com";
  /// Paths for path filters; nothing: not known, so path filters let everything pass.
  std::optional<std::vector<std::string>> changed_files;
  std::string commit_message;                 ///< of the head commit, for [skip ci]
  std::map<std::string, std::string> inputs;  ///< workflow_dispatch, as given

  [[nodiscard]] bool is_tag() const { return ref.starts_with("refs/tags/"); }
  /// "branch" or "tag".
  [[nodiscard]] std::string ref_type() const { return is_tag() ? "tag" : "branch"; }
  /// "main", "v1.0.0", "3/merge".
  [[nodiscard]] std::string ref_name() const;
};

struct EventRequest {
  std::string name = "push";
  std::string ref;  ///< branch, tag or full ref; empty: HEAD's branch (or its tag, or the commit)
  std::string sha;  ///< empty: what the ref names
  std::optional<formats::Json>
      payload;  ///< --payload: taken as it is, the rest of the event is read from it
  std::map<std::string, std::string> inputs;
  bool dirty = false;  ///< changed files include what is not committed
  std::string
      server_url;  ///< GITHUB_SERVER_URL: where repositories and actions are; empty: github.com
  bool may_be_new = false;  ///< a full ref that does not exist yet stands at HEAD
};

/// The event for a repository on disk: reads ref, commit, author, remote and changed files through git.
///   throws  Error{bad_input} when the ref does not exist or the directory is no repository with a commit
Event make_event(const std::filesystem::path& repository, const EventRequest& request,
                 std::stop_token stop);

/// The event from the request alone, for a directory that is no repository: without changed files; sha is zeros unless given.
Event make_event_without_repository(const EventRequest& request);

/// What of `github` does not come from the event.
struct RunFacts {
  std::string run_id = "1";
  std::string run_number = "1";
  std::string run_attempt = "1";
  std::string token;
  std::string workspace;
  std::string workflow;         ///< its title
  std::string workflow_file;    ///< for workflow_ref
  formats::TraceContext trace;  ///< the run's trace and span; empty: nothing is traced
};

/// The `github` context at workflow level (event, ref, sha, actor, repository, …); job and step members are added by the runner
/// with Value::with().
Value github_context(const Event& event, const RunFacts& facts);

}  // namespace slipway::workflow
