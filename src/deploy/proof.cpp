// SPDX-License-Identifier: Apache-2.0
#include "deploy/proof.hpp"

#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/ecr_image.hpp"
#include "deploy/service.hpp"
#include "deploy/task_definition.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

// The release of `environment` that runs this digest now, whatever its service is called.
std::optional<ledger::Release> runs_digest(const ledger::Ledger& ledger,
                                           const std::string& environment,
                                           const std::string& digest) {
  for (const auto& service : ledger.services(environment)) {
    auto release = ledger.current(environment, service);
    if (!release) continue;
    for (const auto& image : release->images) {
      if (image.digest == digest && !digest.empty()) return release;
    }
  }
  return std::nullopt;
}

bool runs_reference(const ledger::Ledger& ledger, const std::string& environment,
                    const std::string& reference) {
  for (const auto& service : ledger.services(environment)) {
    auto release = ledger.current(environment, service);
    if (!release) continue;
    for (const auto& image : release->images) {
      if (image.reference == reference) return true;
    }
  }
  return false;
}

// Empty when the service is steady with what the release brought.
std::string health_trouble(Calls& calls, const ledger::Release& release,
                           const std::stop_token& stop) {
  Json service = describe_service(calls, release.cluster, release.service, stop);
  const auto& deployments = service.get_array("deployments");
  if (service.get_string("taskDefinition") != release.task_definition) {
    return fmt::format("service '{}' of '{}' runs {}, not {}, which was released there",
                       release.service, release.environment,
                       brief_task_definition(service.get_string("taskDefinition")),
                       brief_task_definition(release.task_definition));
  }
  bool is_steady = deployments.size() == 1 &&
                   deployments.front().get_string("rolloutState") == "COMPLETED" &&
                   service.get_int("desiredCount") > 0 &&
                   service.get_int("runningCount") == service.get_int("desiredCount");
  if (is_steady) return "";
  return fmt::format("service '{}' of '{}' is not healthy: {} of {} tasks run", release.service,
                     release.environment, service.get_int("runningCount"),
                     service.get_int("desiredCount"));
}

std::size_t approvals_of(const ledger::Ledger& ledger, const std::string& environment,
                         const std::string& sha, const std::string& who) {
  std::set<std::string> people;
  for (const auto& entry : ledger.entries()) {
    if (entry.kind != "approval") continue;
    Json body = formats::parse_json(entry.body, "ledger");
    if (body.get_string("environment") == environment && body.get_string("sha") == sha &&
        body.get_string("who") != who)
      people.insert(body.get_string("who"));
  }
  return people.size();
}

class Prover final {
 public:
  Prover(Calls& calls, const ledger::Ledger& ledger, const Protection& protection,
         const std::stop_token& stop)
      : calls_(calls), ledger_(ledger), protection_(protection), stop_(stop) {}

  void look_at(const Candidate& candidate) {
    for (const auto& image : candidate.images) {
      if (!parse_ecr_image(image.reference)) {
        // A public one beside the app's has no tests of ours, but it must be the one that was tried there.
        if (!runs_reference(ledger_, protection_.promote_from, image.reference))
          add(fmt::format("{} does not run in '{}'", image.reference, protection_.promote_from));
        continue;
      }
      auto release = runs_digest(ledger_, protection_.promote_from, image.digest);
      if (!release) {
        add(fmt::format("{} ({}) does not run in '{}'", image.reference,
                        image.digest.empty() ? "no such image" : image.digest.substr(0, 19),
                        protection_.promote_from));
        continue;
      }
      if (proof_.sha.empty()) proof_.sha = release->sha;
      if (auto trouble = health_trouble(calls_, *release, stop_); !trouble.empty()) add(trouble);
      if (release->ended && formats::now() - *release->ended < protection_.soak) {
        add(fmt::format("it has run in '{}' for {}, {} are asked for", protection_.promote_from,
                        formats::print_duration(formats::now() - *release->ended),
                        formats::print_duration(protection_.soak)));
      }
      look_at_tests(*release, image.reference);
    }
  }

  void look_at_tests(const ledger::Release& release, const std::string& reference) {
    if (!protection_.require_tests) return;
    std::string tests =
        release.test_verdict.empty() ? test_verdict_of(ledger_, release.sha) : release.test_verdict;
    if (tests == "success") {
      proof_.test_verdict = tests;
    } else {
      add(fmt::format("the tests of {} ({}) {}", release.sha.substr(0, 12), reference,
                      tests.empty() ? "are not known to have run" : "ended with " + tests));
    }
  }

  void add(const std::string& trouble) {
    if (std::find(proof_.troubles.begin(), proof_.troubles.end(), trouble) == proof_.troubles.end())
      proof_.troubles.push_back(trouble);
  }

