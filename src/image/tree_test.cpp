// SPDX-License-Identifier: Apache-2.0
#include "image/tree.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/error.hpp"
#include "formats/io.hpp"
#include "image/copy.hpp"
#include "image/layer.hpp"
#include "os/file.hpp"

using namespace slipway;
using namespace slipway::image;

namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, std::string_view text) {
  os::make_dirs(path.parent_path());
  os::write_file(path, text);
}

bool whiteout(const fs::path& path) { return ::mknod(path.c_str(), S_IFCHR, makedev(0, 0)) == 0; }

std::vector<std::string> names(Tree& tree, const std::string& path) {
  std::vector<std::string> out;
  for (const auto* child : tree.list(path)) out.push_back(child->first);
  return out;
}

std::vector<std::string> tar_names(const Entries& entries) {
  formats::StringWriter out;
  write_tar(entries, out, std::nullopt, {});
  formats::MemoryReader bytes(out.text());
  formats::TarReader reader(bytes);
  std::vector<std::string> found;
  while (auto entry = reader.next()) {
    found.push_back(entry->path + (entry->type == formats::TarType::hard_link
                                       ? " -> " + entry->link_target
                                       : ""));
  }
  return found;
}

Selected file(const std::string& name, const std::string& text) {
  Node node{.size = text.size(), .content = std::make_shared<std::string>(text)};
  return {.name = name, .node = node};
}

}  // namespace

TEST_CASE(
    "layers show as overlayfs shows them: the upper file wins, whiteouts and opaque directories "
    "hide") {
  if (::geteuid() != 0) return;  // whiteouts are device nodes
  os::TempDir temp;
  fs::path lower = temp.path() / "lower";
  fs::path upper = temp.path() / "upper";
  write(lower / "d/kept", "1");
  write(lower / "d/gone", "1");
  write(lower / "o/old", "1");
  write(lower / "f", "low");
  write(upper / "f", "high");
  write(upper / "o/new", "1");
  os::make_dirs(upper / "d");
  REQUIRE(whiteout(upper / "d/gone"));
  REQUIRE(::setxattr((upper / "o").c_str(), "trusted.overlay.opaque", "y", 1, 0) == 0);
  Tree tree({upper, lower});
  CHECK(tree.read("f") == "high");
  CHECK(names(tree, "d") == std::vector<std::string>{"kept"});
  CHECK(names(tree, "o") == std::vector<std::string>{"new"});
  CHECK_FALSE(tree.lookup("/d/gone", false).has_value());
  auto entries = read_upper(upper, {});
  CHECK(tar_names(entries) ==
        std::vector<std::string>{"d", "d/.wh.gone", "f", "o", "o/.wh..wh..opq", "o/new"});
}

TEST_CASE("links stay inside the tree, loops are refused") {
  os::TempDir temp;
  write(temp.path() / "real/file", "x");
  fs::create_symlink("/real", temp.path() / "absolute");
  fs::create_symlink("../../../../real", temp.path() / "climbing");
  fs::create_symlink("loop", temp.path() / "loop");
  fs::create_symlink("/etc/passwd", temp.path() / "host");
  Tree tree({temp.path()});
  CHECK(tree.read("/absolute/file") == "x");
  CHECK(tree.read("climbing/file") == "x");
  CHECK(tree.resolve("/absolute/new/../other") == "real/other");
  CHECK_FALSE(tree.lookup("host", true).has_value());
  CHECK(tree.lookup("host", false)->node.is_symlink());
  CHECK_THROWS_AS(tree.lookup("loop/x", true), Error);
}

TEST_CASE("a copied file goes into a directory, through a link, or takes the destination's name") {
  os::TempDir temp;
  os::make_dirs(temp.path() / "dir");
  fs::create_symlink("dir", temp.path() / "link");
  write(temp.path() / "file", "old");
  Tree root({temp.path()});
  auto copied = [&](const std::string& dest) {
    CopyOp op{.sources = {"x"}, .dest = dest};
    std::vector<std::string> paths;
    for (const auto& [path, node] : copy_entries(op, {file("a", "1")}, {root}))
      paths.push_back(path);
    return paths;
  };
  CHECK(copied("/dir") == std::vector<std::string>{"dir", "dir/a"});
  CHECK(copied("/link") == std::vector<std::string>{"dir", "dir/a"});
  CHECK(copied("/file") == std::vector<std::string>{"file"});
  CHECK(copied("/n/e/w") == std::vector<std::string>{"n", "n/e", "n/e/w"});
  CHECK(copied("/n/e/w/") == std::vector<std::string>{"n", "n/e", "n/e/w", "n/e/w/a"});
  CHECK_THROWS_AS(copied("/file/x"), Error);
}

