// SPDX-License-Identifier: Apache-2.0
#include "image/actions_cache.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"
#include "formats/xml.hpp"
#include "net/url.hpp"

namespace slipway::image {
namespace {

using formats::Json;

constexpr std::string_view kService = "twirp/github.actions.results.api.v1.CacheService/";
constexpr std::uint64_t kBlock = 8u << 20;  // bytes of a request; Azure takes 50,000 of them
constexpr int kMostAttempts = 5;
constexpr auto kCallTime = std::chrono::minutes(2);

// Entries are told apart by key and version. All of BuildKit's have this one: its keys say it all.
const std::string& cache_service_version() {
  static const std::string kVersion = formats::sha256_hex("|go-actionscache-1.0");
  return kVersion;
}

bool is_passing(int status) { return status == 429 || status >= 500; }

// Half a second, one, two …, or what the service asks for; ends early when stopped.
void wait_before(int attempt, const net::HttpResponse* answer, const std::stop_token& stop) {
  std::chrono::milliseconds span(500 << attempt);
  if (answer) {
    auto asked = to_integer(trim(answer->headers.get("Retry-After")));
    if (asked && *asked >= 0) span = std::chrono::seconds(std::min<long long>(*asked, 60));
  }
  Guarded<int> never;
  never.wait(
      stop, Deadline::in(span), [](int) { return false; }, [](int) {});
  if (stop.stop_requested()) throw Cancelled();
}

std::string address_without_query(const std::string& url) { return url.substr(0, url.find('?')); }

[[noreturn]] void refuse_answer(std::string_view what, const net::HttpResponse& answer) {
  std::string words;
  try {
    words = formats::parse_json(answer.body).get_string("msg");
  } catch (
      const Error&) {  // NOLINT(bugprone-empty-catch): what stands before the service may speak HTML
  }
  fail(answer.status == 401 || answer.status == 403 ? Fault::denied : Fault::unavailable,
       "the actions cache: {}: status {}{}{}", what, answer.status, words.empty() ? "" : ", ",
       words);
}

}  // namespace

ActionsCache::ActionsCache(std::string results_url, std::string token)
    : results_url_(std::move(results_url)), token_(std::move(token)) {
  if (!results_url_.ends_with('/')) results_url_ += '/';
}

net::HttpResponse ActionsCache::send(const net::HttpRequest& request, const std::stop_token& stop) {
  for (int attempt = 0;; ++attempt) {
    bool is_last = attempt + 1 >= kMostAttempts;
    try {
      auto answer = client_.request(request, stop, Deadline::in(kCallTime));
      if (is_last || !is_passing(answer.status)) return answer;
      wait_before(attempt, &answer, stop);
    } catch (const Error& error) {
      if (is_last || error.fault() != Fault::unavailable) throw;
      wait_before(attempt, nullptr, stop);
    }
  }
}

// Nothing when the service says that the entry exists already.
std::optional<Json> ActionsCache::call(std::string_view method, Json request,
                                       const std::stop_token& stop) {
  request["version"] = cache_service_version();
  net::HttpRequest http{
      .method = "POST",
      .url = fmt::format("{}{}{}", results_url_, kService, method),
      .headers = {{"Authorization", "Bearer " + token_}, {"Content-Type", "application/json"}},
      .body = request.dump()};
  auto answer = send(http, stop);
  if (answer.status == 409) return std::nullopt;
  if (!answer.ok()) refuse_answer(method, answer);
  return formats::parse_json(answer.body, "answer of the actions cache");
}

std::optional<ActionsCache::Hit> ActionsCache::find(const std::string& key,
                                                    const std::string& prefix,
                                                    const std::stop_token& stop) {
  Json prefixes = Json::array();
  if (!prefix.empty()) prefixes.push_back(prefix);
  auto answer = call("GetCacheEntryDownloadURL",
                     Json::object({{"key", key}, {"restore_keys", prefixes}}), stop);
  if (!answer || !answer->get_bool("ok")) return std::nullopt;
  Hit hit{answer->get_string("matched_key", key), answer->get_string("signed_download_url")};
  bool is_ours = hit.key == key || (!prefix.empty() && hit.key.starts_with(prefix));
  return is_ours && !hit.url.empty() ? std::optional(std::move(hit)) : std::nullopt;
}

void ActionsCache::download(const Hit& hit, formats::Writer& sink, const std::stop_token& stop) {
  bool has_begun = false;
  for (int attempt = 0;; ++attempt) {
    auto answer = client_.request({.url = hit.url}, stop, Deadline::in(std::chrono::hours(1)),
                                  {.on_head =
                                       [&](const net::HttpResponse& head) {
                                         has_begun = head.ok();
                                         return head.ok() ? &sink : nullptr;
                                       },
                                   .redirects = 5});
    if (answer.ok()) return;
    if (has_begun || attempt + 1 >= kMostAttempts || !is_passing(answer.status))
      refuse_answer("downloading " + address_without_query(hit.url), answer);
    wait_before(attempt, &answer, stop);
  }
}

void ActionsCache::upload(const std::string& url, const os::Fd& file, std::uint64_t size,
                          const std::stop_token& stop) {
  auto put = [&](const std::string& address, std::string body, net::Headers headers) {
    headers.set("x-ms-version", "2020-10-02");
    auto answer = send({"PUT", address, std::move(headers), std::move(body)}, stop);
    if (!answer.ok()) refuse_answer("uploading to " + address_without_query(url), answer);
  };
  auto bytes = [&](std::uint64_t begin) {
    formats::FileRangeReader part(file.get(), begin, std::min(kBlock, size - begin));
    return formats::read_all(part);
  };
  if (size <= kBlock) return put(url, bytes(0), {{"x-ms-blob-type", "BlockBlob"}});
  const std::string more = url.find('?') == std::string::npos ? "?" : "&";
  formats::XmlWriter list(true);
  list.open("BlockList");
  for (std::uint64_t begin = 0; begin < size; begin += kBlock) {
    std::string id = base64(fmt::format("{:08}", begin / kBlock));
    put(url + more + net::print_query({{"comp", "block"}, {"blockid", id}}), bytes(begin), {});
    list.element("Latest", id);
  }
  list.close();
  put(url + more + "comp=blocklist", list.str(), {{"Content-Type", "application/xml"}});
}

bool ActionsCache::save(const std::string& key, const os::Fd& file, std::uint64_t size,
                        const std::stop_token& stop) {
  auto begun = call("CreateCacheEntry", Json::object({{"key", key}}), stop);
  if (!begun || !begun->get_bool("ok")) return false;
  upload(begun->get_string("signed_upload_url"), file, size, stop);
  auto ended =
      call("FinalizeCacheEntryUpload",
           Json::object({{"key", key}, {"size_bytes", static_cast<std::int64_t>(size)}}), stop);
  return ended && ended->get_bool("ok");
}

std::string layer_key(const oci::Digest& digest) { return "buildkit-blob-1-" + digest.str(); }

std::string index_prefix(std::string_view scope) {
  return fmt::format("slipway-index-1-{}#", scope);
}

std::string next_index_key(std::string_view scope, const std::optional<std::string>& last) {
  std::string prefix = index_prefix(scope);
  long long number = 0;
  if (last && last->starts_with(prefix))
    number = to_integer(std::string_view(*last).substr(prefix.size())).value_or(0);
  return fmt::format("{}{}", prefix, number + 1);
}

}  // namespace slipway::image
