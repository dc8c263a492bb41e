// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cli/verb.hpp"
#include "deploy/notify.hpp"
#include "deploy/settings.hpp"
#include "formats/json.hpp"
#include "ledger/ledger.hpp"
#include "net/http_client.hpp"

namespace slipway::cli {

/// Messages, each for the notifications of an environment.
using Told = std::vector<std::pair<std::string, formats::Json>>;

/// Puts out what has happened and delivers what is due, trying again for some seconds. A trouble is a warning, what could not be
/// delivered waits in the outbox.
///   what  empty: only delivers
void notify(const Surroundings& around, ledger::Ledger& ledger, const deploy::Settings& settings,
            const Told& what);

/// Does the work of a release. GitHub is told beside it that it has begun; when it is cancelled, what became of it is told to all before
/// the cancellation goes on.
///   begun  deploy::begun_message(); what is told of the end must have its "release"
void while_telling(const Surroundings& around, ledger::Ledger& ledger,
                   const deploy::Settings& settings, const formats::Json& begun,
                   const std::function<void()>& work);

/// Sends over `http`, which outlives it; each request may take `most`.
deploy::Poster poster(net::HttpClient& http, std::chrono::seconds most,
                      const std::stop_token& stop);

/// Empties the outbox for as long as the process lives: what verbs left there, by the settings of the repositories that it is
/// from, as far as this process's environment has the variables that they name.
void keep_delivering(const Surroundings& around, const std::stop_token& stop);

}  // namespace slipway::cli