TEST_CASE("a directory's contents are copied, and a directory never replaces a file") {
  os::TempDir temp;
  write(temp.path() / "here/name", "file");
  Tree root({temp.path()});
  Selected directory{.name = "src", .node = {.type = formats::TarType::directory}};
  Node sub{.type = formats::TarType::directory, .mode = 0700};
  Node empty{.content = std::make_shared<std::string>()};
  directory.below.emplace_back("sub", &sub);
  directory.below.emplace_back("sub/f", &empty);
  CopyOp op{.sources = {"src"}, .dest = "/new", .chown = "5:6", .chmod = "u=rwX,go="};
  auto entries = copy_entries(op, {directory}, {root});
  CHECK(entries.at("new").mode == 0755);
  CHECK(entries.at("new").uid == 5);
  CHECK(entries.at("new/sub").mode == 0700);
  CHECK(entries.at("new/sub/f").mode == 0600);
  CHECK(entries.at("new/sub/f").gid == 6);
  directory.below[0].first = "name";
  directory.below.pop_back();
  CHECK_THROWS_AS(copy_entries({.sources = {"src"}, .dest = "/here"}, {directory}, {root}), Error);
}

TEST_CASE("owners come from the image's own files, a number alone is the group too") {
  os::TempDir temp;
  write(temp.path() / "etc/passwd", "root:x:0:0::/:/bin/sh\nweb:x:33:34::/:/bin/sh\n");
  write(temp.path() / "etc/group", "root:x:0:\nstaff:x:50:\n");
  Tree root({temp.path()});
  using Owner = std::pair<std::uint32_t, std::uint32_t>;
  CHECK(resolve_owner("web", root) == Owner{33, 34});
  CHECK(resolve_owner("web:staff", root) == Owner{33, 50});
  CHECK(resolve_owner("7", root) == Owner{7, 7});
  CHECK(resolve_owner("7:0", root) == Owner{7, 0});
  CHECK_THROWS_AS(resolve_owner("nobody", root), Error);
}

TEST_CASE("sources are found with wildcards, excludes and parents") {
  os::TempDir temp;
  for (const char* path : {"a/one.txt", "a/two.md", "b/one.txt", "b/deep/one.txt", "top.txt"})
    write(temp.path() / path, path);
  Tree source({temp.path()});
  auto found = [&](CopyOp op) {
    std::vector<std::string> out;
    for (const auto& one : select_files(op, source)) {
      if (!one.node.is_directory()) out.push_back(one.name);
      for (const auto& [path, node] : one.below) out.push_back(path);
    }
    return out;
  };
  using Names = std::vector<std::string>;
  CHECK(found({.sources = {"*/one.*"}}) == Names{"one.txt", "one.txt"});
  CHECK(found({.sources = {"a"}, .excludes = {"*.md"}}) == Names{"one.txt"});
  CHECK(found({.sources = {"none*"}}).empty());
  CHECK_THROWS_AS(found({.sources = {"none"}}), Error);
  CHECK(found({.sources = {"../../top.txt"}}) == Names{"top.txt"});
  CHECK(found({.sources = {"b/deep/one.txt"}, .parents = true}) ==
        Names{"b", "b/deep", "b/deep/one.txt"});
  CHECK(found({.sources = {"b/./deep/one.txt"}, .parents = true}) == Names{"deep", "deep/one.txt"});
  CHECK(found({.sources = {"**/one.txt"}, .parents = true}) ==
        Names{"a", "a/one.txt", "b", "b/deep", "b/deep/one.txt", "b/one.txt"});
}

TEST_CASE("a second name of a file is a hard link in the tar and on disk") {
  os::TempDir temp;
  write(temp.path() / "src/b", "same");
  fs::create_hard_link(temp.path() / "src/b", temp.path() / "src/z");
  Tree tree({temp.path() / "src"});
  auto entries = tree.entries_below("", true);
  CHECK(tar_names(entries) == std::vector<std::string>{"b", "z -> b"});
  os::make_dirs(temp.path() / "out");
  if (::geteuid() != 0) return;
  write_directory(entries, temp.path() / "out", {}, {});
  CHECK(fs::hard_link_count(temp.path() / "out/z") == 2);
  CHECK(os::read_file(temp.path() / "out/z") == "same");
}

TEST_CASE("the same content has the same digest whatever its times, and another mode another") {
  auto digest = [](Node node) {
    Selected one{.name = "f", .node = std::move(node)};
    return content_digest(
        {one}, [](const Node& of) { return *of.content; }, false);
  };
  Node node{.mode = 0644, .mtime = 1, .content = std::make_shared<std::string>("x")};
  Node later = node;
  later.mtime = 2;
  later.uid = 7;
  CHECK(digest(node) == digest(later));
  later.mode = 0600;
  CHECK(digest(node) != digest(later));
}
