// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "actions/builtin.hpp"
#include "actions/test_context.hpp"
#include "container/fake_runtime.hpp"
#include "oci/blob_store.hpp"
#include "oci/unpack.hpp"
#include "workflow/cache_store.hpp"

using namespace slipway;
using namespace slipway::actions;
namespace fs = std::filesystem;

namespace {

/// A repository with two commits on main, a tag on the first and a branch of its own.
class SourceRepository {
 public:
  SourceRepository() {
    git({"init", "-q", "-b", "main"});
    os::write_file(path() / "a.txt", "one\n");
    os::write_file(path() / ".gitignore", "ignored.txt\n");
    commit("first");
    git({"tag", "v1"});
    first = head();
    git({"checkout", "-q", "-b", "side"});
    os::write_file(path() / "side.txt", "side\n");
    commit("side");
    git({"checkout", "-q", "main"});
    os::write_file(path() / "a.txt", "two\n");
    os::write_file(path() / "b.txt", "b\n");
    commit("second");
    second = head();
  }
  [[nodiscard]] const fs::path& path() const { return directory_.path(); }
  std::string git(std::vector<std::string> words) const {
    std::vector<std::string> argv = {"git",         "-C", path().string(),           "-c",
                                     "user.name=t", "-c", "user.email=t@example.org"};
    argv.insert(argv.end(), words.begin(), words.end());
    auto done = os::capture({.argv = argv}, {}, Deadline::in(std::chrono::seconds(30)));
    if (!done.exit.ok()) fail(Fault::failed, "git: {}", done.err);
    return std::string(trim(done.out));
  }
  [[nodiscard]] std::string head() const { return git({"rev-parse", "HEAD"}); }

  std::string first;
  std::string second;

 private:
  void commit(const std::string& message) const {
    git({"add", "-A"});
    git({"commit", "-q", "-m", message});
  }
  os::TempDir directory_;
};

struct CheckedOut {
  explicit CheckedOut(const SourceRepository& source,
                      const std::map<std::string, std::string>& inputs = {}, bool dirty = false) {
    context.source = source.path();
    context.dirty = dirty;
    context.event_facts()["sha"] = source.second;
    context.run(*make_checkout(), inputs);
  }
  [[nodiscard]] std::string text(const std::string& name) const {
    return os::read_file_if_exists(context.workspace() / name).value_or("none");
  }
  std::string git(std::vector<std::string> words) {
    std::vector<std::string> argv = {"git", "-C", context.workspace().string()};
    argv.insert(argv.end(), words.begin(), words.end());
    os::Exit exit;
    return std::string(trim(context.capture(argv, exit)));
  }
  TestContext context;
};

struct Store {
  os::TempDir directory;
  oci::BlobStore blobs{directory.path() / "images"};
  oci::LayerCache layers{directory.path() / "images/layers"};
  container::FakeRuntime runtime{directory.path() / "runtime"};
  NoLog log;
  Dependencies dependencies{.state = directory.path(),
                            .store = blobs,
                            .layers = layers,
                            .runtime = runtime,
                            .ledger = nullptr,
                            .endpoints = {},
                            .test_verdict = {},
                            .log = log};
};

}  // namespace

TEST_CASE("checkout brings the run's commit on its branch, with the server's address as origin") {
  SourceRepository source;
  CheckedOut out(source);
  CHECK(out.text("a.txt") == "two\n");
  CHECK(out.text("side.txt") == "none");
  CHECK(out.context.outputs["commit"] == source.second);
  CHECK(out.context.outputs["ref"] == "refs/heads/main");
  CHECK(out.git({"rev-parse", "HEAD"}) == source.second);
  CHECK(out.git({"branch", "--show-current"}) == "main");
  CHECK(out.git({"remote", "get-url", "origin"}) == "https://github.com/acme/app");
  CHECK(out.git({"rev-list", "--count", "HEAD"}) == "1");
  CHECK(out.git({"status", "--porcelain"}).empty());
}

TEST_CASE("checkout with fetch-depth 0 brings history, branches and tags") {
  SourceRepository source;
  CheckedOut out(source, {{"fetch-depth", "0"}});
  CHECK(out.git({"rev-list", "--count", "HEAD"}) == "2");
  CHECK(out.git({"tag"}) == "v1");
  CHECK(out.git({"rev-parse", "--verify", "-q", "origin/side"}).size() == 40);
}

