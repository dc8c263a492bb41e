// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>
#include <vector>

#include "deploy/bootstrap.hpp"
#include "deploy/calls.hpp"
#include "deploy/settings.hpp"
#include "deploy/template.hpp"
#include "ledger/ledger.hpp"

namespace slipway::deploy {

/// An image that a candidate needs and ECR does not have.
struct MissingImage {
  std::string container;
  std::string message;  ///< a sentence, with what to do
};

/// A service as it would be released.
struct Candidate {
  std::string environment;
  std::string cluster;
  std::string service;
  formats::Json definition;                   ///< what RegisterTaskDefinition would be given
  std::vector<ledger::ReleasedImage> images;  ///< with the digests of those that ECR has
  std::vector<MissingImage> missing;
};

struct CandidateRequest {
  std::string
      sha;  ///< images of the workflow's repositories get this tag; empty: they stay as they are
  std::map<std::string, std::string> images;  ///< container → reference
  std::vector<std::string> services;          ///< only these; empty: all
};

/// The environment's services with templates filled in and images set, in the order in which they are released.
///   repositories  those that the workflow pushes to
///   throws        Error{bad_input} for a service or container that there is none of, or a template that cannot be filled in
std::vector<Candidate> candidates_of(Calls& calls, const EnvironmentNeed& environment,
                                     const std::vector<std::string>& repositories,
                                     const EnvironmentSettings& settings,
                                     const CandidateRequest& request,
                                     const TemplateFunctions& functions,
                                     const std::stop_token& stop);

/// A task definition that is released as it is: its images with the digests that ECR has now.
Candidate candidate_of(Calls& calls, const ledger::Release& intent, const formats::Json& definition,
                       const std::stop_token& stop);

/// The candidates in groups: those of one group go together, the groups one after the other.
std::vector<std::vector<const Candidate*>> in_order(const std::vector<Candidate>& candidates,
                                                    const EnvironmentSettings& settings);

/// The versions of the secrets that a task definition names, as they are now. What cannot be asked is left empty.
std::vector<ledger::SecretVersion> secret_versions(Calls& calls, const formats::Json& definition,
                                                   const std::stop_token& stop);

}  // namespace slipway::deploy
