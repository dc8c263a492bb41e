// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/verb.hpp"
#include "deploy/bootstrap.hpp"
#include "workflow/event.hpp"
#include "workflow/model.hpp"

namespace slipway::cli {

/// The top of the git working tree that `cwd` is in. throws Error{bad_input} when it is in none
std::filesystem::path repository_top(const std::filesystem::path& cwd, const std::stop_token& stop);

/// A repository's workflows, the push that is looked at, and what both need of AWS.
struct Project {
  std::filesystem::path top;
  std::vector<std::shared_ptr<const workflow::Workflow>> workflows;
  workflow::Event event;
  deploy::Needs needs;
};

/// Reads it all; nothing is started.
///   files, ref  --workflow and --ref; empty: all workflows, HEAD
///   sha         of the commit that the needs are for; empty: the ref's
///   throws      Error{bad_input} with every diagnostic
Project read_project(const Surroundings& around, const std::vector<std::string>& files,
                     const std::string& ref, const std::string& sha = "");

}  // namespace slipway::cli
