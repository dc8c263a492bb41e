// SPDX-License-Identifier: Apache-2.0
// Uploads of a registry's store where the disk, its clients or its process give out.
#include "oci/registry_store.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace slipway::oci {
namespace {

std::size_t open_descriptors() {
  auto all = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::uint64_t append(RegistryStore& store, const std::string& id, std::string_view bytes) {
  formats::MemoryReader body(bytes);
  return store.append_upload("r", id, body).size;
}

// While it lives a file may have so many bytes: a write that would go further writes a part, as on a disk that is full.
class FullDisk final {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  sighandler_t handler_;
  rlimit before_{};
};

TEST_CASE("an upload goes on where the disk was full, and its blob is what its digest says") {
  os::TempDir dir;
  RegistryStore store(dir.path());
  store.create_repository("r");
  std::string id = store.begin_upload("r");
  const std::string content = "0123456789abcdefghij";
  CHECK(append(store, id, content.substr(0, 4)) == 4);
  {
    FullDisk full(10);
    CHECK_THROWS_AS(append(store, id, content.substr(4)), Error);
  }
  const std::uint64_t there = store.upload("r", id)->size;
  CHECK(there == 10);
  CHECK(store.bytes() == 10);
  append(store, id, content.substr(there));
  store.finish_upload("r", id, Digest::of(content));
  CHECK(os::read_file(dir.path() / "blobs" / "sha256" / Digest::of(content).hex()) == content);
  CHECK(store.bytes() == content.size());
}

TEST_CASE(
    "uploads that nobody goes on with hold no descriptors, and thousands of them do no harm") {
  os::TempDir dir;
  RegistryStore store(dir.path());
  store.create_repository("r");
  std::string first = store.begin_upload("r");
  append(store, first, "hello ");
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 4200; ++i) store.begin_upload("r");
  CHECK(open_descriptors() == before);
  append(store, first, "world");
  store.finish_upload("r", first, Digest::of("hello world"));
  CHECK(store.blob_size("r", Digest::of("hello world")) == 11);
  CHECK(store.collect_garbage(std::chrono::hours(1)).uploads == 0);
  CHECK(store.collect_garbage(std::chrono::seconds(-1)).uploads == 4200);
}

TEST_CASE("a blob counts once, however often it is pushed, mounted and deleted") {
  os::TempDir dir;
  RegistryStore store(dir.path());
  auto push = [&](const std::string& repository) {
    store.create_repository(repository);
    std::string id = store.begin_upload(repository);
    formats::MemoryReader body("12345");
    store.append_upload(repository, id, body);
    store.finish_upload(repository, id, Digest::of("12345"));
  };
  for (int i = 0; i < 3; ++i) {
    push("r");
    push("r");
    store.create_repository("s");
    CHECK(store.mount_blob("s", "r", Digest::of("12345")));
    CHECK(store.bytes() == 5);
    CHECK(store.delete_blob("r", Digest::of("12345")));
    CHECK_FALSE(store.delete_blob("r", Digest::of("12345")));
    CHECK(store.bytes() == 5);
    CHECK(store.delete_repository("s"));
    CHECK(store.bytes() == 0);
    if (i == 1) store.collect_garbage(std::chrono::hours(1));
  }
  push("r");
  CHECK(store.collect_garbage(std::chrono::seconds(-1)).bytes == 5);
  CHECK(store.bytes() == 0);
}

TEST_CASE("unfinished uploads count as bytes, before and after a restart, until they are dropped") {
  os::TempDir dir;
  std::string id;
  {
    RegistryStore store(dir.path());
    store.create_repository("r");
    id = store.begin_upload("r");
    append(store, id, "12345");
    CHECK(store.bytes() == 5);
  }
  RegistryStore store(dir.path());
  CHECK(store.bytes() == 5);
  SUBCASE("cancelled") { CHECK(store.cancel_upload("r", id)); }
  SUBCASE("with its repository") { CHECK(store.delete_repository("r")); }
  SUBCASE("for being more than is allowed") {
    formats::MemoryReader more("6");
    CHECK_THROWS_AS(store.append_upload("r", id, more, std::nullopt, {.most_total = 5}),
                    RegistryRefusal);
  }
  CHECK(store.bytes() == 0);
  CHECK_FALSE(store.upload("r", id));
}

}  // namespace
}  // namespace slipway::oci
