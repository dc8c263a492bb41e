// SPDX-License-Identifier: Apache-2.0
// --cache-to and --cache-from type=gha over the cache service that we give to jobs.
#include <doctest/doctest.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "container/fake_runtime.hpp"
#include "image/actions_cache.hpp"
#include "image/build.hpp"
#include "image/build_options.hpp"
#include "net/test_server.hpp"
#include "oci/blob_store.hpp"
#include "oci/registry_client.hpp"
#include "oci/unpack.hpp"
#include "os/file.hpp"
#include "workflow/toolkit_server.hpp"

namespace slipway::actions {
namespace {

using formats::Json;

class CacheServiceOfJobs final {
 public:
  CacheServiceOfJobs() {
    group_.start([this](const std::stop_token& stop) { server_.run(stop); });
  }
  workflow::ToolkitServer::Grant admit(const std::string& ref) {
    return server_.admit({.run_id = "7",
                          .job = "test",
                          .repository = "octo/app",
                          .scope = workflow::cache_scope(Json::object({{"ref", ref}}))},
                         std::nullopt);
  }
  void dismiss(const workflow::ToolkitServer::Grant& grant) { server_.dismiss(grant); }

 private:
  os::TempDir directory_;
  NoLog log_;
  workflow::OidcIssuer issuer_{directory_.path() / "oidc"};
  workflow::ToolkitServer server_{
      "127.0.0.1:0",
      issuer_,
      {.caches = directory_.path() / "cache", .runs = directory_.path() / "runs"},
      log_};
  TaskGroup group_{std::stop_token{}};
};

// A machine that has built nothing yet.
struct FreshMachine {
  os::TempDir temp;
  NoLog log;
  oci::BlobStore store{temp.path() / "images"};
  oci::LayerCache layers{temp.path() / "images/layers"};
  oci::RegistryClient registry{{}, log};
  container::FakeRuntime runtime{temp.path() / "fake"};
  image::BuildEnvironment environment{
      temp.path() / "images", store, layers, registry, runtime, log};
  std::atomic<int> ran = 0;

  image::BuildResult build(const std::filesystem::path& context,
                           const workflow::ToolkitServer::Grant& grant, const std::string& from,
                           const std::string& to) {
    runtime.on_run = [this](const container::ContainerSpec& spec, const container::OutputSink&) {
      ++ran;
      os::write_file(spec.rootfs.upper / "made", spec.argv.back());
      return os::Exit{};
    };
    image::BuildFlags flags{
        .environment = [&](const std::string& name) -> std::optional<std::string> {
          if (name == "ACTIONS_RESULTS_URL") return grant.service_url;
          if (name == "ACTIONS_RUNTIME_TOKEN") return grant.runtime_token;
          return std::nullopt;
        },
        .cwd = context,
        .locate = {}};
    image::BuildRequest request;
    request.context = context;
    request.dockerfile_text =
        "FROM scratch AS a\nCOPY big /\nRUN first\nFROM scratch\nCOPY --from=a /made /x\nRUN "
        "second\n";
    if (!from.empty()) image::add_cache_from(request, from, flags);
    if (!to.empty()) image::add_cache_to(request, to, flags);
    return image::build(request, environment, {}, {});
  }
};

TEST_CASE(
    "a build's steps come back from the cache service on another machine, layers when needed" *
    doctest::skip(::geteuid() != 0)) {
  CacheServiceOfJobs service;
  os::TempDir context;
  os::write_file(context.path() / "big", random_bytes(9u << 20));  // more than one block
  auto main = service.admit("refs/heads/main");
  FreshMachine first;
  auto built = first.build(context.path(), main, "type=gha", "type=gha,mode=max");
  CHECK(built.cached == 0);
  CHECK(first.ran == 2);

  FreshMachine second;
  auto again = second.build(context.path(), main, "type=gha", "type=gha,mode=max");
  CHECK(again.cached == again.steps);
  CHECK(second.ran == 0);
  CHECK(again.manifest_digest == built.manifest_digest);

  FreshMachine other;  // another scope; below a branch that may read main's, then a job that ended
  CHECK(other.build(context.path(), main, "type=gha,scope=other", "").cached == 0);
  FreshMachine branch;
  auto feature = service.admit("refs/heads/feature");
  auto on_branch = branch.build(context.path(), feature, "type=gha", "type=gha");
  CHECK(on_branch.cached == on_branch.steps);
  CHECK(on_branch.manifest_digest == built.manifest_digest);
  service.dismiss(main);
  FreshMachine late;
  CHECK(late.build(context.path(), main, "type=gha", "").cached == 0);
  CHECK_THROWS_AS(late.build(context.path(), main, "", "type=gha,mode=max"), Error);
  CHECK_NOTHROW(late.build(context.path(), main, "", "type=gha,ignore-error=true"));
  CHECK_NOTHROW(late.build(context.path(), {}, "type=gha", "type=gha"));  // no job at all
}

TEST_CASE("descriptions are numbered, the newest counts") {
  CHECK(image::next_index_key("s", std::nullopt) == "slipway-index-1-s#1");
  CHECK(image::next_index_key("s", "slipway-index-1-s#41") == "slipway-index-1-s#42");
  CHECK(image::next_index_key("s", "slipway-index-1-other#41") == "slipway-index-1-s#1");
  CHECK(image::next_index_key("s", "slipway-index-1-s#x") == "slipway-index-1-s#1");
}

// A service with faults: it is busy at first, gives what was not asked for, or lies.
TEST_CASE("a busy cache service is asked again; what it answers beside the question is no hit") {
  Guarded<std::vector<std::string>> asked;
  std::atomic<int> busy = 2;
  std::string key = "wanted";
  net::TestServer server([&](net::ServerRequest& request, net::ResponseWriter& response) {
    asked.with([&](auto& list) { list.push_back(request.path); });
    CHECK(request.headers.get("Authorization") == "Bearer t");
    if (busy-- > 0) {
      net::HttpResponse answer{503, {{"Retry-After", "0"}}, ""};
      return response.send(answer);
    }
    response.send(net::text_response(
        200,
        Json::object({{"ok", true}, {"matched_key", key}, {"signed_download_url", "http://x/"}})
            .dump()));
  });
  image::ActionsCache cache(server.url("/base"), "t");
  auto hit = cache.find("wanted", "", {});
  REQUIRE(hit);
  CHECK(hit->url == "http://x/");
  CHECK(asked.read([](const auto& list) { return list.size(); }) == 3);
  CHECK(asked.read([](const auto& list) { return list.front(); }) ==
        "/base/twirp/github.actions.results.api.v1.CacheService/GetCacheEntryDownloadURL");
  key = "something-else";
  CHECK_FALSE(cache.find("wanted", "want", {}));
  key = "wanted-7";
  CHECK(cache.find("wanted", "want", {}));
  CHECK_FALSE(cache.find("wanted", "", {}));
}

}  // namespace
}  // namespace slipway::actions
