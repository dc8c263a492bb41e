// SPDX-License-Identifier: Apache-2.0
#include "cli/notify.hpp"

#include <set>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "cli/environment_access.hpp"
#include "os/process.hpp"

namespace slipway::cli {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);  // of a verb, after its work
constexpr auto kHurried = std::chrono::seconds(3);    // of one that was cancelled
constexpr auto kAnswerTime = std::chrono::seconds(15);
constexpr auto kLook = std::chrono::seconds(2);  // how often the outbox is looked at

// One look: the messages of every repository that has some.
void deliver_all(const Surroundings& around, ledger::Ledger& ledger, const std::stop_token& stop) {
  std::set<std::string> places;
  for (const auto& out : ledger.outgoing()) {
    if (!out.place.empty()) places.insert(out.place);
  }
  for (const auto& place : places) {
    try {
      auto settings = read_settings(place, stop);
      net::HttpClient http;
      deploy::deliver(ledger,
                      {.settings = settings,
                       .environment = os::environment(),
                       .post = poster(http, kAnswerTime, stop),
                       .told = [&](const std::string& line) { around.log.warn("{}", line); },
                       .leaves_unset = true});
    } catch (const Error& error) {
      around.log.debug("the outbox of {}: {}", place, error.what());
    }
  }
}

}  // namespace

deploy::Poster poster(net::HttpClient& http, std::chrono::seconds most,
                      const std::stop_token& stop) {
  return [&http, most, stop](const deploy::Post& message) {
    net::HttpRequest request{.method = message.method, .url = message.url, .body = message.body};
    for (const auto& [name, value] : message.headers) request.headers.add(name, value);
    auto answer = http.request(request, stop, Deadline::in(most));
    return std::pair<int, std::string>(answer.status, answer.body);
  };
}

void notify(const Surroundings& around, ledger::Ledger& ledger, const deploy::Settings& settings,
            const Told& what) {
  if (settings.notifications.empty()) return;
  for (const auto& [environment, message] : what)
    deploy::put_out(ledger, settings, environment, message);
  net::HttpClient http;
  bool is_cancelled = around.stop.stop_requested();
  deploy::Delivering how{
      .settings = settings,
      .environment = os::environment(),
      .post = poster(http, is_cancelled ? kHurried : kAnswerTime,
                     is_cancelled ? std::stop_token() : around.stop),
      .told = [&](const std::string& line) { print_error("slipway: " + line + "\n"); }};
  if (is_cancelled) return deploy::deliver(ledger, how);
  deploy::deliver_until(ledger, how, Deadline::in(kPatience), around.stop);
}

namespace {

// The releases of an environment that are newer than `since`, oldest first.
std::vector<ledger::Release> releases_since(const ledger::Ledger& ledger,
                                            const std::string& environment, std::int64_t since) {
  std::vector<ledger::Release> newer;
  for (auto& release : ledger.history(environment, "", 100)) {
    if (release.id > since) newer.insert(newer.begin(), std::move(release));
  }
  return newer;
}

}  // namespace

void while_telling(const Surroundings& around, ledger::Ledger& ledger,
                   const deploy::Settings& settings, const formats::Json& begun,
                   const std::function<void()>& work) {
  std::string environment = begun.get_string("environment");
  auto newest = ledger.history(environment, "", 1);
  std::int64_t since = newest.empty() ? 0 : newest.front().id;
  TaskGroup beside{std::stop_token{}};
  if (deploy::put_out_begun(ledger, settings, begun)) {
    beside.start([&](const std::stop_token& stop) {
      net::HttpClient http;
      try {
        deploy::deliver(ledger,
                        {.settings = settings,
                         .environment = os::environment(),
                         .post = poster(http, kAnswerTime, stop),
                         .told = [&](const std::string& line) { around.log.info("{}", line); }});
      } catch (const Cancelled&) {  // NOLINT(bugprone-empty-catch): the release was faster
      }
    });
  }
  auto end = [&] {
    beside.stop();
    beside.join();
  };
  try {
    work();
  } catch (const Cancelled&) {
    end();
    auto releases = releases_since(ledger, environment, since);
    if (!releases.empty()) {
      formats::Json message = deploy::release_message(releases);
      message["release"] = begun.get_string("release");
      notify(around, ledger, settings, {{environment, message}});
    }
    throw;
  }
  end();
}

void keep_delivering(const Surroundings& around, const std::stop_token& stop) {
  Guarded<int> nothing;
  std::unique_ptr<ledger::Ledger> ledger;
  auto file = around.state / "ledger.db";
  while (!stop.stop_requested()) {
    try {
      if (!ledger && std::filesystem::exists(file)) ledger = std::make_unique<ledger::Ledger>(file);
      if (ledger) deliver_all(around, *ledger, stop);
    } catch (const Error& error) {
      around.log.debug("the outbox: {}", error.what());
    } catch (const Cancelled&) {
      return;
    }
    nothing.wait(
        stop, Deadline::in(kLook), [](int) { return false; }, [](int) {});
  }
}

}  // namespace slipway::cli