TEST_CASE(
    "checkout with fetch-depth 0 stays at the run's commit when its branch has moved on, also "
    "where a shallow copy was") {
  SourceRepository source;
  CheckedOut out(source);
  CHECK(out.git({"rev-list", "--count", "HEAD"}) == "1");
  out.context.event_facts()["sha"] = source.first;
  out.context.run(*make_checkout(), {{"fetch-depth", "0"}});
  CHECK(out.git({"rev-parse", "HEAD"}) == source.first);
  CHECK(out.git({"rev-parse", "origin/main"}) == source.first);
  CHECK(out.git({"rev-parse", "--is-shallow-repository"}) == "false");
  CHECK(out.git({"tag"}) == "v1");
}

TEST_CASE("checkout with fetch-tags brings the tags, also when a tag is what is checked out") {
  SourceRepository source;
  CheckedOut branch(source, {{"fetch-tags", "true"}});
  CHECK(branch.git({"tag"}) == "v1");
  CHECK(branch.git({"rev-parse", "HEAD"}) == source.second);
  CheckedOut tag(source, {{"fetch-tags", "true"}, {"ref", "v1"}});
  CHECK(tag.git({"tag"}) == "v1");
  CHECK(tag.git({"rev-parse", "HEAD"}) == source.first);
}

TEST_CASE("checkout takes a branch, a tag or a commit by ref, and another path") {
  SourceRepository source;
  CHECK(CheckedOut(source, {{"ref", "side"}}).text("side.txt") == "side\n");
  CHECK(CheckedOut(source, {{"ref", "v1"}}).text("a.txt") == "one\n");
  CHECK(CheckedOut(source, {{"ref", source.first}}).text("a.txt") == "one\n");
  CHECK(CheckedOut(source, {{"path", "sub/dir"}}).text("sub/dir/b.txt") == "b\n");
  CHECK_THROWS_WITH_AS(CheckedOut(source, {{"ref", "nowhere"}}),
                       doctest::Contains("'nowhere' could not be found"), Error);
  CHECK_THROWS_WITH_AS(CheckedOut(source, {{"path", "../out"}}), doctest::Contains("is not under"),
                       Error);
}

TEST_CASE("checkout again cleans what a job left behind") {
  SourceRepository source;
  CheckedOut out(source);
  os::write_file(out.context.workspace() / "a.txt", "changed\n");
  os::write_file(out.context.workspace() / "junk.txt", "x");
  out.context.run(*make_checkout(), {});
  CHECK(out.text("a.txt") == "two\n");
  CHECK(out.text("junk.txt") == "none");
}

TEST_CASE("a dirty run takes changed, new and deleted files along, ignored ones not") {
  SourceRepository source;
  os::write_file(source.path() / "a.txt", "changed\n");
  os::write_file(source.path() / "new file.txt", "new\n");
  os::write_file(source.path() / "ignored.txt", "x");
  fs::remove(source.path() / "b.txt");
  CheckedOut out(source, {}, true);
  CHECK(out.text("a.txt") == "changed\n");
  CHECK(out.text("new file.txt") == "new\n");
  CHECK(out.text("b.txt") == "none");
  CHECK(out.text("ignored.txt") == "none");
  CHECK(CheckedOut(source).text("a.txt") == "two\n");
}

TEST_CASE("setup-node takes the machine's Node.js, and says what to do without one in range") {
  if (!fs::exists("/usr/bin/node")) return;
  TestContext context;
  context.run(*make_setup_node(), {{"node-version", ">=16"}});
  CHECK(context.outputs["node-version"].starts_with("v"));
  CHECK_THROWS_WITH_AS(context.run(*make_setup_node(), {{"node-version", "99"}}),
                       doctest::Contains("Unable to find Node.js version '99'"), Error);
}

TEST_CASE("setup-node and setup-python prefer the newest version in the tool cache") {
  TestContext context;
  for (const char* version : {"20.1.0", "20.9.3", "22.0.0"}) {
    auto bin = fs::path(context.machine().paths().tool_cache) / "node" / version / "x64/bin";
    os::make_dirs(bin);
    os::write_file(bin / "node", "");
  }
  os::write_file(context.workspace() / ".nvmrc", "v20\n");
  context.run(*make_setup_node(), {{"node-version-file", ".nvmrc"}});
  CHECK(context.outputs["node-version"] == "v20.9.3");
  CHECK(context.added_paths.back().ends_with("node/20.9.3/x64/bin"));
}

