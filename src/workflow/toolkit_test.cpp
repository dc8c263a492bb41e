// SPDX-License-Identifier: Apache-2.0
// The toolkit's services over HTTP, as its clients speak to them.
#include <doctest/doctest.h>

#include "base/task_group.hpp"
#include "base/text.hpp"
#include "formats/gzip.hpp"
#include "formats/zstd.hpp"
#include "net/http_client.hpp"
#include "os/file.hpp"
#include "workflow/toolkit_server.hpp"

using namespace slipway;
using namespace slipway::workflow;
using formats::Json;

namespace {

class Services {
 public:
  Services() {
    group_.start([this](const std::stop_token& stop) { server_.run(stop); });
    grant = server_.admit(job("refs/heads/main"), std::nullopt);
  }
  static ToolkitJob job(const std::string& ref) {
    return {.run_id = "7",
            .job = "test",
            .repository = "octo/app",
            .scope = cache_scope(Json::object({{"ref", ref}}))};
  }
  void use(const std::string& ref) { grant = server_.admit(job(ref), std::nullopt); }
  net::HttpResponse send(const std::string& method, const std::string& url, const std::string& body,
                         net::Headers headers = {}) {
    return client_.request(
        {.method = method, .url = url, .headers = std::move(headers), .body = body}, {},
        Deadline::in(std::chrono::seconds(20)));
  }
  Json call(const std::string& method, const Json& request, int status = 200) {
    auto answer = send("POST", grant.service_url + "twirp/github.actions.results.api.v1." + method,
                       request.dump(), {{"Authorization", "Bearer " + grant.runtime_token}});
    CHECK(answer.status == status);
    return formats::parse_json(answer.body);
  }
  net::HttpResponse v1(const std::string& method, const std::string& resource,
                       const std::string& body = "", net::Headers headers = {}) {
    headers.set("Authorization", "Bearer " + grant.runtime_token);
    return send(method, grant.service_url + "_apis/artifactcache/" + resource, body, headers);
  }
  void put_blocks(const std::string& url, const std::vector<std::string>& blocks) {
    std::string list = "<?xml version=\"1.0\"?><BlockList>";
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      auto id = base64(fmt::format("block-{:04}", i));
      CHECK(send("PUT", url + "&comp=block&blockid=" + replace_all(id, "=", "%3D"), blocks[i])
                .status == 201);
      list += "<Latest>" + id + "</Latest>";
    }
    CHECK(send("PUT", url + "&comp=blocklist", list + "</BlockList>").status == 201);
  }
  os::TempDir directory;
  ToolkitServer::Grant grant;

 private:
  NoLog log_;
  OidcIssuer issuer_{directory.path() / "oidc"};
  ToolkitServer server_{"127.0.0.1:0",
                        issuer_,
                        {.caches = directory.path() / "cache", .runs = directory.path() / "runs"},
                        log_};
  net::HttpClient client_;
  TaskGroup group_{std::stop_token{}};
};

Json ids(std::initializer_list<std::pair<std::string, Json>> more) {
  auto json =
      Json::object({{"workflow_run_backend_id", "7"}, {"workflow_job_run_backend_id", "test"}});
  for (const auto& [name, value] : more) json[name] = value;
  return json;
}

}  // namespace

TEST_CASE(
    "an artifact is uploaded in blocks, listed, downloaded whole and by ranges, and deleted") {
  Services services;
  auto created =
      services.call("ArtifactService/CreateArtifact", ids({{"name", "site"}, {"version", 7}}));
  services.put_blocks(created.get_string("signed_upload_url"), {"hello ", "wor", "ld"});
  services.call("ArtifactService/FinalizeArtifact", ids({{"name", "site"}, {"size", "12"}}), 400);
  created = services.call("ArtifactService/CreateArtifact", ids({{"name", "site"}}));
  services.put_blocks(created.get_string("signed_upload_url"), {"hello ", "wor", "ld"});
  auto done =
      services.call("ArtifactService/FinalizeArtifact", ids({{"name", "site"}, {"size", "11"}}));
  CHECK(done.get_bool("ok"));
  CHECK(services.call("ArtifactService/CreateArtifact", ids({{"name", "site"}}), 409)
            .get_string("code") == "already_exists");
  auto list = services.call("ArtifactService/ListArtifacts",
                            ids({{"id_filter", done.get_string("artifact_id")}}));
  REQUIRE(list.get_array("artifacts").size() == 1);
  CHECK(list.get_array("artifacts")[0].get_string("name") == "site");
  auto url = services.call("ArtifactService/GetSignedArtifactURL", ids({{"name", "site"}}))
                 .get_string("signed_url");
  CHECK(services.send("GET", url, "").body == "hello world");
  auto part = services.send("GET", url, "", {{"Range", "bytes=6-8"}});
  CHECK(part.status == 206);
  CHECK(part.body == "wor");
  CHECK(part.headers.get("Content-Range") == "bytes 6-8/11");
  CHECK(services.send("GET", url, "", {{"Range", "bytes=11-"}}).status == 416);
  CHECK(services.send("PUT", url, "x", {{"x-ms-blob-type", "BlockBlob"}}).status == 403);
  CHECK(services.call("ArtifactService/DeleteArtifact", ids({{"name", "site"}})).get_bool("ok"));
  services.call("ArtifactService/GetSignedArtifactURL", ids({{"name", "site"}}), 404);
}

