// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "deploy/environment_release.hpp"
#include "deploy/settings.hpp"
#include "formats/json.hpp"
#include "ledger/ledger.hpp"

namespace slipway::deploy {

/// What is told of a release: {"event", "cause", "environment", "sha", "who", "ok", "at", "services": […], "changes"}.
///   changes  what it changed, as text; may be empty
formats::Json outcome_message(const std::string& cause, const std::string& environment,
                              const std::string& sha, const std::string& who,
                              const std::vector<ServiceOutcome>& outcomes,
                              const std::string& changes = "");
/// The same for releases as the ledger has them, of one environment.
formats::Json release_message(const std::vector<ledger::Release>& releases);

/// One HTTP POST.
struct Post {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};
/// Sends; returns status and body. throws  Error when there is no answer
using Poster = std::function<std::pair<int, std::string>(const Post&)>;

/// The message as Slack's Block Kit has it: {"text", "blocks"}.
formats::Json slack_message(const formats::Json& message);

/// Puts the message out for each of the environment's notifications.
void put_out(ledger::Ledger& ledger, const Settings& settings, const std::string& environment,
             const formats::Json& message);
/// Delivers what is due. What fails is tried again later, the pause doubling from 5 s, ten times at most.
///   environment  where "$NAME" in url and secret is looked up
///   told         one line for each that failed
void deliver(ledger::Ledger& ledger, const Settings& settings,
             const std::map<std::string, std::string>& environment, const Poster& post,
             const std::function<void(const std::string&)>& told);

}  // namespace slipway::deploy
