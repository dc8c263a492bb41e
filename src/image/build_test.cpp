// SPDX-License-Identifier: Apache-2.0
#include "image/build.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.hpp"
#include "container/fake_runtime.hpp"
#include "oci/blob_store.hpp"
#include "oci/registry_client.hpp"
#include "oci/unpack.hpp"
#include "os/file.hpp"

using namespace slipway;
using namespace slipway::image;

namespace {

namespace fs = std::filesystem;

// A builder whose RUN steps write "NAME" for `touch NAME` and fail for `false`; everything else is real.
struct World {
  os::TempDir temp;
  NoLog log;
  oci::BlobStore store{temp.path() / "images"};
  oci::LayerCache layers{temp.path() / "images/layers"};
  oci::RegistryClient registry{{}, log};
  container::FakeRuntime runtime{temp.path() / "fake"};
  BuildEnvironment environment{temp.path() / "images", store, layers, registry, runtime, log};
  fs::path context = temp.path() / "context";
  Guarded<std::vector<std::string>> ran;

  World() {
    os::make_dirs(context);
    runtime.on_run = [this](const container::ContainerSpec& spec,
                            const container::OutputSink& sink) {
      std::string command = spec.argv.back();
      ran.with([&](auto& list) { list.push_back(command); });
      sink("ran " + command + "\n");
      if (command.starts_with("link "))
        fs::create_directory_symlink(command.substr(5), spec.rootfs.upper / "a");
      if (command == "false") return os::Exit{.code = 3};
      if (command.starts_with("touch "))
        os::write_file(spec.rootfs.upper / command.substr(6), command);
      return os::Exit{};
    };
  }

  void file(const std::string& path, std::string_view text) {
    os::make_dirs((context / path).parent_path());
    os::write_file(context / path, text);
  }

  BuildResult run(const std::string& dockerfile, BuildRequest request = {}) {
    request.context = context;
    request.dockerfile_text = dockerfile;
    return build(request, environment, {}, {});
  }

