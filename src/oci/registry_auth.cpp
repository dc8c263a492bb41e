// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_auth.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"

namespace slipway::oci {
namespace {

using formats::Json;

constexpr auto kTokenTime = std::chrono::seconds(30);

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Reads names, values and quoted strings of a challenge from its front.
class Scanner final {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}
  void skip(std::string_view characters) {
    std::size_t at = rest_.find_first_not_of(characters);
    rest_ = at == std::string_view::npos ? "" : rest_.substr(at);
  }
  std::string_view token() {
    std::size_t at = 0;
    while (at < rest_.size() && is_token_char(rest_[at])) ++at;
    std::string_view found = rest_.substr(0, at);
    rest_ = rest_.substr(at);
    return found;
  }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_ = rest_.substr(1);
    return true;
  }
  std::string value() {
    if (!take('"')) return std::string(token());
    std::string text;
    while (!rest_.empty() && rest_[0] != '"') {
      if (rest_[0] == '\\' && rest_.size() > 1) rest_ = rest_.substr(1);
      text += rest_[0];
      rest_ = rest_.substr(1);
    }
    take('"');
    return text;
  }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] bool starts_with(char c) const { return rest_.starts_with(c); }

 private:
  std::string_view rest_;
};

bool is_address(std::string_view host) {
  return host.find(':') != std::string_view::npos ||
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::string domain_of(const std::string& host) {
  if (is_address(host)) return "";
  std::string parent = host.substr(std::min(host.size(), host.find('.') + 1));
  if (host.find('.') == std::string::npos || parent.find('.') == std::string::npos) return "";
  // "co.uk" is nobody's domain.
  auto labels = split(parent, '.');
  bool is_public = labels.size() == 2 && labels[1].size() == 2 && labels[0].size() <= 3;
  return is_public ? "" : parent;
}

std::string with_space(const std::vector<std::string>& scopes) { return join(scopes, " "); }

}  // namespace

std::vector<Challenge> parse_challenges(std::string_view header) {
  std::vector<Challenge> found;
  Scanner scan(header);
  for (scan.skip(" \t,"); !scan.at_end(); scan.skip(" \t,")) {
    std::string_view name = scan.token();
    if (name.empty()) break;
    scan.skip(" \t");
    if (!scan.starts_with('=')) {
      found.push_back({to_lower(name), {}});
      continue;
    }
    scan.take('=');
    scan.skip(" \t");
    std::string value = scan.value();
    if (found.empty()) break;
    found.back().parameters[to_lower(name)] = value;
  }
  return found;
}

bool is_trusted_realm(const net::Url& registry, const net::Url& realm) {
  if (registry.scheme == "https" && realm.scheme != "https") return false;
  if (registry.host == realm.host) return true;
  if (is_address(registry.host) || is_address(realm.host)) return false;
  if (realm.host.ends_with("." + registry.host) && registry.host.find('.') != std::string::npos)
    return true;
  std::string domain = domain_of(registry.host);
  return !domain.empty() && (realm.host == domain || realm.host.ends_with("." + domain));
}

std::optional<Credentials> RegistryAuth::credentials() {
  auto known = state_.read([](const State& state) { return state.credentials; });
  if (known) return *known;
  auto found = credentials_ ? credentials_(host_) : std::nullopt;
  state_.with([&](State& state) { state.credentials = found; });
  return found;
}

std::optional<std::string> RegistryAuth::header(const std::vector<std::string>& scopes,
                                                const std::stop_token& stop) {
  State state = state_.read([](const State& now) { return now; });
  if (!state.challenge) return std::nullopt;
  if (state.challenge->scheme == "basic") {
    auto who = credentials();
    if (!who) return std::nullopt;
    return "Basic " + base64(who->username + ":" + who->password);
  }
  auto found = state.tokens.find(with_space(scopes));
  if (found != state.tokens.end() && !found->second.expires.passed())
    return "Bearer " + found->second.text;
  Token token = fetch_token(*state.challenge, scopes, stop);
  state_.with([&](State& now) { now.tokens.insert_or_assign(with_space(scopes), token); });
  return "Bearer " + token.text;
}

