// SPDX-License-Identifier: Apache-2.0
#include "oci/htpasswd.hpp"

#include <crypt.h>

#include <memory>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"

namespace slipway::oci {
namespace {

constexpr std::string_view kSha256 = "{SHA256}";

bool is_crypt(std::string_view hash) {
  return hash.size() > 10 && hash[0] == '$' && hash.find('$', 1) != std::string_view::npos &&
         !hash.starts_with("$apr1$");
}
bool is_sha256(std::string_view hash) {
  return hash.starts_with(kSha256) && hash.size() == kSha256.size() + 64;
}

}  // namespace

HtpasswdPolicy::HtpasswdPolicy(std::string_view text, const std::string& file)
    : salt_(random_bytes(32)) {
  int number = 0;
  for (std::string_view line : lines_of(text)) {
    ++number;
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    auto colon = line.find(':');
    std::string_view hash = colon == std::string_view::npos ? "" : line.substr(colon + 1);
    if (colon == 0 || !(is_crypt(hash) || is_sha256(hash))) {
      fail(Fault::bad_input,
           "{}:{}: 'USER:HASH' is expected, HASH being bcrypt's (htpasswd -B) or {{SHA256}}HEX",
           file, number);
    }
    hashes_[std::string(line.substr(0, colon))] = hash;
  }
}

bool HtpasswdPolicy::fits(const std::string& hash, const std::string& password) const {
  if (is_sha256(hash))
    return formats::equals_in_constant_time(formats::sha256_hex(password),
                                            std::string_view(hash).substr(kSha256.size()));
  auto memory = std::make_unique<crypt_data>();
  const char* made = ::crypt_r(password.c_str(), hash.c_str(), memory.get());
  return made && made[0] != '*' && formats::equals_in_constant_time(made, hash);
}

bool HtpasswdPolicy::admits(const std::string& user, const std::string& password) const {
  auto known = hashes_.find(user);
  if (known == hashes_.end()) {
    // As long as for a known one: the time is not to tell who there is.
    if (!hashes_.empty()) static_cast<void>(fits(hashes_.begin()->second, password));
    return false;
  }
  std::string mark = formats::sha256_hex(salt_ + password);
  bool was_admitted = admitted_.read([&](const auto& all) {
    auto found = all.find(user);
    return found != all.end() && formats::equals_in_constant_time(found->second, mark);
  });
  if (was_admitted) return true;
  if (!fits(known->second, password)) return false;
  admitted_.with([&](auto& all) { all[user] = mark; });
  return true;
}

std::optional<net::HttpResponse> HtpasswdPolicy::authorise(const net::ServerRequest& request,
                                                           RegistryAction, std::string_view) {
  constexpr const char* kChallenge = "Basic realm=\"slipway registry\"";
  auto who = basic_credentials(request);
  if (!who) return unauthorized(kChallenge);
  if (!admits(who->user, who->password)) return unauthorized(kChallenge, "wrong user or password");
  return std::nullopt;
}

}  // namespace slipway::oci
