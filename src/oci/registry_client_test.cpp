// SPDX-License-Identifier: Apache-2.0
// Our client and our registry over real HTTP.
#include "oci/registry_client.hpp"

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "formats/gzip.hpp"
#include "formats/tar.hpp"
#include "oci/test_registry.hpp"

namespace slipway::oci {
namespace {

// What our client needs for one image.
struct Local {
  os::TempDir dir;
  BlobStore store{dir.path() / "store"};
  LayerCache layers{dir.path() / "cache"};
  NoLog log;
  Descriptor image(const std::string& content, const Platform& platform = Platform::host()) {
    formats::StringWriter out;
    formats::TarWriter tar(out);
    formats::TarEntry entry;
    entry.path = "file";
    tar.add(entry, content);
    tar.finish();
    ImageConfig config;
    config.platform = platform;
    config.diff_ids = {Digest::of(out.text())};
    Manifest manifest;
    manifest.layers = {store.put(formats::gzip(out.text()), media_type::kLayerGzip)};
    manifest.config = store.put(print(config), media_type::kConfig);
    return store.put(print(manifest), media_type::kManifest);
  }
};

TEST_CASE("our client pushes, pulls, lists and deletes") {
  TestRegistry registry;
  Local here;
  RegistryClient client({}, here.log);
  Reference name = Reference::parse(registry.host + "/a/b:v1");
  CHECK(client.push(here.store, here.image("hello"), name, {}, {}) == here.image("hello"));
  CHECK(client.resolve(name, {})->digest == here.image("hello").digest);
  CHECK(client.tags(name, {}) == std::vector<std::string>{"v1"});
  Local there;
  std::vector<TransferProgress::Kind> kinds;
  PullOptions options;
  options.unpack_into = &there.layers;
  options.progress = [&](const TransferProgress& progress) { kinds.push_back(progress.kind); };
  Descriptor pulled = client.pull(name, there.store, options, {});
  CHECK(pulled.digest == here.image("hello").digest);
  CHECK(there.store.resolve(name.str())->digest == pulled.digest);
  auto image = find_image(there.store, name.str(), Platform::host());
  REQUIRE(image);
  auto layers = there.layers.find(image->config.diff_ids);
  REQUIRE(layers);
  CHECK(os::read_file(layers->at(0) / "file") == "hello");
  CHECK(kinds.back() == TransferProgress::Kind::done);
  int before = registry.requests;
  client.push(there.store, pulled, name, {}, {});
  CHECK(registry.requests - before == 3);  // two HEADs, one manifest
  client.remove(name, {});
  CHECK_FALSE(client.resolve(name, {}));
  CHECK_THROWS_AS(client.pull(name, there.store, {}, {}), Error);
}

TEST_CASE("our client pulls by a sha512 digest") {
  TestRegistry registry;
  Local here;
  RegistryClient client({}, here.log);
  Descriptor target = here.image("hello");
  client.push(here.store, target, Reference::parse(registry.host + "/r:v"), {}, {});
  Digester digester("sha512");
  digester.update(here.store.read(target.digest));
  const std::string path = "/v2/r/manifests/" + digester.digest().str();
  CHECK(registry.ask("PUT", path, here.store.read(target.digest)).status == 201);
  Reference image = Reference::parse(registry.host + "/r@" + digester.digest().str());
  Local there;
  CHECK(client.pull(image, there.store, {}, {}).digest == digester.digest());
  CHECK(there.store.resolve(image.str())->digest == digester.digest());
}

TEST_CASE("our client sends a blob while it is being written") {
  TestRegistry registry;
  Local here;
  RegistryClient client({}, here.log);
  Reference name = Reference::parse(registry.host + "/r:v");
  std::string content;
  for (int i = 0; i < 40'000; ++i) content += std::to_string(i) + " of it\n";
  BlobWriter file = here.store.begin();
  BlobProgress progress(file.fd());
  TaskGroup tasks{std::stop_token{}};
  tasks.start([&](const std::stop_token& stop) { client.stream_blob(name, progress, stop); });
  for (std::size_t at = 0; at < content.size(); at += 50'000) {
    file.write(std::string_view(content).substr(at, 50'000));
    progress.add(std::min<std::size_t>(50'000, content.size() - at));
  }
  CHECK(progress.wait_for(content.size(), {}));
  CHECK_FALSE(progress.digest());
  progress.finish(file.digest());
  tasks.join();
  CHECK_FALSE(progress.wait_for(content.size() + 1, {}));
  formats::StringWriter back;
  client.fetch_blob(name, {.digest = file.digest(), .size = content.size()}, back, {});
  CHECK(back.text() == content);

  // One that is given up leaves nothing behind.
  BlobWriter other = here.store.begin();
  BlobProgress broken(other.fd());
  {
    formats::CountingWriter nowhere;
    ToldWriter told(nowhere, std::shared_ptr<BlobProgress>(&broken, [](BlobProgress*) {}));
  }
  CHECK_THROWS_AS(client.stream_blob(name, broken, {}), Error);
  std::error_code absent;
  std::size_t left = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(registry.dir.path() / "uploads", absent))
    left += entry.is_regular_file() ? 1 : 0;
  CHECK(left == 0);
  std::stop_source stop;
  stop.request_stop();
  BlobProgress waiting(file.fd());
  CHECK_THROWS_AS(waiting.wait_for(1, stop.get_token()), Cancelled);
}

TEST_CASE("our client mounts what another repository has") {
  TestRegistry registry;
  Local here;
  RegistryClient client({}, here.log);
  Descriptor image = here.image("hello");
  client.push(here.store, image, Reference::parse(registry.host + "/one:v"), {}, {});
  std::set<TransferProgress::Kind> kinds;
  PushOptions options;
  options.mount_from = {"one"};
  options.progress = [&](const TransferProgress& progress) { kinds.insert(progress.kind); };
  client.push(here.store, image, Reference::parse(registry.host + "/two:v"), options, {});
  CHECK(kinds.contains(TransferProgress::Kind::mounted));
  CHECK_FALSE(kinds.contains(TransferProgress::Kind::done));
}

TEST_CASE("of an index only this machine's image is pulled, and pushed on") {
  TestRegistry registry;
  Local here;
  RegistryClient client({}, here.log);
  Index index;
  for (const Platform& platform : {Platform::host(), Platform::parse("linux/s390x")}) {
    index.manifests.push_back(here.image(platform.str(), platform));
    index.manifests.back().platform = platform;
  }
  Reference name = Reference::parse(registry.host + "/multi:v");
  client.push(here.store, here.store.put(print(index), media_type::kIndex), name, {}, {});
  Local there;
  client.pull(name, there.store, {}, {});
  CHECK(there.store.blobs().size() == 4);
  CHECK(find_image(there.store, name.str(), Platform::host()));
  Descriptor pushed = client.push(there.store, *there.store.resolve(name.str()),
                                  Reference::parse(registry.host + "/single:v"), {}, {});
  CHECK(pushed.digest == index.manifests[0].digest);
  CHECK_THROWS_AS(
      client.pull(name, there.store, {.platform = Platform::parse("linux/riscv64")}, {}), Error);
}

TEST_CASE("our client uses credentials where they are asked for, and says when they do not fit") {
  TestRegistry registry;
  registry.policy.password = "secret";
  Local here;
  std::string given = "secret";
  RegistryClientOptions options;
  options.credentials = [&](const std::string& host) -> std::optional<Credentials> {
    CHECK(host == registry.host);
    return Credentials{"AWS", given, ""};
  };
  Reference name = Reference::parse(registry.host + "/r:v");
  CHECK_NOTHROW(RegistryClient(options, here.log).push(here.store, here.image("x"), name, {}, {}));
  given = "wrong";
  try {
    RegistryClient(options, here.log).push(here.store, here.image("x"), name, {}, {});
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::denied);
    CHECK(std::string(error.what()).find("wrong password") != std::string::npos);
  }
  CHECK_THROWS_AS(RegistryClient({}, here.log).resolve(name, {}), Error);
}

}  // namespace
}  // namespace slipway::oci
