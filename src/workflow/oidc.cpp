// SPDX-License-Identifier: Apache-2.0
#include "workflow/oidc.hpp"

#include "base/text.hpp"
#include "os/file.hpp"

namespace slipway::workflow {
namespace {

std::string escaped(const std::string& value) { return replace_all(value, ":", "%3A"); }

// The claims that are members of `github` of the same name.
constexpr std::string_view kFromGithub[] = {"actor",
                                            "actor_id",
                                            "base_ref",
                                            "event_name",
                                            "head_ref",
                                            "ref",
                                            "ref_type",
                                            "repository",
                                            "repository_id",
                                            "repository_owner",
                                            "repository_owner_id",
                                            "run_attempt",
                                            "run_id",
                                            "run_number",
                                            "sha",
                                            "workflow",
                                            "workflow_ref",
                                            "workflow_sha"};

}  // namespace

bool is_from_fork(const formats::Json& github) {
  if (github.get_string("event_name") != "pull_request") return false;
  const auto* event = github.find("event");
  const auto* request = event && event->is_object() ? event->find("pull_request") : nullptr;
  if (!request || !request->is_object()) return false;
  const auto* head = request->find("head");
  const auto* repository = head && head->is_object() ? head->find("repo") : nullptr;
  if (!repository || !repository->is_object()) return false;
  auto name = repository->get_string("full_name");
  return repository->get_bool("fork") ||
         (!name.empty() && !equals_ignoring_case(name, github.get_string("repository")));
}

std::string oidc_subject(const OidcFacts& facts) {
  auto repository = "repo:" + facts.github.get_string("repository");
  if (!facts.environment.empty()) return repository + ":environment:" + escaped(facts.environment);
  auto event = facts.github.get_string("event_name");
  if (event == "pull_request" || event == "pull_request_target")
    return repository + ":pull_request";
  return repository + ":ref:" + escaped(facts.github.get_string("ref"));
}

formats::Json oidc_claims(const OidcFacts& facts) {
  auto claims = formats::Json::object();
  claims["iss"] = kOidcIssuer;
  claims["sub"] = oidc_subject(facts);
  for (auto name : kFromGithub) {
    const auto* value = facts.github.find(name);
    claims[name] = value && value->is_string() ? value->as_string() : "";
  }
  auto workflow_ref = facts.github.get_string("workflow_ref");
  claims["job_workflow_ref"] =
      facts.job_workflow_ref.empty() ? workflow_ref : facts.job_workflow_ref;
  claims["job_workflow_sha"] =
      facts.github.get_string("workflow_sha", facts.github.get_string("sha"));
  claims["ref_protected"] = "false";
  claims["repository_visibility"] = facts.github.get_string("repository_visibility", "private");
  claims["runner_environment"] = "self-hosted";
  if (!facts.environment.empty()) claims["environment"] = facts.environment;
  if (!facts.check_run_id.empty()) claims["check_run_id"] = facts.check_run_id;
  return claims;
}

OidcIssuer::OidcIssuer(const std::filesystem::path& directory) {
  os::make_dirs(directory);
  auto lock = os::FileLock::take(directory / "lock");
  auto path = directory / "key.pem";
  if (auto pem = os::read_file_if_exists(path)) {
    key_ = std::make_unique<formats::RsaKey>(formats::RsaKey::from_pem(*pem));
  } else {
    key_ = std::make_unique<formats::RsaKey>(formats::RsaKey::generate());
    os::write_file_durably(path, key_->private_pem(), 0600);
  }
  auto set = jwks().dump();
  if (os::read_file_if_exists(directory / "jwks.json") != set)
    os::write_file_durably(directory / "jwks.json", set);
}

formats::Json OidcIssuer::jwks() const {
  return formats::Json::object({{"keys", formats::Json::array({key_->public_jwk()})}});
}

std::string OidcIssuer::sign(const formats::Json& claims, const std::string& audience,
                             formats::Time now) const {
  auto token = claims;
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  token["jti"] = uuid();
  token["aud"] =
      audience.empty() ? "https://github.com/" + claims.get_string("repository_owner") : audience;
  token["iat"] = seconds;
  token["nbf"] = seconds - 600;
  token["exp"] = seconds + 300;
  return formats::sign_jwt(*key_, key_->kid(), token);
}

}  // namespace slipway::workflow