TEST_CASE("a cache is saved after the job and restored by key or prefix, newest first") {
  Store store;
  auto cache = make_cache(store.dependencies);
  {
    TestContext first;
    os::make_dirs(first.workspace() / "deps");
    os::write_file(first.workspace() / "deps/x", "content");
    first.run(*cache, {{"path", "deps"}, {"key", "npm-1"}});
    CHECK_FALSE(first.outputs.contains("cache-hit"));
    cache->post(first);
  }
  TestContext same;
  workflow::CacheStore kept(store.directory.path() / "cache", "acme/app");
  std::vector<std::string> versions;
  for (const char* compression : {"zstd-without-long", "gzip"})
    versions.push_back(workflow::cache_version({"deps"}, compression));
  std::vector<std::string> main{"refs/heads/main"};
  CHECK(kept.find("npm-1", {}, versions, main).has_value());
  CHECK_FALSE(
      kept.find("npm-1", {}, {workflow::cache_version({"other"}, "gzip")}, main).has_value());
  CHECK(kept.find("npm-2", {"npm-"}, versions, main)->key == "npm-1");
  CHECK_FALSE(kept.find("npm-2", {"pip-"}, versions, main).has_value());
  CHECK_FALSE(kept.find("npm-1", {}, versions, {"refs/heads/other"}).has_value());
}

TEST_CASE("what a cache holds comes back into another job's workspace") {
  Store store;
  auto cache = make_cache(store.dependencies);
  TestContext context;
  os::write_file(context.workspace() / "one.txt", "1");
  context.run(*cache, {{"path", "one.txt"}, {"key", "k"}});
  cache->post(context);
  fs::remove(context.workspace() / "one.txt");
  context.run(*cache, {{"path", "one.txt"}, {"key", "k"}});
  CHECK(context.outputs["cache-hit"] == "true");
  CHECK(os::read_file(context.workspace() / "one.txt") == "1");
  context.run(*cache, {{"path", "one.txt"}, {"key", "k2"}, {"restore-keys", "k"}});
  CHECK(context.outputs["cache-hit"] == "false");
  CHECK(context.outputs["cache-matched-key"] == "k");
  CHECK_THROWS_AS(
      context.run(*cache, {{"path", "one.txt"}, {"key", "x"}, {"fail-on-cache-miss", "true"}}),
      Error);
}

TEST_CASE("artifacts go from one job to another of the run, by name or pattern") {
  Store store;
  auto upload = make_upload_artifact(store.dependencies);
  auto download = make_download_artifact(store.dependencies);
  TestContext from;
  os::make_dirs(from.workspace() / "dist/sub");
  os::write_file(from.workspace() / "dist/a.txt", "a");
  os::write_file(from.workspace() / "dist/sub/b.txt", "b");
  os::write_file(from.workspace() / "dist/.hidden", "h");
  from.run(*upload, {{"name", "site"}, {"path", "dist"}});
  CHECK(from.outputs["artifact-digest"].size() == 64);
  CHECK_THROWS_WITH_AS(from.run(*upload, {{"name", "site"}, {"path", "dist"}}),
                       doctest::Contains("already exists"), Error);
  from.run(*upload, {{"name", "texts"}, {"path", "dist/**/*.txt\n!dist/a.txt"}});
  TestContext to;
  to.run(*download, {{"name", "site"}, {"path", "got"}});
  CHECK(os::read_file(to.workspace() / "got/sub/b.txt") == "b");
  CHECK_FALSE(fs::exists(to.workspace() / "got/.hidden"));
  to.run(*download, {{"pattern", "te*"}, {"path", "all"}});
  CHECK(os::read_file(to.workspace() / "all/texts/b.txt") == "b");
  CHECK_FALSE(fs::exists(to.workspace() / "all/texts/a.txt"));
  CHECK_THROWS_WITH_AS(to.run(*download, {{"name", "other"}}),
                       doctest::Contains("this run has site, texts"), Error);
}

TEST_CASE("an upload that finds nothing warns, or fails when told to") {
  Store store;
  TestContext context;
  auto upload = make_upload_artifact(store.dependencies);
  context.run(*upload, {{"path", "nothing"}});
  CHECK(context.warnings.size() == 1);
  CHECK_THROWS_AS(context.run(*upload, {{"path", "nothing"}, {"if-no-files-found", "error"}}),
                  Error);
  CHECK_THROWS_AS(context.run(*upload, {{"name", "a/b"}, {"path", "nothing"}}), Error);
}
