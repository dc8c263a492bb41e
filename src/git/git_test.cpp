// SPDX-License-Identifier: Apache-2.0
#include "git/git.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "git/clone.hpp"
#include "git/run_git.hpp"
#include "os/file.hpp"

namespace slipway::git {
namespace {

// A repository with two commits on main and a tag on the first.
class Sample {
 public:
  Sample() {
    git({"init", "--quiet", "--initial-branch=main"});
    write("a.txt", "one\n");
    write("dir/b.txt", "b\n");
    commit("first");
    git({"tag", "v1.0.0"});
    write("a.txt", "two\n");
    write("c d.txt", "c\n");
    commit("second\n\nwith a body");
  }
  [[nodiscard]] const Path& path() const { return dir_.path(); }
  std::string git(std::vector<std::string> arguments) {
    return git_output(path(), std::move(arguments), {});
  }
  void write(const std::string& name, const std::string& text) {
    os::make_dirs((path() / name).parent_path());
    os::write_file(path() / name, text);
  }
  void commit(const std::string& message) {
    git({"add", "--all"});
    git({"-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "--quiet", "-m",
         message});
  }

 private:
  os::TempDir dir_;
};

TEST_CASE("refs are found by short and by full name, a branch before a tag") {
  Sample sample;
  CHECK(full_ref(sample.path(), "main", {}) == "refs/heads/main");
  CHECK(full_ref(sample.path(), "v1.0.0", {}) == "refs/tags/v1.0.0");
  CHECK(full_ref(sample.path(), "refs/tags/v1.0.0", {}) == "refs/tags/v1.0.0");
  CHECK_FALSE(full_ref(sample.path(), "nope", {}));
  CHECK(head_ref(sample.path(), {}) == "refs/heads/main");
  CHECK(tags_at(sample.path(), *commit_of(sample.path(), "HEAD~1", {}), {}) ==
        std::vector<std::string>{"refs/tags/v1.0.0"});
  CHECK_FALSE(commit_of(sample.path(), "--help", {}));
  CHECK(top_level(sample.path() / "dir", {}) == std::filesystem::canonical(sample.path()));
}

TEST_CASE("a commit has its author, parents and whole message") {
  Sample sample;
  auto commit = read_commit(sample.path(), "HEAD", {});
  CHECK(commit.author_name == "Ann");
  CHECK(commit.message == "second\n\nwith a body");
  CHECK(commit.parents.size() == 1);
  CHECK_THROWS_WITH_AS(read_commit(sample.path(), "nope", {}),
                       doctest::Contains("no commit 'nope'"), Error);
}

TEST_CASE("changed files, committed and not") {
  Sample sample;
  using Names = std::vector<std::string>;
  CHECK(changed_files(sample.path(), "HEAD~1", "HEAD", {}) == Names{"a.txt", "c d.txt"});
  CHECK(changed_files(sample.path(), kEmptyTree, "HEAD~1", {}) == Names{"a.txt", "dir/b.txt"});
  sample.write("new.txt", "x");
  sample.write("dir/b.txt", "changed");
  CHECK(uncommitted_files(sample.path(), "HEAD", {}) == Names{"dir/b.txt", "new.txt"});
  CHECK(file_at(sample.path(), "HEAD", "dir/b.txt", {}) == "b\n");
  CHECK_FALSE(file_at(sample.path(), "HEAD", "new.txt", {}));
}

TEST_CASE("a clone has the revision asked for, a tag, a branch or any commit") {
  Sample sample;
  auto first = *commit_of(sample.path(), "HEAD~1", {});
  for (const std::string& revision : {std::string("v1.0.0"), first}) {
    os::TempDir target;
    CloneRequest request;
    request.source = sample.path().string();
    request.revision = revision;
    CHECK(clone(request, target.path() / "clone", {}) == first);
    CHECK(os::read_file(target.path() / "clone/a.txt") == "one\n");
  }
  os::TempDir target;
  CloneRequest request;
  request.source = sample.path().string();
  request.revision = "nope";
  CHECK_THROWS_AS(clone(request, target.path() / "clone", {}), Error);
  CHECK(remote_commit(sample.path().string(), "v1.0.0", "", {}) == first);
}

TEST_CASE("an exported tree is the commit's, whatever the working tree holds") {
  Sample sample;
  sample.write("a.txt", "dirty");
  os::TempDir target;
  export_tree(sample.path(), "HEAD", target.path() / "tree", {});
  CHECK(os::read_file(target.path() / "tree/a.txt") == "two\n");
  CHECK(os::read_file(target.path() / "tree/c d.txt") == "c\n");
  CHECK_FALSE(std::filesystem::exists(target.path() / "tree/.git"));
}

TEST_CASE("owner and name of a URL") {
  CHECK(owner_and_name("https://github.com/acme/app.git") == "acme/app");
  CHECK(owner_and_name("git@github.com:acme/app.git") == "acme/app");
  CHECK(owner_and_name("ssh://git@host:22/acme/app") == "acme/app");
  CHECK_FALSE(owner_and_name("/srv/git/app"));
  CHECK_FALSE(owner_and_name("https://host"));
}

}  // namespace
}  // namespace slipway::git