bool RegistryAuth::learn(const std::vector<std::string>& headers,
                         const std::vector<std::string>& scopes, const std::string& sent,
                         const std::stop_token& stop) {
  std::vector<Challenge> all;
  for (const std::string& header : headers) {
    for (Challenge& challenge : parse_challenges(header)) all.push_back(std::move(challenge));
  }
  auto pick = [&](std::string_view scheme) {
    return std::find_if(all.begin(), all.end(),
                        [&](const Challenge& challenge) { return challenge.scheme == scheme; });
  };
  auto chosen = pick("bearer");
  if (chosen == all.end()) chosen = pick("basic");
  if (chosen == all.end()) return false;
  bool sent_before = !sent.empty();
  if (chosen->scheme == "basic") {
    if (sent_before || !credentials()) return false;
    state_.with([&](State& state) { state.challenge = *chosen; });
    return true;
  }
  state_.with([&](State& state) {
    if (state.challenge && state.challenge->scheme == "bearer" && sent.starts_with("Bearer "))
      state.tokens.erase(with_space(scopes));
    state.challenge = *chosen;
  });
  auto fresh = header(scopes, stop);
  return fresh && *fresh != sent;
}

RegistryAuth::Token RegistryAuth::fetch_token(const Challenge& challenge,
                                              const std::vector<std::string>& scopes,
                                              const std::stop_token& stop) {
  auto parameter = [&](const char* name) {
    auto found = challenge.parameters.find(name);
    return found == challenge.parameters.end() ? std::string() : found->second;
  };
  auto realm = net::parse_url(parameter("realm"));
  if (!realm)
    fail(Fault::unavailable, "registry '{}' names no place to get a token from ('{}')", host_,
         parameter("realm"));
  auto who = credentials();
  if (!is_trusted_realm(base_, *realm)) {
    fail(Fault::denied,
         "registry '{}' wants its users to identify themselves at '{}', which is not its own "
         "domain: refused",
         host_, realm->authority());
  }
  std::vector<std::pair<std::string, std::string>> form;
  if (std::string service = parameter("service"); !service.empty())
    form.emplace_back("service", service);
  net::HttpRequest request;
  if (who && !who->identity_token.empty()) {
    form.emplace_back("grant_type", "refresh_token");
    form.emplace_back("client_id", "slipway");
    form.emplace_back("refresh_token", who->identity_token);
    form.emplace_back("scope", with_space(scopes));
    request.method = "POST";
    request.url = realm->to_string();
    request.headers.set("Content-Type", "application/x-www-form-urlencoded");
    request.body = net::print_query(form);
  } else {
    for (const std::string& scope : scopes) form.emplace_back("scope", scope);
    if (who) {
      form.emplace_back("account", who->username);
      request.headers.set("Authorization", "Basic " + base64(who->username + ":" + who->password));
    }
    realm->query += (realm->query.empty() ? "" : "&") + net::print_query(form);
    request.url = realm->to_string();
  }
  net::HttpResponse answer =
      client_.request(request, stop, Deadline::in(kTokenTime), {.most_body_bytes = 1u << 20});
  if (answer.status == 401 || answer.status == 403) {
    fail(Fault::denied, "registry '{}' refuses {}", host_,
         who ? "these credentials" : "access without credentials");
  }
  if (!answer.ok())
    fail(Fault::unavailable, "getting a token for registry '{}': status {}", host_, answer.status);
  Json json = while_doing(fmt::format("token of registry '{}'", host_),
                          [&] { return formats::parse_json(answer.body); });
  Token token;
  token.text = json.get_string("token", json.get_string("access_token"));
  if (token.text.empty()) fail(Fault::unavailable, "registry '{}' gave no token", host_);
  constexpr std::int64_t kUsual = 60;
  std::int64_t seconds =
      std::clamp<std::int64_t>(json.get_int("expires_in", kUsual), kUsual / 2, 24 * 3600);
  token.expires =
      Deadline::in(std::chrono::seconds(seconds - 5));  // by our clock: issued_at is theirs
  return token;
}

}  // namespace slipway::oci
