// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/deadline.hpp"
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

/// What GitHub is told when a release begins: {"event": "begun", "release": KEY, "cause", "environment", "sha", "who", "at"}. The message
/// of its end has the same "release".
formats::Json begun_message(const std::string& cause, const std::string& environment,
                            const std::string& sha, const std::string& who);

/// One HTTP request.
struct Post {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string method = "POST";
};
/// Sends; returns status and body. throws  Error when there is no answer
using Poster = std::function<std::pair<int, std::string>(const Post&)>;

/// The message as Slack's Block Kit has it: {"text", "blocks"}.
formats::Json slack_message(const formats::Json& message);

/// Puts the message out for each of the environment's notifications.
void put_out(ledger::Ledger& ledger, const Settings& settings, const std::string& environment,
             const formats::Json& message);
/// Puts out that a release begins, where that is told: to GitHub. Returns whether it is told anywhere.
bool put_out_begun(ledger::Ledger& ledger, const Settings& settings, const formats::Json& message);
/// How messages leave.
struct Delivering {
  const Settings& settings;
  std::map<std::string, std::string> environment;  ///< where "$NAME" in url and secret is looked up
  Poster post;
  std::function<void(const std::string&)> told;  ///< one line for each that failed
  bool leaves_unset = false;  ///< what needs a variable that is not set is left to another process
};
/// Delivers once what is due of the settings' own messages. What fails is tried again later, the pause doubling from 1 s to 1 h,
/// 16 times at most (some five hours). Two processes never deliver the same message at the same time.
void deliver(ledger::Ledger& ledger, const Delivering& how);
/// The same, waiting for what is to be tried again, until none waits or the deadline is near.
void deliver_until(ledger::Ledger& ledger, const Delivering& how, Deadline deadline,
                   const std::stop_token& stop);

}  // namespace slipway::deploy
