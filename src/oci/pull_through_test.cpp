// SPDX-License-Identifier: Apache-2.0
// A mirror in front of a registry that hangs, lies or is asked by many at once.
#include "oci/pull_through.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "net/test_server.hpp"

namespace slipway::oci {
namespace {

struct Mirrored {
  std::string layer = std::string(100'000, 'x');
  std::string manifest = [this] {
    Manifest made;
    made.config = describe("{}", media_type::kConfig);
    made.layers = {describe(layer, media_type::kLayer)};
    return print(made);
  }();
  std::string sent = layer;              // what the other registry gives as the layer
  std::atomic<bool> is_hanging = false;  // it takes requests and does not answer
  std::atomic<int> fetched = 0;          // how often it gave the layer
  std::atomic<int> asked = 0;
  net::TestServer upstream{[this](net::ServerRequest& request, net::ResponseWriter& response) {
    ++asked;
    if (is_hanging) {
      request.path = "/hang";
      return net::answer_tests(request, response);
    }
    std::string type(media_type::kManifest);
    if (request.path == "/v2/r/manifests/v") {
      net::Headers headers{{"Content-Type", type},
                           {"Docker-Content-Digest", Digest::of(manifest).str()}};
      if (request.method == "HEAD") headers.set("Content-Length", std::to_string(manifest.size()));
      return response.send({200, headers, request.method == "HEAD" ? "" : manifest});
    }
    if (request.path == "/v2/r/tags/list") return response.send({200, {}, R"({"tags":["w","v"]})"});
    if (request.path != "/v2/r/blobs/" + Digest::of(layer).str())
      return response.send(net::text_response(404, "nothing here"));
    if (request.method == "HEAD")
      return response.send({200, {{"Content-Length", std::to_string(layer.size())}}, ""});
    ++fetched;
    response.send({200, {}, sent});
  }};
  NoLog log;
  RegistryClient client{[] {
                          RegistryClientOptions options;
                          options.endpoints = {{.pattern = "*", .plain_http = true}};
                          return options;
                        }(),
                        log};
  os::TempDir dir;
  RegistryStore store{dir.path()};
  PullThrough mirror{upstream.address(), client, store, log, std::chrono::milliseconds(300)};
};

TEST_CASE("a blob that many ask for at once is fetched once") {
  Mirrored all;
  const Digest digest = Digest::of(all.layer);
  TaskGroup askers({});
  for (int i = 0; i < 6; ++i)
    askers.start([&](const std::stop_token& stop) { all.mirror.bring_blob("r", digest, stop); });
  askers.join();
  CHECK(all.fetched == 1);
  CHECK(all.store.blob_size("r", digest) == all.layer.size());
}

TEST_CASE(
    "what a mirrored registry gives under a wrong digest is an error of its own, and not kept") {
  Mirrored all;
  all.sent[7] = 'y';
  const Digest digest = Digest::of(all.layer);
  try {
    all.mirror.bring_blob("r", digest, {});
    FAIL("it was taken");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::unavailable);
  }
  CHECK_FALSE(all.store.blob_size("r", digest));
  CHECK(all.store.bytes() == 0);
}

TEST_CASE(
    "a tag that is here is served while the mirrored registry hangs, and it is not asked each "
    "time") {
  Mirrored all;
  all.mirror.bring_manifest("r", "v", {});
  REQUIRE(all.store.manifest("r", "v"));
  all.is_hanging = true;
  Deadline soon = Deadline::in(std::chrono::seconds(20));
  all.mirror.bring_manifest("r", "v", {});
  const int asked = all.asked;
  for (int i = 0; i < 5; ++i) all.mirror.bring_manifest("r", "v", {});
  CHECK(all.asked == asked);
  CHECK_FALSE(soon.passed());
}

TEST_CASE("a mirror tells the tags of the registry behind it") {
  Mirrored all;
  CHECK(all.mirror.tags("r", {}) == std::vector<std::string>{"v", "w"});
  CHECK_FALSE(all.mirror.tags("none", {}));
}

}  // namespace
}  // namespace slipway::oci
