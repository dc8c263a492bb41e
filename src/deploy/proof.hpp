// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "deploy/calls.hpp"
#include "deploy/candidate.hpp"
#include "deploy/settings.hpp"
#include "ledger/ledger.hpp"

namespace slipway::deploy {

/// What a release that an environment asks for can rest on.
struct Proof {
  std::vector<std::string> troubles;  ///< why it may not be released; empty: it may
  std::string sha;                    ///< of the release that it rests on
  std::string test_verdict;
};

/// Whether the environment's protection lets the candidates in: their digests run in the environment that they must come from, are
/// healthy there, have done so long enough, their tests have succeeded, and enough people have approved.
///   protection  of the environment that they go to
///   who         who releases: their own approval does not count
Proof prove(Calls& calls, const ledger::Ledger& ledger, const std::string& environment,
            const std::vector<Candidate>& candidates, const Protection& protection,
            const std::string& sha, const std::string& who, const std::stop_token& stop);

/// What the tests of a commit ended with, by the releases that the ledger has of it; empty when it is not known.
std::string test_verdict_of(const ledger::Ledger& ledger, const std::string& sha);

/// The candidates' images replaced by the digests that run in another environment, matched by repository.
///   throws  Error{not_found} when nothing good runs there, or a container's image does not
void take_digests_from(const ledger::Ledger& ledger, const std::string& from,
                       std::vector<Candidate>& candidates);

/// Writes a refusal down: kind "release.refused".
void record_refusal(ledger::Ledger& ledger, const std::string& environment, const std::string& who,
                    const std::string& sha, const std::vector<std::string>& troubles);

/// The statement (in-toto, DSSE) that a release rests on, signed with the ledger's key: pushed with the image and verifiable offline.
formats::Json attestation(ledger::Ledger& ledger, const std::string& environment,
                          const Candidate& candidate, const Proof& proof);

}  // namespace slipway::deploy