  Proof take() { return std::move(proof_); }

 private:
  Calls& calls_;
  const ledger::Ledger& ledger_;
  const Protection& protection_;
  const std::stop_token& stop_;
  Proof proof_;
};

}  // namespace

std::string test_verdict_of(const ledger::Ledger& ledger, const std::string& sha) {
  if (sha.empty()) return "";
  for (const auto& release : ledger.history("", "", 10'000)) {
    if (release.sha == sha && !release.test_verdict.empty()) return release.test_verdict;
  }
  return "";
}

Proof prove(Calls& calls, const ledger::Ledger& ledger, const std::string& environment,
            const std::vector<Candidate>& candidates, const Protection& protection,
            const std::string& sha, const std::string& who, const std::stop_token& stop) {
  Prover prover(calls, ledger, protection, stop);
  if (!protection.promote_from.empty()) {
    for (const auto& candidate : candidates) prover.look_at(candidate);
  } else if (protection.require_tests) {
    ledger::Release release{.sha = sha, .test_verdict = test_verdict_of(ledger, sha)};
    prover.look_at_tests(release, "what is released");
  }
  Proof proof = prover.take();
  if (proof.sha.empty()) proof.sha = sha;
  if (protection.approvals > 0) {
    auto given = approvals_of(ledger, environment, proof.sha, who);
    if (given < static_cast<std::size_t>(protection.approvals)) {
      proof.troubles.push_back(
          fmt::format("{} of {} approvals are there: slipway audit approve {} {}", given,
                      protection.approvals, environment, proof.sha));
    }
  }
  return proof;
}

void take_digests_from(const ledger::Ledger& ledger, const std::string& from,
                       std::vector<Candidate>& candidates) {
  std::map<std::string, ledger::ReleasedImage> by_repository;
  for (const auto& service : ledger.services(from)) {
    auto release = ledger.current(from, service);
    if (!release) continue;
    for (const auto& image : release->images) {
      if (auto parsed = parse_ecr_image(image.reference); parsed && !image.digest.empty())
        by_repository[parsed->repository] = image;
    }
  }
  if (by_repository.empty())
    fail(Fault::not_found, "no good release with known digests runs in '{}'", from);
  for (auto& candidate : candidates) {
    for (auto& container : candidate.definition.find("containerDefinitions")->as_array()) {
      auto image = parse_ecr_image(container.get_string("image"));
      if (!image) continue;
      auto found = by_repository.find(image->repository);
      if (found == by_repository.end())
        fail(Fault::not_found, "service '{}' needs an image of {}, and none runs in '{}'",
             candidate.service, image->repository, from);
      container["image"] =
          fmt::format("{}/{}@{}", image->registry, image->repository, found->second.digest);
      for (auto& released : candidate.images) {
        if (released.container == container.get_string("name"))
          released = {released.container, container.get_string("image"), found->second.digest};
      }
    }
    candidate.missing.clear();
  }
}

void record_refusal(ledger::Ledger& ledger, const std::string& environment, const std::string& who,
                    const std::string& sha, const std::vector<std::string>& troubles) {
  Json list = Json::array();
  for (const auto& trouble : troubles) list.push_back(trouble);
  ledger.append(
      "refused",
      Json::object({{"environment", environment}, {"who", who}, {"sha", sha}, {"why", list}}));
}

Json attestation(ledger::Ledger& ledger, const std::string& environment, const Candidate& candidate,
                 const Proof& proof) {
  Json subjects = Json::array();
  for (const auto& image : candidate.images) {
    if (image.digest.size() <= 7) continue;
    subjects.push_back(
        Json::object({{"name", image.reference},
                      {"digest", Json::object({{"sha256", image.digest.substr(7)}})}}));
  }
  Json statement =
      Json::object({{"_type", "https://in-toto.io/Statement/v1"},
                    {"subject", subjects},
                    {"predicateType", "https://slipway.dev/release/v1"},
                    {"predicate", Json::object({{"environment", environment},
                                                {"service", candidate.service},
                                                {"sha", proof.sha},
                                                {"tests", proof.test_verdict},
                                                {"at", formats::iso8601(formats::now())}})}});
  constexpr std::string_view kType = "application/vnd.in-toto+json";
  std::string payload = statement.dump();
  // source  DSSE, "Pre-Authentication Encoding"
  std::string encoded =
      fmt::format("DSSEv1 {} {} {} {}", kType.size(), kType, payload.size(), payload);
  return Json::object(
      {{"payloadType", kType},
       {"payload", base64(payload)},
       {"signatures", Json::array({Json::object({{"keyid", base64(ledger.public_key())},
                                                 {"sig", base64(ledger.sign(encoded))}})})}});
}

}  // namespace slipway::deploy
