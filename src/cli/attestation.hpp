// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "cli/verb.hpp"
#include "deploy/calls.hpp"
#include "deploy/candidate.hpp"
#include "deploy/image_contents.hpp"

namespace slipway::cli {

/// Writes a signed statement to STATE/attestations and pushes it beside each image of the candidate, as an OCI artifact whose
/// subject is the image. A registry that does not take it is a warning: the statement stands in the ledger.
///   name      of the file, without ending
///   envelope  DSSE
void publish_attestation(const Surroundings& around, deploy::Calls& calls,
                         const deploy::Candidate& candidate, const std::string& name,
                         const formats::Json& envelope);

/// Reads blobs from ECR with the token of `calls`' credentials, for as long as both arguments live. What does not come is nothing.
deploy::BlobReader ecr_blobs(const Surroundings& around, deploy::Calls& calls);

}  // namespace slipway::cli
