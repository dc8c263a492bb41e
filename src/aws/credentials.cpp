// SPDX-License-Identifier: Apache-2.0
#include "aws/credentials.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::aws {
namespace {

using Section = std::map<std::string, std::string>;

// The keys of "[name]" in an INI file as AWS's tools write it.
Section section_of(const std::string& text, const std::string& name) {
  Section section;
  bool inside = false;
  for (auto line : lines_of(text)) {
    auto word = trim(line);
    if (word.empty() || word.front() == '#' || word.front() == ';') continue;
    if (word.front() == '[') {
      inside = word == "[" + name + "]";
      continue;
    }
    auto at = word.find('=');
    if (inside && at != std::string_view::npos) {
      section[to_lower(trim(word.substr(0, at)))] = std::string(trim(word.substr(at + 1)));
    }
  }
  return section;
}

std::string find(const std::map<std::string, std::string>& in, const std::string& key) {
  auto it = in.find(key);
  return it == in.end() ? "" : it->second;
}

std::optional<Credentials> credentials_in(const std::string& id, const std::string& secret,
                                          const std::string& token) {
  if (id.empty() || secret.empty()) return std::nullopt;
  return Credentials{id, secret, token};
}

}  // namespace

Config read_config(const std::map<std::string, std::string>& environment,
                   const std::string& credentials_file, const std::string& config_file) {
  Config config;
  std::string profile = find(environment, "AWS_PROFILE");
  if (profile.empty()) profile = "default";
  Section settings =
      section_of(config_file, profile == "default" ? "default" : "profile " + profile);
  config.region = find(environment, "AWS_REGION");
  if (config.region.empty()) config.region = find(environment, "AWS_DEFAULT_REGION");
  if (config.region.empty()) config.region = find(settings, "region");
  config.credentials = credentials_in(find(environment, "AWS_ACCESS_KEY_ID"),
                                      find(environment, "AWS_SECRET_ACCESS_KEY"),
                                      find(environment, "AWS_SESSION_TOKEN"));
  if (!config.credentials) {
    Section keys = section_of(credentials_file, profile);
    config.credentials =
        credentials_in(find(keys, "aws_access_key_id"), find(keys, "aws_secret_access_key"),
                       find(keys, "aws_session_token"));
  }
  config.endpoint_url = find(environment, "AWS_ENDPOINT_URL");
  config.ca_bundle = find(environment, "AWS_CA_BUNDLE");
  constexpr std::string_view kPrefix = "AWS_ENDPOINT_URL_";
  for (const auto& [name, value] : environment) {
    if (name.starts_with(kPrefix) && !value.empty()) {
      config.endpoint_urls[to_lower(name.substr(kPrefix.size()))] = value;
    }
  }
  return config;
}

std::string endpoint_of(const Config& config, const std::string& service) {
  static const std::map<std::string, std::string> kIds = {
      {"elasticloadbalancing", "elastic_load_balancing_v2"},
      {"secretsmanager", "secrets_manager"},
      {"logs", "cloudwatch_logs"},  // service ids that differ from the signing name
  };
  auto id = kIds.find(service);
  if (auto it = config.endpoint_urls.find(id == kIds.end() ? service : id->second);
      it != config.endpoint_urls.end()) {
    return it->second;
  }
  if (!config.endpoint_url.empty()) return config.endpoint_url;
  if (config.region.empty()) fail(Fault::bad_input, "no AWS region: set AWS_REGION");
  if (service == "iam") return "https://iam.amazonaws.com";
  if (service == "ecr") return "https://api.ecr." + config.region + ".amazonaws.com";
  return "https://" + service + "." + config.region + ".amazonaws.com";
}

}  // namespace slipway::aws