  std::string problem(const std::string& dockerfile) {
    try {
      run(dockerfile);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  std::vector<std::string> commands() {
    return ran.with([](auto& list) { return std::exchange(list, {}); });
  }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a build runs its steps once, and gives the same image again without running any") {
  if (::geteuid() != 0) return;  // files are given to root
  World world;
  world.file("f", "1");
  std::string text = "FROM scratch\nCOPY f /f\nRUN touch x\nENV A=b\nRUN touch y\n";
  auto first = world.run(text, {.tags = {"app:1"}});
  CHECK(world.commands() == Names{"touch x", "touch y"});
  CHECK(first.cached == 0);
  auto second = world.run(text, {.tags = {"app:1"}});
  CHECK(world.commands().empty());
  CHECK(second.cached == 3);
  CHECK(second.manifest_digest == first.manifest_digest);
  CHECK(second.names == Names{"docker.io/library/app:1"});
  auto image = oci::find_image(world.store, "docker.io/library/app:1", oci::Platform::host());
  REQUIRE(image);
  CHECK(image->config.diff_ids.size() == 3);
  CHECK(image->config.history.size() == 4);
  CHECK(image->config.history[2].empty_layer);
}

TEST_CASE("what a file says decides, not when it was written; what comes before a change is kept") {
  if (::geteuid() != 0) return;
  World world;
  world.file("a", "1");
  world.file("b", "1");
  std::string text = "FROM scratch\nCOPY a /a\nRUN touch x\nCOPY b /b\nRUN touch y\n";
  world.run(text);
  world.commands();
  world.file("a", "1");
  world.run(text);
  CHECK(world.commands().empty());
  world.file("b", "2");
  world.run(text);
  CHECK(world.commands() == Names{"touch y"});
  world.file("a", "2");
  world.run(text);
  CHECK(world.commands() == Names{"touch x", "touch y"});
}

TEST_CASE("a stage that made the same files again does not disturb what copies from it") {
  if (::geteuid() != 0) return;
  World world;
  world.file("in", "1");
  std::string text =
      "FROM scratch AS one\nCOPY in /in\nRUN touch out\nFROM scratch\nCOPY --from=one /out "
      "/out\nRUN touch z\n";
  world.run(text);
  world.commands();
  world.file("in", "2");
  world.run(text);
  CHECK(world.commands() == Names{"touch out"});
}

TEST_CASE("stages that are not needed are not run, and not asked for when the result is cached") {
  if (::geteuid() != 0) return;
  World world;
  std::string text =
      "FROM scratch AS unused\nRUN touch u\nFROM scratch AS used\nRUN touch a\nFROM scratch\nCOPY "
      "--from=used /a /b\n";
  world.run(text);
  CHECK(world.commands() == Names{"touch a"});
  auto again = world.run(text);
  CHECK(again.steps == 1);
  CHECK(again.cached == 1);
}

TEST_CASE(
    "the steps of named stages are run again, and what others take from them counts by its "
    "content") {
  if (::geteuid() != 0) return;
  World world;
  world.file("b", "1");
  std::string text =
      "FROM scratch AS made\nRUN touch x\nFROM scratch AS other\nCOPY b /b\nRUN touch y\n"
      "FROM made AS above\nRUN touch z\nFROM other\nCOPY --from=made /x /x\nRUN touch w\n"
      "COPY --from=above /z /z\n";
  world.run(text);
  world.commands();
  world.run(text, {.no_cache_stages = {"MADE", "none"}});
  auto again = world.commands();
  std::sort(again.begin(), again.end());
  CHECK(again == Names{"touch x", "touch z"});
  world.run(text);
  CHECK(world.commands().empty());
  world.runtime.on_run = [](const container::ContainerSpec& spec, const container::OutputSink&) {
    os::write_file(spec.rootfs.upper / spec.argv.back().substr(6), "another");
    return os::Exit{};
  };
  auto changed = world.run(text, {.no_cache_stages = {"made"}});
  CHECK(changed.cached == 2);  // of `other`
}

TEST_CASE("a failing step says its line, the lines around and its exit code, and leaves nothing") {
  if (::geteuid() != 0) return;
  World world;
  auto text = world.problem("FROM scratch\nRUN touch x\nRUN false\nRUN touch y\n");
  CHECK(text.find("Dockerfile:3: RUN false did not complete successfully: exit code: 3") == 0);
  CHECK(text.find("   3 | >>> RUN false") != std::string::npos);
  world.commands();
  world.problem("FROM scratch\nRUN touch x\nRUN false\n");
  CHECK(world.commands() == Names{"false"});
  for (const auto& entry : fs::directory_iterator(world.temp.path() / "images/build/layers")) {
    CHECK_FALSE(entry.path().string().ends_with(".new"));
  }
}

TEST_CASE("of a file that is no Dockerfile the first errors are told, and how many there are") {
  World world;
  std::string text = "FROM scratch\n";
  for (int i = 0; i < 20000; ++i) text += "what is this\n";
  auto told = world.problem(text);
  CHECK(told.find("Dockerfile:2: unknown instruction: what") == 0);
  CHECK(told.find("Dockerfile:21: ") != std::string::npos);
  CHECK(told.find("Dockerfile:22: ") == std::string::npos);
  CHECK(told.ends_with("and 19980 more like these"));
}

TEST_CASE("nothing runs when a file to copy is missing or ignored") {
  World world;
  world.file("secret", "1");
  world.file(".dockerignore", "secret\n");
  auto text = world.problem("FROM scratch\nRUN touch x\nCOPY secret /s\n");
  CHECK(text.find("Dockerfile:3: \"/secret\": not found") == 0);
  CHECK(world.commands().empty());
}

TEST_CASE("secrets and build arguments that nobody declares do not change the image") {
  if (::geteuid() != 0) return;
  World world;
  std::string text = "FROM scratch\nRUN --mount=type=secret,id=k touch x\n";
  auto first = world.run(text, {.secrets = {{"k", "one"}}});
  auto second = world.run(text, {.build_args = {{"UNUSED", "1"}}, .secrets = {{"k", "two"}}});
  CHECK(second.manifest_digest == first.manifest_digest);
  CHECK(second.cached == 1);
}

TEST_CASE(
    "the same inputs give the same image on a new machine with SOURCE_DATE_EPOCH and "
    "rewrite-timestamp") {
  if (::geteuid() != 0) return;
  std::string digests[2];
  for (auto& digest : digests) {
    World world;
    world.file("f", "1");
    BuildRequest request{.build_args = {{"SOURCE_DATE_EPOCH", "1700000000"}},
                         .rewrite_timestamp = true};
    digest =
        world.run("FROM scratch\nWORKDIR /w\nCOPY f .\nRUN touch x\n", request).manifest_digest;
  }
  CHECK(digests[0] == digests[1]);
}

TEST_CASE("a local output holds the files, with what later layers removed gone") {
  if (::geteuid() != 0) return;
  World world;
  world.file("f", "1");
  fs::path out = world.temp.path() / "out";
  world.run("FROM scratch\nCOPY f /d/f\nRUN touch x\n",
            {.outputs = {{.kind = Output::Kind::local, .dest = out}}});
  CHECK(os::read_file(out / "d/f") == "1");
  CHECK(os::read_file(out / "x") == "touch x");
}

TEST_CASE(
    "a build on a new machine runs nothing that a local cache holds, and gives the same image") {
  if (::geteuid() != 0) return;
  std::string text =
      "FROM scratch AS a\nCOPY f /f\nRUN touch x\nFROM scratch\nCOPY --from=a /x /x\nRUN touch y\n";
  os::TempDir shared;
  CacheSpec cache{
      .kind = CacheSpec::Kind::local, .directory = shared.path() / "cache", .max = true};
  World first;
  first.file("f", "1");
  auto built = first.run(text, {.cache_to = {cache}});
  World second;
  second.file("f", "1");
  auto again = second.run(text, {.cache_from = {cache}});
  CHECK(second.commands().empty());
  CHECK(again.manifest_digest == built.manifest_digest);
  World third;
  third.file("f", "1");
  third.run("FROM scratch AS a\nCOPY f /f\nRUN touch x\nRUN touch z\n", {.cache_from = {cache}});
  CHECK(third.commands() ==
        Names{"touch z"});  // mode=max holds the steps of the first stage as well
}

TEST_CASE("a cache that is not there, or is broken, only costs its use") {
  if (::geteuid() != 0) return;
  World world;
  os::TempDir broken;
  os::write_file(broken.path() / "index.json", "{");
  auto result =
      world.run("FROM scratch\nRUN touch x\n",
                {.cache_from = {{.kind = CacheSpec::Kind::local, .directory = "/nowhere"},
                                {.kind = CacheSpec::Kind::local, .directory = broken.path()}}});
  CHECK(result.steps == 1);
}

TEST_CASE("a named context stands for a base image and for a whole stage") {
  if (::geteuid() != 0) return;
  World world;
  world.file("other/g", "2");
  fs::path out = world.temp.path() / "out";
  BuildRequest request{.contexts = {{"extra", (world.context / "other").string()}},
                       .outputs = {{.kind = Output::Kind::local, .dest = out}}};
  world.run("FROM scratch AS extra\nRUN false\nFROM extra\nRUN touch x\n", request);
  CHECK(world.commands() == Names{"touch x"});
  CHECK(os::read_file(out / "g") == "2");
}

TEST_CASE(
    "ONBUILD of a stage runs in the stage that starts from it, with the stages it copies from") {
  if (::geteuid() != 0) return;
  World world;
  fs::path out = world.temp.path() / "out";
  world.run(
      "FROM scratch AS src\nRUN touch s\nFROM scratch AS parent\nONBUILD COPY --from=src /s "
      "/copied\nONBUILD RUN touch t\nFROM parent\nRUN touch u\n",
      {.outputs = {{.kind = Output::Kind::local, .dest = out}}});
  CHECK(world.commands() == Names{"touch s", "touch t", "touch u"});
  CHECK(os::read_file(out / "copied") == "touch s");
}

TEST_CASE("a check builds nothing, and tells also what needs the values of variables") {
  World world;
  auto result =
      world.run("FROM scratch\nCOPY missing $nope/x /y/\nRUN touch x\n", {.check_only = true});
  CHECK(world.commands().empty());
  REQUIRE(result.findings.size() == 1);
  CHECK(result.findings[0].rule == "UndefinedVar");
  CHECK(result.findings[0].line == 2);
}

TEST_CASE("an image with attestations is an index that leads to the same image") {
  if (::geteuid() != 0) return;
  World world;
  auto plain = world.run("FROM scratch\nRUN touch x\n", {.tags = {"app:1"}});
  auto attested = world.run("FROM scratch\nRUN touch x\n",
                            {.tags = {"app:2"}, .sbom = true, .provenance = ProvenanceSpec{}});
  CHECK(attested.media_type == oci::media_type::kIndex);
  CHECK(attested.config_digest == plain.config_digest);
  auto found = oci::find_image(world.store, "docker.io/library/app:2", oci::Platform::host());
  REQUIRE(found);
  CHECK(found->descriptor.digest.str() == plain.manifest_digest);
  // What came from the cache has the very SBOM again, so that its tag need not move.
  auto once = world.run("FROM scratch\nRUN touch x\n", {.tags = {"app:3"}, .sbom = true});
  auto again = world.run("FROM scratch\nRUN touch x\n", {.tags = {"app:3"}, .sbom = true});
  CHECK(once.manifest_digest == again.manifest_digest);
}

TEST_CASE(
    "the image is of the platform that was asked for, and files that go out have the time that "
    "was") {
  if (::geteuid() != 0) return;
  World world;
  world.file("f", "1");
  world.run("FROM --platform=$BUILDPLATFORM scratch\nCOPY f /f\n",
            {.tags = {"app:1"}, .platform = "linux/arm64"});
  auto image = oci::find_image(world.store, "docker.io/library/app:1",
                               oci::Platform{.os = "linux", .architecture = "arm64"});
  REQUIRE(image);
  CHECK(image->config.platform.architecture == "arm64");
  world.run("ARG SOURCE_DATE_EPOCH=1000000000\nFROM scratch\nCOPY f /f\n",
            {.outputs = {{.kind = Output::Kind::local, .dest = world.temp.path() / "out"}}});
  struct stat status {};
  REQUIRE(::stat((world.temp.path() / "out/f").c_str(), &status) == 0);
  CHECK(status.st_mtim.tv_sec == 1000000000);
}

TEST_CASE("several platforms give one index, each image with its own arguments") {
  if (::geteuid() != 0) return;
  World world;
  std::string text = "FROM scratch\nARG TARGETARCH\nENV ARCH=$TARGETARCH\nRUN touch x\n";
  auto result = world.run(text, {.tags = {"app:1"}, .platform = "linux/amd64,linux/arm64"});
  CHECK(result.media_type == oci::media_type::kIndex);
  for (const char* name : {"amd64", "arm64"}) {
    auto found = oci::find_image(world.store, "docker.io/library/app:1",
                                 oci::Platform::parse(std::string("linux/") + name));
    REQUIRE(found);
    CHECK(found->config.platform.architecture == name);
    CHECK(found->config.config.env.back() == std::string("ARCH=") + name);
  }
  // Directories are the platforms' own, with and without an image.
  for (bool with_image : {true, false}) {
    fs::path out = world.temp.path() / (with_image ? "both" : "alone");
    BuildRequest request{.platform = "linux/amd64,linux/arm64/v8"};
    request.outputs = {{.kind = Output::Kind::local, .dest = out}};
    if (with_image) request.outputs.push_back({.kind = Output::Kind::store});
    auto written = world.run(text, request);
    CHECK(written.manifest_digest.empty() != with_image);
    CHECK(fs::exists(out / "linux_amd64/x"));
    CHECK(fs::exists(out / "linux_arm64/x"));
  }
  BuildRequest tar{.platform = "linux/amd64,linux/arm64"};
  tar.outputs = {{.kind = Output::Kind::tar, .dest = world.temp.path() / "t"}};
  CHECK_THROWS_AS(world.run(text, tar), Error);
}

TEST_CASE(
    "a RUN that puts a link in place of a mount's directory deletes nothing where the link leads") {
  if (::geteuid() != 0) return;
  World world;
  fs::path outside = world.temp.path() / "outside";
  os::make_dirs(outside / "empty");
  os::write_file(outside / "victim", "");
  world.run(
      "FROM scratch\nRUN --mount=type=tmpfs,target=/a/victim --mount=type=tmpfs,target=/a/empty "
      "link " +
      outside.string() + "\n");
  CHECK(fs::exists(outside / "victim"));
  CHECK(fs::exists(outside / "empty"));
}
