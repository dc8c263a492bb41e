// SPDX-License-Identifier: Apache-2.0
// The registry over real HTTP, asked by a bare client.
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "oci/test_registry.hpp"

namespace slipway::oci {
namespace {

using net::HttpResponse;

std::string code_of(const HttpResponse& response) {
  return formats::parse_json(response.body).at("errors").at(std::size_t{0}).get_string("code");
}

TEST_CASE("paths are taken apart") {
  using Kind = RegistryPath::Kind;
  CHECK(parse_registry_path("/v2").kind == Kind::ping);
  CHECK(parse_registry_path("/v2/").kind == Kind::ping);
  CHECK(parse_registry_path("/v2/_catalog").kind == Kind::catalog);
  CHECK(parse_registry_path("/v2/a/b/tags/list").repository == "a/b");
  CHECK(parse_registry_path("/v2/a/blobs/uploads/").kind == Kind::uploads);
  CHECK(parse_registry_path("/v2/a/blobs/uploads").kind == Kind::uploads);
  CHECK(parse_registry_path("/v2/a/blobs/uploads/123").argument == "123");
  RegistryPath nested = parse_registry_path("/v2/manifests/blobs/blobs/sha256%3Aab");
  CHECK(nested.kind == Kind::blob);
  CHECK(nested.repository == "manifests/blobs");
  CHECK(nested.argument == "sha256:ab");
  for (const char* path : {"/v2/a", "/v2/manifests/x", "/v1/", "/v2/a/manifests", "/v2//", "/v2/%",
                           "/v2/a/manifests/x%00"}) {
    INFO(path);
    CHECK(parse_registry_path(path).kind == Kind::unknown);
  }
}

TEST_CASE("ranges are read as RFC 9110 has them") {
  using Kind = RangeAnswer::Kind;
  CHECK(parse_range("bytes=0-3", 10) == RangeAnswer{Kind::part, {ByteRange{0, 3}}});
  CHECK(parse_range("Bytes=0-3", 10) == RangeAnswer{Kind::part, {ByteRange{0, 3}}});
  CHECK(parse_range("bytes=5-", 10) == RangeAnswer{Kind::part, {ByteRange{5, 9}}});
  CHECK(parse_range("bytes=-3", 10) == RangeAnswer{Kind::part, {ByteRange{7, 9}}});
  CHECK(parse_range("bytes=-30", 10) == RangeAnswer{Kind::part, {ByteRange{0, 9}}});
  CHECK(parse_range("bytes=5-1000", 10) == RangeAnswer{Kind::part, {ByteRange{5, 9}}});
  CHECK(parse_range("bytes=1-2, 4-5,20-30,-1", 10) ==
        RangeAnswer{Kind::part, {ByteRange{1, 2}, ByteRange{4, 5}, ByteRange{9, 9}}});
  CHECK(parse_range("bytes=1-2,20-30", 10) == RangeAnswer{Kind::part, {ByteRange{1, 2}}});
  for (const char* text : {"bytes=10-", "bytes=5-2", "bytes=-0", "bytes=500-1000", "bytes=10-,11-"})
    CHECK(parse_range(text, 10).kind == Kind::unsatisfiable);
  for (const char* text : {"", "lines=1-2", "bytes=0-5,4-9", "bytes=0-1,", "bytes=a-b", "bytes=-",
                           "bytes=+1-2", "bytes=99999999999999999999-"}) {
    CHECK(parse_range(text, 10).kind == Kind::whole);
  }
  CHECK(parse_content_range("0-9") == ByteRange{0, 9});
  CHECK(parse_content_range("bytes 5-9/10") == ByteRange{5, 9});
  for (const char* text : {"", "9-0", "a-b", "-5", "5-", "0 - 9"})
    CHECK_FALSE(parse_content_range(text));
}

TEST_CASE("an image goes up and comes down byte for byte") {
  TestRegistry registry;
  std::string digest = registry.push_image("a/b", "v1", "layer");
  HttpResponse got = registry.ask("GET", "/v2/a/b/manifests/v1");
  CHECK(got.status == 200);
  CHECK(got.headers.get("Docker-Content-Digest") == digest);
  CHECK(got.headers.get("Content-Type") == media_type::kManifest);
  CHECK(Digest::of(got.body).str() == digest);
  HttpResponse head = registry.ask("HEAD", "/v2/a/b/manifests/" + digest);
  CHECK(head.status == 200);
  CHECK(head.headers.get("Content-Length") == std::to_string(got.body.size()));
  CHECK(registry.ask("GET", "/v2/a/b/blobs/" + Digest::of("layer").str()).body == "layer");
  CHECK(registry.ask("GET", "/v2/a/b/tags/list").body.find("[\"v1\"]") != std::string::npos);
  CHECK(registry.ask("GET", "/v2/a/b/manifests/v1", "", {{"If-None-Match", "\"" + digest + "\""}})
            .status == 304);
}

TEST_CASE("what is not there is 404 with the right code") {
  TestRegistry registry;
  registry.push_image("a/b", "v1", "layer");
  std::string sum = Digest::of("none").str();
  CHECK(code_of(registry.ask("GET", "/v2/none/manifests/x")) == "NAME_UNKNOWN");
  CHECK(code_of(registry.ask("GET", "/v2/none/tags/list")) == "NAME_UNKNOWN");
  CHECK(code_of(registry.ask("GET", "/v2/a/b/manifests/x")) == "MANIFEST_UNKNOWN");
  CHECK(registry.ask("GET", "/v2/a/b/manifests/.not.a.tag").status == 404);
  CHECK(code_of(registry.ask("GET", "/v2/a/b/blobs/" + sum)) == "BLOB_UNKNOWN");
  CHECK(registry.ask("HEAD", "/v2/a/b/blobs/" + sum).status == 404);
  CHECK(code_of(registry.ask("GET", "/v2/a/b/blobs/sha256:bad")) == "DIGEST_INVALID");
  CHECK(code_of(registry.ask("GET", "/v2/a/b/blobs/uploads/" + uuid())) == "BLOB_UPLOAD_UNKNOWN");
  CHECK(registry.ask("GET", "/v2/a/b/blobs/uploads/..%2f..%2fregistry.db").status >= 400);
  CHECK(registry.ask("GET", "/v2/A/manifests/x").status == 400);
  CHECK(registry.ask("GET", "/v2/../etc/manifests/x").status == 400);
  CHECK(registry.ask("POST", "/v2/a/b/manifests/x").status == 405);
}

TEST_CASE("uploads in chunks: in order, out of order, resumed") {
  TestRegistry registry;
  HttpResponse begun = registry.ask("POST", "/v2/r/blobs/uploads/");
  CHECK(begun.status == 202);
  CHECK(begun.headers.get("Range") == "0-0");
  std::string at = begun.headers.get("Location");
  CHECK(registry.ask("GET", at).headers.get("Range") == "0-0");
  HttpResponse first = registry.ask("PATCH", at, "hello", {{"Content-Range", "0-4"}});
  CHECK(first.status == 202);
  CHECK(first.headers.get("Range") == "0-4");
  HttpResponse early = registry.ask("PATCH", at, "xx", {{"Content-Range", "7-8"}});
  CHECK(early.status == 416);
  CHECK(early.headers.get("Range") == "0-4");
  CHECK(early.headers.get("Location") == at);
  CHECK(registry.ask("PATCH", at, "xx", {{"Content-Range", "0-1"}}).status == 416);
  CHECK(registry.ask("PATCH", at, "xx", {{"Content-Range", "5-9"}}).status == 400);
  CHECK(registry
            .ask("PUT", at + "?digest=" + Digest::of("helloworld").str(), "world",
                 {{"Content-Range", "3-7"}})
            .status == 416);
  HttpResponse status = registry.ask("GET", at);
  CHECK(status.status == 204);
  CHECK(status.headers.get("Range") == "0-4");
  CHECK(registry
            .ask("PUT", at + "?digest=" + Digest::of("helloworld").str(), "world",
                 {{"Content-Range", "5-9"}})
            .status == 201);
  CHECK(registry.ask("GET", "/v2/r/blobs/" + Digest::of("helloworld").str()).body == "helloworld");
  CHECK(registry.ask("GET", at).status == 404);
}

TEST_CASE("a blob that is not its digest is not kept") {
  TestRegistry registry;
  HttpResponse begun = registry.ask("POST", "/v2/r/blobs/uploads/");
  HttpResponse put = registry.ask(
      "PUT", begun.headers.get("Location") + "?digest=" + Digest::of("good").str(), "evil");
  CHECK(put.status == 400);
  CHECK(code_of(put) == "DIGEST_INVALID");
  CHECK(registry.ask("HEAD", "/v2/r/blobs/" + Digest::of("good").str()).status == 404);
  CHECK(registry.ask("HEAD", "/v2/r/blobs/" + Digest::of("evil").str()).status == 404);
  CHECK(
      registry.ask("PUT", registry.ask("POST", "/v2/r/blobs/uploads/").headers.get("Location"), "x")
          .status == 400);
  CHECK(registry.ask("POST", "/v2/r/blobs/uploads/?digest=sha256:bad", "x").status == 400);
  CHECK(registry.ask("POST", "/v2/r/blobs/uploads/?mount=bad&from=r").status == 400);
}

TEST_CASE("an upload in one request, one that is cancelled, one of nothing") {
  TestRegistry registry;
  CHECK(registry.ask("POST", "/v2/r/blobs/uploads/?digest=" + Digest::of("x").str(), "x").status ==
        201);
  std::string at = registry.ask("POST", "/v2/r/blobs/uploads/").headers.get("Location");
  CHECK(registry.ask("DELETE", at).status == 204);
  CHECK(registry.ask("PATCH", at, "x").status == 404);
  CHECK(registry.push_blob("r", "").status == 201);
  CHECK(registry.ask("HEAD", "/v2/r/blobs/" + Digest().str()).headers.get("Content-Length") == "0");
}

TEST_CASE("an upload outlives the registry's restart") {
  os::TempDir dir;
  std::string id;
  {
    RegistryStore store(dir.path());
    store.create_repository("r");
    id = store.begin_upload("r");
    formats::MemoryReader body("hello ");
    store.append_upload("r", id, body);
  }
  RegistryStore store(dir.path());
  CHECK(store.upload("r", id)->size == 6);
  formats::MemoryReader body("world");
  store.append_upload("r", id, body, 6);
  store.finish_upload("r", id, Digest::of("hello world"));
  CHECK(store.blob_size("r", Digest::of("hello world")) == 11);
}

TEST_CASE("two processes may not share a registry's directory") {
  os::TempDir dir;
  RegistryStore store(dir.path());
  CHECK_THROWS_AS(RegistryStore{dir.path()}, Error);
}

TEST_CASE("a mount needs the right to read its source") {
  TestRegistry registry;
  registry.push_blob("secret", "classified");
  registry.policy.unreadable = {"secret"};
  std::string mount = "?mount=" + Digest::of("classified").str() + "&from=secret";
  CHECK(registry.ask("POST", "/v2/mine/blobs/uploads/" + mount).status == 202);
  CHECK(registry.ask("HEAD", "/v2/mine/blobs/" + Digest::of("classified").str()).status == 404);
  registry.policy.unreadable.clear();
  HttpResponse mounted = registry.ask("POST", "/v2/mine/blobs/uploads/" + mount);
  CHECK(mounted.status == 201);
  CHECK(registry.ask("GET", mounted.headers.get("Location")).body == "classified");
}

TEST_CASE("a blob of one repository is not seen in another, nor may a manifest there name it") {
  TestRegistry registry;
  registry.push_image("one", "v", "data");
  registry.push_blob("two", "other");
  CHECK(registry.ask("GET", "/v2/two/blobs/" + Digest::of("data").str()).status == 404);
  std::string bytes = registry.ask("GET", "/v2/one/manifests/v").body;
  HttpResponse put = registry.ask("PUT", "/v2/two/manifests/v", bytes,
                                  {{"Content-Type", std::string(media_type::kManifest)}});
  CHECK(put.status == 400);
  CHECK(code_of(put) == "MANIFEST_BLOB_UNKNOWN");
}

TEST_CASE("manifests that lie are refused") {
  TestRegistry registry;
  registry.push_image("r", "v", "data");
  std::string good = registry.ask("GET", "/v2/r/manifests/v").body;
  auto put = [&](const std::string& bytes, const std::string& type, const std::string& name = "w") {
    return registry.ask("PUT", "/v2/r/manifests/" + name, bytes, {{"Content-Type", type}});
  };
  const std::string type(media_type::kManifest);
  CHECK(put(replace_all(good, "\"size\":4", "\"size\":5"), type).status == 400);
  CHECK(put(good, std::string(media_type::kIndex)).status == 400);
  CHECK(put("{", type).status == 400);
  CHECK(put(good, "text/html").status == 400);
  CHECK(put(good, type, Digest::of("other").str()).status == 400);
  CHECK(put(good, type, "sha256:zz").status == 400);
  CHECK(put(good, type, "-bad-tag").status == 400);
  CHECK(put(std::string(5u << 20, ' '), type).status == 413);
  CHECK(put(good, type, Digest::of(good).str()).status == 201);
  CHECK(put(replace_all(good, "{\"schemaVersion\"", "{\"extra\":[1],\"schemaVersion\""), type)
            .status == 201);
}

TEST_CASE("a manifest that names a million layers is refused without being worked on") {
  TestRegistry registry;
  std::string bytes =
      R"({"schemaVersion":2,"config":{"digest":")" + Digest().str() + R"(","size":0},"layers":[)";
  for (int i = 0; i < 30000; ++i)
    bytes += (i ? "," : "") + std::string(R"({"digest":")") + Digest().str() + R"(","size":0})";
  HttpResponse put = registry.ask("PUT", "/v2/r/manifests/v", bytes + "]}",
                                  {{"Content-Type", std::string(media_type::kManifest)}});
  CHECK(put.status == 400);
}

TEST_CASE("immutable tags, missing repositories, no deletes: each says so") {
  TestRegistry registry({.allows_delete = false});
  registry.push_image("r", "v", "data");
  registry.policy.immutable = true;
  std::string good = registry.ask("GET", "/v2/r/manifests/v").body;
  HttpResponse again = registry.ask("PUT", "/v2/r/manifests/v", good,
                                    {{"Content-Type", std::string(media_type::kManifest)}});
  CHECK(again.status == 400);
  CHECK(code_of(again) == "TAG_INVALID");
  registry.policy.creates = false;
  CHECK(code_of(registry.ask("POST", "/v2/new/blobs/uploads/")) == "NAME_UNKNOWN");
  CHECK(registry.ask("DELETE", "/v2/r/manifests/v").status == 405);
}

TEST_CASE("tags come in pages") {
  TestRegistry registry;
  for (const char* tag : {"c", "a", "b"}) registry.push_image("r", tag, "data");
  HttpResponse page = registry.ask("GET", "/v2/r/tags/list?n=2");
  CHECK(page.body.find(R"(["a","b"])") != std::string::npos);
  CHECK(page.headers.get("Link") == "</v2/r/tags/list?n=2&last=b>; rel=\"next\"");
  CHECK(registry.ask("GET", "/v2/r/tags/list?n=2&last=b").body.find(R"(["c"])") !=
        std::string::npos);
  HttpResponse none = registry.ask("GET", "/v2/r/tags/list?n=0");
  CHECK(none.body.find("[]") != std::string::npos);
  CHECK_FALSE(none.headers.contains("Link"));
  CHECK(registry.ask("GET", "/v2/_catalog?n=1000000000").body.find("\"r\"") != std::string::npos);
  CHECK(registry.ask("GET", "/v2/r/tags/list?n=-1").status == 400);
  CHECK(registry.ask("GET", "/v2/r/tags/list?n=x").status == 400);
}

TEST_CASE("a deleted tag leaves the manifest, a deleted manifest takes its tags") {
  TestRegistry registry;
  std::string digest = registry.push_image("r", "one", "data");
  registry.push_image("r", "two", "data");
  CHECK(registry.ask("DELETE", "/v2/r/manifests/one").status == 202);
  CHECK(registry.ask("GET", "/v2/r/manifests/one").status == 404);
  CHECK(registry.ask("GET", "/v2/r/manifests/" + digest).status == 200);
  CHECK(registry.ask("DELETE", "/v2/r/manifests/" + digest).status == 202);
  CHECK(registry.ask("GET", "/v2/r/manifests/two").status == 404);
  CHECK(registry.ask("DELETE", "/v2/r/manifests/" + digest).status == 404);
  CHECK(registry.ask("GET", "/v2/r/tags/list").body.find("\"tags\":[]") != std::string::npos);
}

TEST_CASE("referrers are listed by their subject") {
  TestRegistry registry;
  std::string digest = registry.push_image("r", "v", "data");
  Manifest signature;
  signature.artifact_type = "application/x-signature";
  signature.config = describe("{}", media_type::kEmpty);
  signature.subject =
      describe(registry.ask("GET", "/v2/r/manifests/v").body, media_type::kManifest);
  signature.annotations = {{"a", "b"}};
  std::string bytes = print(signature);
  HttpResponse put = registry.ask("PUT", "/v2/r/manifests/" + Digest::of(bytes).str(), bytes,
                                  {{"Content-Type", std::string(media_type::kManifest)}});
  CHECK(put.status == 201);
  CHECK(put.headers.get("OCI-Subject") == digest);
  Index found = parse_index(registry.ask("GET", "/v2/r/referrers/" + digest).body);
  REQUIRE(found.manifests.size() == 1);
  CHECK(found.manifests[0].artifact_type == "application/x-signature");
  CHECK(found.manifests[0].annotations == signature.annotations);
  HttpResponse other = registry.ask("GET", "/v2/r/referrers/" + digest + "?artifactType=x");
  CHECK(other.headers.get("OCI-Filters-Applied") == "artifactType");
  CHECK(parse_index(other.body).manifests.empty());
  CHECK(parse_index(registry.ask("GET", "/v2/r/referrers/" + Digest::of("never").str()).body)
            .manifests.empty());
  CHECK(registry.ask("GET", "/v2/r/referrers/sha256:x").status == 400);
  CHECK(registry.ask("GET", "/v2/never/referrers/" + digest).status == 200);
}

TEST_CASE(
    "a manifest pushed by digest may bring its tags; one that must be new does not move a tag") {
  TestRegistry registry;
  std::string digest = registry.push_image("r", "v", "data");
  std::string bytes = registry.ask("GET", "/v2/r/manifests/v").body;
  HttpResponse put = registry.ask("PUT", "/v2/r/manifests/" + digest + "?tag=1&tag=1.2", bytes);
  CHECK(put.status == 201);
  CHECK(put.headers.get("OCI-Tag") == "1, 1.2");
  CHECK(registry.ask("HEAD", "/v2/r/manifests/1.2").headers.get("Docker-Content-Digest") == digest);
  CHECK(registry.ask("PUT", "/v2/r/manifests/" + digest + "?tag=-", bytes).status == 400);
  CHECK(registry.ask("PUT", "/v2/r/manifests/v", bytes, {{"If-None-Match", "*"}}).status == 412);
  CHECK(registry.ask("PUT", "/v2/r/manifests/w", bytes, {{"If-None-Match", "*"}}).status == 201);
}

TEST_CASE("blobs answer ranges") {
  TestRegistry registry;
  registry.push_blob("r", "0123456789");
  std::string path = "/v2/r/blobs/" + Digest::of("0123456789").str();
  HttpResponse part = registry.ask("GET", path, "", {{"Range", "bytes=2-4"}});
  CHECK(part.status == 206);
  CHECK(part.body == "234");
  CHECK(part.headers.get("Content-Range") == "bytes 2-4/10");
  HttpResponse parts = registry.ask("GET", path, "", {{"Range", "bytes=0-1,-3"}});
  CHECK(parts.status == 206);
  std::string type = parts.headers.get("Content-Type");
  REQUIRE(type.starts_with("multipart/byteranges; boundary="));
  std::string mark = "\r\n--" + type.substr(type.find('=') + 1);
  std::string head = "\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes ";
  CHECK(parts.body == mark + head + "0-1/10\r\n\r\n" + "01" + mark + head + "7-9/10\r\n\r\n" +
                          "789" + mark + "--\r\n");
  HttpResponse none = registry.ask("GET", path, "", {{"Range", "bytes=10-"}});
  CHECK(none.status == 416);
  CHECK(none.headers.get("Content-Range") == "bytes */10");
}

TEST_CASE("sha512 is kept as it was given") {
  TestRegistry registry;
  Digester digester("sha512");
  digester.update("x");
  std::string at =
      registry.ask("POST", "/v2/r/blobs/uploads/?digest-algorithm=sha512").headers.get("Location");
  HttpResponse put = registry.ask("PUT", at + "?digest=" + digester.digest().str(), "x");
  CHECK(put.status == 201);
  CHECK(put.headers.get("Docker-Content-Digest") == digester.digest().str());
  CHECK(registry.ask("GET", "/v2/r/blobs/" + digester.digest().str()).body == "x");
}

TEST_CASE("no password: a challenge on every path; a wrong one: denied") {
  TestRegistry registry;
  registry.policy.password = "secret";
  for (const char* method : {"GET", "HEAD"}) {
    HttpResponse answer = registry.ask(method, "/v2/r/manifests/v");
    CHECK(answer.status == 401);
    CHECK(answer.headers.get("WWW-Authenticate") == "Basic realm=\"test\"");
  }
  CHECK(registry.ask("GET", "/v2/", "", {{"Authorization", "Basic " + base64("AWS:secret")}})
            .status == 200);
  CHECK(
      registry.ask("GET", "/v2/", "", {{"Authorization", "Basic " + base64("AWS:wrong")}}).status ==
      403);
}

TEST_CASE("garbage of a registry is what no manifest names, once it is old enough") {
  TestRegistry registry;
  registry.push_image("r", "v", "kept");
  registry.push_blob("r", "loose");
  registry.ask("POST", "/v2/r/blobs/uploads/");
  CHECK(registry.store.collect_garbage(std::chrono::hours(1)).blobs == 0);
  auto collected = registry.store.collect_garbage(std::chrono::seconds(-1));
  CHECK(collected.blobs == 1);
  CHECK(collected.uploads == 1);
  CHECK(registry.ask("GET", "/v2/r/blobs/" + Digest::of("kept").str()).body == "kept");
  CHECK(registry.ask("GET", "/v2/r/blobs/" + Digest::of("loose").str()).status == 404);
}

TEST_CASE("a quota and a read-only registry refuse pushes") {
  TestRegistry small({.most_total_bytes = 10});
  CHECK(small.push_blob("r", "12345678901").status == 403);
  std::string half = small.ask("POST", "/v2/r/blobs/uploads/").headers.get("Location");
  CHECK(small.ask("PATCH", half, "123456").status == 202);
  CHECK(small.push_blob("r", "12345").status == 403);  // what is not finished counts too
  CHECK(small.ask("DELETE", half).status == 204);
  CHECK(small.push_blob("r", "1234567890").status == 201);
  CHECK(small.ask("POST", "/v2/r/blobs/uploads/").status == 403);
  TestRegistry closed({.read_only = true});
  CHECK(closed.ask("POST", "/v2/r/blobs/uploads/").status == 405);
}

}  // namespace
}  // namespace slipway::oci
