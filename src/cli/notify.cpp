// SPDX-License-Identifier: Apache-2.0
#include "deploy/notify.hpp"

#include "base/error.hpp"
#include "cli/environment_access.hpp"
#include "deploy/trace.hpp"
#include "net/http_client.hpp"
#include "os/process.hpp"

namespace slipway::cli {

namespace {

deploy::Poster poster(net::HttpClient& http, const std::stop_token& stop) {
  return [&http, stop](const deploy::Post& message) {
    net::HttpRequest request{.method = "POST", .url = message.url, .body = message.body};
    for (const auto& [name, value] : message.headers) request.headers.add(name, value);
    auto answer = http.request(request, stop, Deadline::in(std::chrono::seconds(15)));
    return std::pair<int, std::string>(answer.status, answer.body);
  };
}

}  // namespace

void notify(const Surroundings& around, ledger::Ledger& ledger, const deploy::Settings& settings,
            const std::string& environment, const formats::Json& what) {
  if (settings.notifications.empty()) return;
  if (!what.is_null()) deploy::put_out(ledger, settings, environment, what);
  net::HttpClient http;
  deploy::deliver(ledger, settings, os::environment(), poster(http, around.stop),
                  [&](const std::string& line) { print_error("slipway: " + line + "\n"); });
}

std::vector<ledger::Release> releases_of(const ledger::Ledger& ledger,
                                         const std::vector<deploy::ServiceOutcome>& outcomes) {
  std::vector<ledger::Release> releases;
  for (const auto& outcome : outcomes) {
    auto release = ledger.find(outcome.released.id);
    if (!outcome.is_skipped && release) releases.push_back(*release);
  }
  return releases;
}

void trace(const Surroundings& around, const std::string& name,
           const std::vector<ledger::Release>& releases) {
  auto variables = os::environment();
  auto endpoint = variables.find("OTEL_EXPORTER_OTLP_ENDPOINT");
  if (endpoint == variables.end() || endpoint->second.empty()) return;
  if (releases.empty()) return;
  std::string url = endpoint->second;
  if (url.ends_with('/')) url.pop_back();
  net::HttpClient http;
  try {
    auto answer = poster(
        http, around.stop)({url + "/v1/traces",
                            {{"content-type", "application/json"}},
                            deploy::to_spans(releases, name, variables["TRACEPARENT"]).dump()});
    if (answer.first >= 300)
      print_error(fmt::format("slipway: {} took no spans: HTTP {}\n", url, answer.first));
  } catch (const Error& error) {
    print_error(fmt::format("slipway: spans were not delivered: {}\n", error.what()));
  }
}

}  // namespace slipway::cli
