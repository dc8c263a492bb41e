// SPDX-License-Identifier: Apache-2.0
#include "aws/sign.hpp"

#include <algorithm>
#include <ctime>
#include <map>

#include "base/text.hpp"
#include "formats/sha256.hpp"
#include "net/url.hpp"

namespace slipway::aws {
namespace {

std::string amz_date(long long epoch) {
  auto time = static_cast<std::time_t>(epoch);
  std::tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

// Runs of spaces become one, none at the ends.
std::string folded(std::string_view value) {
  std::string out;
  for (char c : trim(value)) {
    if (c == ' ' && !out.empty() && out.back() == ' ') continue;
    out += c;
  }
  return out;
}

// Removes "." and ".." and doubled slashes, as every service but S3 does before it signs.
std::string normal_path(const std::string& path) {
  std::vector<std::string> kept;
  for (const auto& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!kept.empty()) kept.pop_back();
      continue;
    }
    kept.push_back(part);
  }
  std::string out = "/" + join(kept, "/");
  if (out.size() > 1 && path.ends_with("/")) out += "/";
  return out;
}

// Parameters sorted by their encoded name, then value; a name without "=" gets one.
std::string canonical_query(const std::string& query) {
  if (query.empty()) return "";
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& part : split(query, '&')) {
    if (part.empty()) continue;
    auto at = part.find('=');
    pairs.emplace_back(part.substr(0, at), at == std::string::npos ? "" : part.substr(at + 1));
  }
  std::sort(pairs.begin(), pairs.end());
  std::string out;
  for (const auto& [name, value] : pairs) out += (out.empty() ? "" : "&") + name + "=" + value;
  return out;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> sign(const SignableRequest& request,
                                                      const Credentials& credentials,
                                                      const std::string& region,
                                                      const std::string& service, long long epoch,
                                                      bool double_encode_path) {
  std::string date = amz_date(epoch);
  std::string scope = fmt::format("{}/{}/{}/aws4_request", date.substr(0, 8), region, service);
  std::map<std::string, std::string> headers;
  for (const auto& [name, value] : request.headers) {
    auto& joined = headers[to_lower(name)];
    joined += (joined.empty() ? "" : ",") + folded(value);
  }
  headers["x-amz-date"] = date;
  if (!credentials.session_token.empty())
    headers["x-amz-security-token"] = credentials.session_token;
  std::string names;
  std::string lines;
  for (const auto& [name, value] : headers) {
    names += (names.empty() ? "" : ";") + name;
    lines += name + ":" + value + "\n";
  }
  std::string path =
      double_encode_path ? net::percent_encode(normal_path(request.path), true) : request.path;
  std::string canonical =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, path, canonical_query(request.query),
                  lines, names, formats::sha256_hex(request.body));
  std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", date, scope, formats::sha256_hex(canonical));
  std::string key = formats::hmac_sha256("AWS4" + credentials.secret_access_key, date.substr(0, 8));
  key = formats::hmac_sha256(key, region);
  key = formats::hmac_sha256(key, service);
  key = formats::hmac_sha256(key, "aws4_request");
  std::vector<std::pair<std::string, std::string>> out;
  out.emplace_back("X-Amz-Date", date);
  if (!credentials.session_token.empty())
    out.emplace_back("X-Amz-Security-Token", credentials.session_token);
  out.emplace_back("Authorization",
                   fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                               credentials.access_key_id, scope, names,
                               hex(formats::hmac_sha256(key, to_sign))));
  return out;
}

}  // namespace slipway::aws
