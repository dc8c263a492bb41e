// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::deploy {

/// A command that runs once before the services of an environment are released.
struct Migration {
  std::string service;    ///< whose task definition it runs with
  std::string container;  ///< in which container; empty: the first essential one
  std::vector<std::string> command;
  std::chrono::seconds timeout = std::chrono::minutes(15);
};

/// Where something is told.
struct Notification {
  std::string name;        ///< unique in the file; the outbox knows it by this
  std::string kind;        ///< "slack", "slack-bot", "github", "webhook"
  std::string url;         ///< "slack", "webhook"
  std::string secret;      ///< signs "webhook"; token of "slack-bot" and "github"
  std::string channel;     ///< of "slack-bot"
  std::string repository;  ///< of "github": "owner/name"
};

/// What an environment asks of a release.
struct Protection {
  bool require_tests = false;    ///< the commit's tests have succeeded
  std::string promote_from;      ///< only digests that run there, healthy
  std::chrono::seconds soak{0};  ///< and have done so for as long
  int approvals = 0;             ///< of people other than the one who deploys
};

/// A part of the requests goes to the new tasks first.
struct Canary {
  int percent = 10;  ///< 1 to 99
  std::chrono::minutes bake{5};
};

struct EnvironmentSettings {
  std::vector<std::vector<std::string>>
      order;  ///< services one after the other, those of one list together
  std::optional<Migration> migration;
  std::optional<Canary> canary;            ///< of its services behind a load balancer
  std::vector<std::string> notifications;  ///< names
  Protection protection;
};

struct ServiceSettings {
  std::string name;
  std::string cluster;
  std::string task_definition;  ///< file, from the repository's top
};

/// slipway.yml: what workflow and task definitions cannot say. docs/slipway.schema.json describes it.
struct Settings {
  std::map<std::string, EnvironmentSettings> environments;
  std::map<std::string, std::vector<ServiceSettings>>
      services;  ///< by environment, where no workflow names them
  std::vector<Notification> notifications;
  std::string tfstate;  ///< file that `tfstate` in templates reads; empty: none
  std::string place;    ///< the directory that the file is in; the outbox knows the settings by it

  [[nodiscard]] const EnvironmentSettings& of(const std::string& environment) const;
};

/// Reads the text of slipway.yml; an empty text is no settings.
///   throws  Error{bad_input} with file:line:column for every key that is not known or has a wrong value
Settings read_settings(std::string_view text, const std::string& file);

/// What both ask for: the stricter of each.
Protection stricter(const Protection& a, const Protection& b);

/// "90s", "10m", "2h", "1h30m"; nothing for anything else.
std::optional<std::chrono::seconds> parse_span(std::string_view text);

}  // namespace slipway::deploy
