// SPDX-License-Identifier: Apache-2.0
// How requests get to a registry and back: endpoints, tokens, repeats.
#include <condition_variable>
#include <random>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "formats/time.hpp"
#include "oci/registry_client_state.hpp"

namespace slipway::oci {
namespace {

using formats::Json;
using net::HttpResponse;
using std::chrono::milliseconds;

constexpr int kMostAttempts = 5;
constexpr int kMostInsistence = 4;
constexpr auto kMostPause = std::chrono::seconds(30);
constexpr auto kProbeTime = std::chrono::seconds(15);

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

// Docker Hub's registry has another name than its images.
std::string authority_of(const std::string& host) {
  return host == "docker.io" ? "registry-1.docker.io" : host;
}

net::Url base_url(const std::string& scheme, const std::string& host) {
  auto url = net::parse_url(scheme + "://" + authority_of(host) + "/");
  if (!url) fail(Fault::bad_input, "'{}' is not a registry's host", host);
  return *url;
}

bool is_worth_repeating(int status) {
  return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

milliseconds pause_before(int attempt, const HttpResponse* response) {
  if (response) {
    if (auto seconds = to_integer(trim(response->headers.get("Retry-After")));
        seconds && *seconds >= 0) {
      return std::min<milliseconds>(std::chrono::seconds(std::min<long long>(*seconds, 3600)),
                                    kMostPause);
    }
  }
  thread_local std::minstd_rand random(std::random_device{}());
  const int base =
      200
      << attempt;  // milliseconds; half of it by chance, so that many clients do not come at once
  return milliseconds(base / 2 + std::uniform_int_distribution<int>(0, base / 2)(random));
}

}  // namespace

void pause(milliseconds span, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, span, [] { return false; });
  if (stop.stop_requested()) throw Cancelled();
}

std::string fallback_tag(const Digest& subject) {
  return fmt::format("{}-{}", subject.algorithm(), subject.hex().substr(0, 64));
}

std::string pull_scope(const std::string& repository) {
  return "repository:" + repository + ":pull";
}
std::string push_scope(const std::string& repository) {
  return "repository:" + repository + ":pull,push";
}

void throw_refusal(const HttpResponse& response, const std::string& host) {
  std::string code;
  std::string message;
  try {
    const Json json = formats::parse_json(response.body);
    const Json::Array& errors = json.get_array("errors");
    if (!errors.empty()) {
      code = errors[0].get_string("code");
      message = errors[0].get_string("message");
    }
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): not every registry (or what stands
                            // before it) speaks JSON
  }
  std::string words = to_lower(replace_all(code, "_", " "));
  if (!message.empty()) words += (words.empty() ? "" : ": ") + message;
  if (words.empty())
    words = fmt::format("status {} {}", response.status, net::reason_phrase(response.status));
  Fault fault = Fault::failed;
  if (response.status == 401 || response.status == 403) fault = Fault::denied;
  if (response.status == 404) fault = Fault::not_found;
  if (response.status == 405) fault = Fault::unsupported;
  if (response.status == 409 || response.status == 412 || code == "TAG_INVALID")
    fault = Fault::conflict;
  if (response.status == 429 || response.status >= 500) fault = Fault::unavailable;
  fail(fault, "registry '{}' says: {}", host, words);
}

const RegistryEndpoint* RegistryClient::State::endpoint_of(const std::string& host) const {
  for (const RegistryEndpoint& endpoint : options.endpoints) {
    if (matches_wildcard(endpoint.pattern, host)) return &endpoint;
  }
  return nullptr;
}

std::shared_ptr<RegistryAccess> RegistryClient::State::connect(const std::string& host,
                                                               const std::stop_token& stop) {
  const RegistryEndpoint* endpoint = endpoint_of(host);
  net::HttpClientOptions http;
  http.user_agent = options.user_agent;
  if (endpoint) {
    http.ca_file = endpoint->ca_file;
    if (!endpoint->connect_to.empty()) http.connect_to = {{"*", endpoint->connect_to}};
  }
  net::Url base = base_url(endpoint && endpoint->plain_http ? "http" : "https", host);
  auto access = std::make_shared<RegistryAccess>(host, base, http, options.credentials);
  if (endpoint || !is_loopback(base.host)) return access;
  // A registry on this machine may do without TLS, as for docker. Asking without first spares reading the machine's certificates;
  // a server with TLS answers that by an error, or not at all.
  auto plain =
      std::make_shared<RegistryAccess>(host, base_url("http", host), http, options.credentials);
  try {
    auto response = plain->client.request({.method = "GET", .url = plain->base.to_string() + "v2/"},
                                          stop, Deadline::in(kProbeTime));
    if (response.ok() || response.status == 401) return plain;
  } catch (const Error& error) {
    log.debug("registry '{}': not without TLS ({})", host, error.what());
  }
  return access;
}

std::shared_ptr<RegistryAccess> RegistryClient::State::access(const std::string& host,
                                                              const std::stop_token& stop) {
  auto known = [&] {
    return accesses.read([&](const auto& all) -> std::shared_ptr<RegistryAccess> {
      auto found = all.find(host);
      return found == all.end() ? nullptr : found->second;
    });
  };
  if (auto access = known()) return access;
  std::lock_guard one(connecting);  // the blobs of an image come here together
  if (auto access = known()) return access;
  auto fresh = connect(host, stop);
  return accesses.with([&](auto& all) { return all.emplace(host, fresh).first->second; });
}

std::vector<std::shared_ptr<RegistryAccess>> RegistryClient::State::readers(
    const std::string& host, const std::stop_token& stop) {
  std::vector<std::shared_ptr<RegistryAccess>> list;
  if (const RegistryEndpoint* endpoint = endpoint_of(host)) {
    for (const std::string& mirror : endpoint->mirrors) {
      list.push_back(accesses.with([&](auto& all) {
        auto& access = all["mirror " + mirror];
        if (!access) {
          auto url = net::parse_url(mirror);
          if (!url) fail(Fault::bad_input, "'{}' is no URL of a mirror", mirror);
          access = std::make_shared<RegistryAccess>(
              url->authority(), *url, net::HttpClientOptions{.user_agent = options.user_agent},
              options.credentials);
        }
        return access;
      }));
    }
  }
  list.push_back(access(host, stop));
  return list;
}

HttpResponse RegistryClient::State::send_authorised(RegistryAccess& access,
                                                    const RegistryRequest& request,
                                                    const std::stop_token& stop) {
  auto url = net::resolve_url(access.base, request.target);
  if (!url)
    fail(Fault::unavailable, "registry '{}' leads to '{}', which is no URL", access.host,
         request.target);
  // Credentials go to the registry itself only, wherever it may lead.
  bool is_own = url->host == access.base.host && url->port == access.base.port &&
                url->scheme == access.base.scheme;
  for (int round = 0;; ++round) {
    net::HttpRequest http{request.method, url->to_string(), request.headers, request.body};
    std::string sent;
    if (is_own) {
      sent = access.auth.header(request.scopes, stop).value_or("");
      if (!sent.empty()) http.headers.set("Authorization", sent);
    }
    if (round > 0 && request.exchange.rewind) request.exchange.rewind();
    HttpResponse response = access.client.request(http, stop, request.deadline, request.exchange);
    if (response.status != 401 || !is_own || round >= 2) return response;
    if (!access.auth.learn(response.headers.all("WWW-Authenticate"), request.scopes, sent, stop))
      return response;
  }
}

HttpResponse RegistryClient::State::insist(std::string_view what, Deadline deadline,
                                           const std::stop_token& stop,
                                           const std::function<HttpResponse()>& once,
                                           const std::function<bool(int status)>& is_passing) {
  for (int attempt = 0;; ++attempt) {
    bool is_last = attempt + 1 >= kMostInsistence || deadline.passed();
    milliseconds span{};
    try {
      HttpResponse answer = once();
      bool may_pass =
          is_worth_repeating(answer.status) || (is_passing && is_passing(answer.status));
      if (is_last || !may_pass) return answer;
      log.debug("{}: status {}, once more", what, answer.status);
      span = pause_before(attempt, &answer);
    } catch (const Error& error) {
      if (is_last || error.fault() != Fault::unavailable) throw;
      log.debug("{}: {}, once more", what, error.what());
      span = pause_before(attempt, nullptr);
    }
    pause(span, stop);
  }
}

HttpResponse RegistryClient::State::send(RegistryAccess& access, const RegistryRequest& request,
                                         const std::stop_token& stop) {
  for (int attempt = 0;; ++attempt) {
    bool is_last = !request.may_repeat || attempt + 1 >= kMostAttempts;
    milliseconds span{};
    try {
      HttpResponse response = send_authorised(access, request, stop);
      if (is_last || !is_worth_repeating(response.status)) return response;
      span = pause_before(attempt, &response);
      log.debug("registry '{}': status {}, asking again", access.host, response.status);
    } catch (const Error& error) {
      if (is_last || error.fault() != Fault::unavailable || request.deadline.passed() ||
          attempt >= 2)
        throw;
      span = pause_before(attempt, nullptr);
      log.debug("{}: asking again", error.what());
    }
    pause(span, stop);
    if (request.exchange.rewind) request.exchange.rewind();
  }
}

}  // namespace slipway::oci