TEST_CASE("a cache of one branch is not another's, and the default branch's is everybody's") {
  Services services;
  auto request = Json::object({{"key", "npm-1"}, {"version", "v"}});
  auto save = [&] {
    auto url =
        services.call("CacheService/CreateCacheEntry", request).get_string("signed_upload_url");
    CHECK(services.send("PUT", url, "archive", {{"x-ms-blob-type", "BlockBlob"}}).status == 201);
    request["size_bytes"] = "7";
    CHECK(services.call("CacheService/FinalizeCacheEntryUpload", request).get_bool("ok"));
  };
  auto finds = [&](const std::string& key, const std::string& version = "v") {
    auto found = services.call(
        "CacheService/GetCacheEntryDownloadURL",
        Json::object(
            {{"key", key}, {"restore_keys", Json::array({"npm-"})}, {"version", version}}));
    return found.get_bool("ok")
               ? services.send("GET", found.get_string("signed_download_url"), "").body
               : "";
  };
  services.use("refs/heads/feature");
  save();
  CHECK(finds("npm-2") == "archive");
  CHECK(finds("npm-1", "other").empty());
  services.call("CacheService/CreateCacheEntry", request, 409);
  services.use("refs/heads/other");
  CHECK(finds("npm-1").empty());
  services.use("refs/heads/main");
  CHECK(finds("npm-1").empty());
  save();
  services.use("refs/heads/other");
  CHECK(finds("npm-1") == "archive");
}

TEST_CASE("the first cache service: reserve, chunks in any order, commit, look up") {
  Services services;
  auto reserved = services.v1("POST", "caches", R"({"key":"k-1","version":"v","cacheSize":8})");
  CHECK(reserved.status == 201);
  auto id = std::to_string(formats::parse_json(reserved.body).get_int("cacheId"));
  CHECK(services.v1("POST", "caches", R"({"key":"k-1","version":"v"})").status == 409);
  CHECK(services.v1("PATCH", "caches/" + id, "5678", {{"Content-Range", "bytes 4-7/*"}}).status ==
        204);
  CHECK(services.v1("PATCH", "caches/" + id, "1234", {{"Content-Range", "bytes 0-3/*"}}).status ==
        204);
  CHECK(services.v1("GET", "cache?keys=k-1&version=v").status == 204);
  CHECK(services.v1("POST", "caches/" + id, R"({"size":8})").status == 204);
  auto hit = services.v1("GET", "cache?keys=k-2,k-&version=v");
  CHECK(hit.status == 200);
  auto found = formats::parse_json(hit.body);
  CHECK(found.get_string("cacheKey") == "k-1");
  CHECK(services.send("GET", found.get_string("archiveLocation"), "").body == "12345678");
}

TEST_CASE("a token of another run, or none, is refused; a dismissed one is worth nothing") {
  Services services;
  auto request = Json::object({{"workflow_run_backend_id", "8"}, {"name", "x"}});
  CHECK(services.call("ArtifactService/CreateArtifact", request, 403).get_string("code") ==
        "permission_denied");
  services.call("ArtifactService/CreateArtifact", ids({{"name", "../x"}}), 400);
  services.grant.runtime_token = "forged";
  services.call("ArtifactService/ListArtifacts", ids({}), 401);
  CHECK(
      services.send("PUT", services.grant.service_url + "blobs/slipway/x?sig=guess", "x").status ==
      403);
}

TEST_CASE("a plain archive is compressed for a client that expects it to be") {
  os::TempDir directory;
  CacheStore store(directory.path(), "octo/app");
  for (const char* compression : {"zstd-without-long", "gzip"}) {
    auto version = cache_version({"node_modules"}, compression);
    auto upload = store.make_upload_directory();
    os::write_file(upload / "a", std::string(100000, 'a'));
    auto entry = store.save(
        {.key = "k", .version = version, .ref = "refs/heads/main", .expected = compression},
        upload / "a");
    REQUIRE(entry);
    store.compress(*entry);
    auto bytes = os::read_file(entry->archive);
    CHECK(bytes.size() < 10000);
    CHECK((formats::looks_like_zstd(bytes) || formats::looks_like_gzip(bytes)));
    store.compress(*entry);
    CHECK(os::read_file(entry->archive) == bytes);
  }
}

TEST_CASE("byte ranges as clients write them") {
  CHECK(parse_range("bytes=0-0", 10) == ByteRange{0, 1});
  CHECK(parse_range("bytes=4-", 10) == ByteRange{4, 6});
  CHECK(parse_range("bytes=-3", 10) == ByteRange{7, 3});
  CHECK(parse_range("bytes=4-99", 10) == ByteRange{4, 6});
  for (const char* bad : {"bytes=10-", "bytes=-0", "bytes=5-4", "bytes=a-b", "bytes=1-2,4-5",
                          "items=0-1", "bytes=", "bytes=-"}) {
    CAPTURE(bad);
    CHECK(!parse_range(bad, 10));
  }
  CHECK(!parse_range("bytes=0-", 0));
}
