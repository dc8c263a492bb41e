// SPDX-License-Identifier: Apache-2.0
#include "oci/unpack.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/error.hpp"
#include "formats/tar.hpp"
#include "os/file.hpp"

namespace slipway::oci {
namespace {

using formats::TarEntry;
using formats::TarType;
namespace fs = std::filesystem;

// A tar written entry by entry.
class Tar {
 public:
  Tar& file(const std::string& path, const std::string& content = "x", unsigned mode = 0644) {
    TarEntry entry;
    entry.path = path;
    entry.mode = mode;
    writer_.add(entry, content);
    return *this;
  }
  Tar& other(TarType type, const std::string& path, const std::string& target = "",
             unsigned mode = 0755) {
    TarEntry entry;
    entry.path = path;
    entry.type = type;
    entry.link_target = target;
    entry.mode = mode;
    writer_.add(entry);
    return *this;
  }
  Tar& dir(const std::string& path, unsigned mode = 0755) {
    return other(TarType::directory, path + "/", "", mode);
  }
  Tar& link(const std::string& path, const std::string& target) {
    return other(TarType::symlink, path, target, 0777);
  }
  Tar& hard(const std::string& path, const std::string& target) {
    return other(TarType::hard_link, path, target);
  }
  Tar& entry(const TarEntry& given, const std::string& content = "") {
    writer_.add(given, content);
    return *this;
  }
  std::string end() {
    writer_.finish();
    return out_.take();
  }

 private:
  formats::StringWriter out_;
  formats::TarWriter writer_{out_};
};

struct Sandbox {
  os::TempDir dir;
  fs::path root = dir.path() / "root";
  fs::path outside = dir.path() / "outside";
  Sandbox() {
    fs::create_directory(root);
    os::write_file(outside, "host");
  }
  Unpacked apply(const std::string& tar, Whiteouts whiteouts = Whiteouts::apply) {
    UnpackOptions options;
    options.whiteouts = whiteouts;
    options.own = ::geteuid() == 0;
    return apply(tar, options);
  }
  Unpacked apply(const std::string& tar, const UnpackOptions& options) {
    formats::MemoryReader reader(tar);
    os::Fd fd = os::open_file(root.string(), O_RDONLY | O_DIRECTORY);
    return apply_layer(reader, fd, options, {});
  }
  // What is beside the root must be as it was.
  bool untouched() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir.path()))
      names.insert(entry.path().filename().string());
    return names == std::set<std::string>{"outside", "root"} && os::read_file(outside) == "host";
  }
};

bool is_whiteout(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == 0;
}
bool is_opaque(const fs::path& path) {
  char value = 0;
  return ::lgetxattr(path.c_str(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

TEST_CASE("files, directories and links come with modes and times") {
  Sandbox box;
  TarEntry file;
  file.path = "a/b";
  file.mode = 04755;
  file.mtime = 1'000'000;
  file.mtime_ns = 500;
  box.apply(Tar().dir("a", 01777).entry(file, "data").link("a/l", "b").hard("a/h", "a/b").end());
  struct stat info {};
  REQUIRE(::lstat((box.root / "a/b").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 04755);
  CHECK(info.st_mtim.tv_sec == 1'000'000);
  CHECK(info.st_nlink == 2);
  REQUIRE(::lstat((box.root / "a").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 01777);
  CHECK(fs::read_symlink(box.root / "a/l") == "b");
  CHECK(os::read_file(box.root / "a/h") == "data");
}

TEST_CASE("an entry that climbs out is refused") {
  for (const char* path :
       {"../outside", "a/../../outside", "..", "/../outside", "a/b/../../../outside"}) {
    INFO(path);
    Sandbox box;
    CHECK_THROWS_AS(box.apply(Tar().file(path, "evil").end()), Error);
    CHECK_THROWS_AS(box.apply(Tar().dir(path).end(), Whiteouts::overlay), Error);
    CHECK_THROWS_AS(box.apply(Tar().hard("x", path).end()), Error);
    CHECK(box.untouched());
  }
}

TEST_CASE("absolute names and links are taken as inside the root") {
  Sandbox box;
  box.apply(Tar()
                .file("/etc/x", "1")
                .link("abs", box.dir.path().string())
                .file("abs/outside", "2")
                .end());
  CHECK(os::read_file(box.root / "etc/x") == "1");
  CHECK(box.untouched());
  CHECK(os::read_file(fs::path(box.root.string() + box.dir.path().string()) / "outside") == "2");
}

TEST_CASE("a link to a directory outside does not lead there") {
  for (const char* target :
       {"..", "../..", "/", "/..", "../../../../../..", "/proc/self/root", "/proc/self/cwd"}) {
    INFO(target);
    for (Whiteouts whiteouts : {Whiteouts::apply, Whiteouts::overlay}) {
      Sandbox box;
      try {
        box.apply(Tar()
                      .link("l", target)
                      .file("l/outside", "evil")
                      .file("l/new", "evil")
                      .dir("l/d")
                      .hard("h", "l/outside")
                      .end(),
                  whiteouts);
      } catch (const Error&) {  // refusing is as good
      }
      CHECK(box.untouched());
    }
  }
}

TEST_CASE("a link made by one entry and used by the next stays inside") {
  Sandbox box;
  box.apply(Tar().dir("a").link("a/up", "../../..").file("a/up/outside", "inside").end());
  CHECK(box.untouched());
  CHECK(os::read_file(box.root / "outside") == "inside");
}

TEST_CASE("a file's entry replaces a link instead of writing through it") {
  Sandbox box;
  box.apply(Tar()
                .link("f", box.outside.string())
                .file("f", "mine")
                .link("g", "../outside")
                .hard("g2", "g")
                .file("g2", "mine")
                .end());
  CHECK(os::read_file(box.root / "f") == "mine");
  CHECK_FALSE(fs::is_symlink(box.root / "f"));
  CHECK(box.untouched());
}

TEST_CASE("a hard link to a link links the link, and never what it names") {
  Sandbox box;
  box.apply(Tar().link("l", box.outside.string()).hard("h", "l").end());
  CHECK(fs::is_symlink(box.root / "h"));
  CHECK(box.untouched());
}

TEST_CASE("a directory swapped for a link between two entries does not lead out") {
  Sandbox box;
  std::string tar = Tar()
                        .dir("d")
                        .file("d/a", "1")
                        .link("d", "..")
                        .file("d/outside", "evil")
                        .dir("d")
                        .file("d/b", "2")
                        .end();
  box.apply(tar);
  CHECK(box.untouched());
  CHECK(os::read_file(box.root / "d/b") == "2");
  CHECK_FALSE(fs::exists(box.root / "d/a"));
}

TEST_CASE("whiteouts remove what lies below and nothing else") {
  Sandbox box;
  box.apply(Tar().file("gone", "1").file("d/gone", "2").file("d/kept", "3").file("e/x", "4").end());
  box.apply(Tar()
                .file(".wh.gone")
                .file("d/.wh.gone")
                .file(".wh.never")
                .file("e/.wh..wh..opq")
                .file("e/y", "5")
                .end());
  CHECK_FALSE(fs::exists(box.root / "gone"));
  CHECK_FALSE(fs::exists(box.root / "d/gone"));
  CHECK(fs::exists(box.root / "d/kept"));
  CHECK_FALSE(fs::exists(box.root / "e/x"));
  CHECK(os::read_file(box.root / "e/y") == "5");
}

TEST_CASE("an opaque mark after its entries spares them") {
  Sandbox box;
  box.apply(Tar().file("e/old", "1").file("e/s/old", "2").file("e/s-x", "3").end());
  box.apply(Tar().file("e/new", "4").file("e/s/new", "5").file("e/.wh..wh..opq").end());
  CHECK(fs::exists(box.root / "e/new"));
  CHECK(fs::exists(box.root / "e/s/new"));
  CHECK_FALSE(fs::exists(box.root / "e/old"));
  CHECK_FALSE(fs::exists(box.root / "e/s/old"));
  CHECK_FALSE(fs::exists(box.root / "e/s-x"));
}

TEST_CASE("a layer that removes a file and brings it again has it") {
  Sandbox box;
  box.apply(Tar().file("a", "old").file("d/x", "old").end());
  box.apply(Tar().file("a", "new").file(".wh.a").file(".wh.d").file("d/y", "new").end());
  CHECK(os::read_file(box.root / "a") == "new");
  CHECK_FALSE(fs::exists(box.root / "d/x"));
  CHECK(fs::exists(box.root / "d/y"));
}

TEST_CASE("whiteouts of no name and of the directory above are refused") {
  for (const char* path : {".wh.", ".wh..", "a/.wh...", ".wh..."}) {
    INFO(path);
    Sandbox box;
    fs::create_directory(box.root / "a");
    CHECK_THROWS_AS(box.apply(Tar().file(path).end()), Error);
    CHECK_THROWS_AS(box.apply(Tar().file(path).end(), Whiteouts::overlay), Error);
    CHECK(box.untouched());
  }
}

TEST_CASE("a whiteout behind a link that leads out removes nothing outside") {
  for (Whiteouts whiteouts : {Whiteouts::apply, Whiteouts::overlay}) {
    Sandbox box;
    box.apply(Tar().link("l", "..").end());
    box.apply(Tar().file("l/.wh.outside").file("l/.wh..wh..opq").end(), whiteouts);
    CHECK(box.untouched());
  }
}

TEST_CASE("in overlayfs's form whiteouts are devices and marks" * doctest::skip(::geteuid() != 0)) {
  Sandbox box;
  Unpacked got = box.apply(Tar()
                               .dir("d")
                               .file("d/.wh.x")
                               .dir("o")
                               .file("o/.wh..wh..opq")
                               .file("o/y")
                               .file(".wh.top")
                               .end(),
                           Whiteouts::overlay);
  CHECK(is_whiteout(box.root / "d/x"));
  CHECK(is_whiteout(box.root / "top"));
  CHECK(is_opaque(box.root / "o"));
  CHECK_FALSE(fs::exists(box.root / "o/.wh..wh..opq"));
  CHECK(got.implied.empty());
  CHECK_FALSE(got.needs_lower);
}

TEST_CASE("a directory made anew over a whiteout is opaque" * doctest::skip(::geteuid() != 0)) {
  Sandbox box;
  box.apply(Tar()
                .file(".wh.d")
                .dir("d")
                .file("d/x")
                .file(".wh.e")
                .file("e/x")
                .dir("f")
                .file(".wh.f")
                .end(),
            Whiteouts::overlay);
  CHECK(is_opaque(box.root / "d"));
  CHECK(is_opaque(box.root / "e"));
  CHECK(is_opaque(box.root / "f"));
}

TEST_CASE("overlayfs's own marks in a tar are not taken over" * doctest::skip(::geteuid() != 0)) {
  Sandbox box;
  TarEntry dir;
  dir.path = "d/";
  dir.type = TarType::directory;
  dir.mode = 0755;
  dir.xattrs = {{"trusted.overlay.opaque", "y"},
                {"trusted.overlay.redirect", "/etc"},
                {"user.overlay.opaque", "y"},
                {"trusted.x", "1"}};
  TarEntry null_device;
  null_device.path = "gone";
  null_device.type = TarType::char_device;
  box.apply(Tar().entry(dir).entry(null_device).end(), Whiteouts::overlay);
  CHECK(::llistxattr((box.root / "d").c_str(), nullptr, 0) == 0);
  CHECK(is_whiteout(box.root / "gone"));
}

TEST_CASE("what a layer uses without bringing it is told") {
  Sandbox box;
  Unpacked got = box.apply(Tar().file("usr/lib/x").hard("y", "not/here").end(), Whiteouts::overlay);
  CHECK(got.implied == std::vector<std::string>{"usr", "usr/lib"});
  CHECK(got.missing_link == "y");
  CHECK_THROWS_AS(box.apply(Tar().hard("y", "not/here").end()), Error);
}

TEST_CASE("limits on entries and bytes hold") {
  Sandbox box;
  UnpackOptions options;
  options.own = false;
  options.limits.bytes = 10;
  CHECK_THROWS_AS(box.apply(Tar().file("a", "12345").file("b", "123456").end(), options), Error);
  options.limits = {};
  options.limits.entries = 2;
  CHECK_THROWS_AS(box.apply(Tar().file("a").file("b").file("c").end(), options), Error);
}

TEST_CASE("a tar that is cut short is refused") {
  Sandbox box;
  std::string whole = Tar().file("a", std::string(5000, 'x')).end();
  CHECK_THROWS_AS(box.apply(whole.substr(0, 3000)), Error);
  CHECK_THROWS_AS(box.apply(whole.substr(0, 100)), Error);
}

TEST_CASE("a tar that never ends after its end mark is refused") {
  struct Endless final : formats::Reader {
    std::string head = Tar().file("a").end();
    std::size_t at = 0;
    std::size_t read(std::span<char> into) override {
      std::size_t count = std::min(into.size(), head.size() - std::min(at, head.size()));
      if (count > 0) std::copy_n(head.data() + at, count, into.data());
      if (count == 0) std::fill(into.begin(), into.end(), '\0');
      at += count;
      return count > 0 ? count : into.size();
    }
  } endless;
  Sandbox box;
  os::Fd fd = os::open_file(box.root.string(), O_RDONLY | O_DIRECTORY);
  CHECK_THROWS_AS(apply_layer(endless, fd, {.own = false}, {}), Error);
}

TEST_CASE("a long run of zeros is a hole") {
  Sandbox box;
  std::string content = "begin" + std::string(4u << 20, '\0');
  box.apply(Tar().file("sparse", content).end());
  struct stat info {};
  REQUIRE(::stat((box.root / "sparse").c_str(), &info) == 0);
  CHECK(info.st_blocks * 512 < (2 << 20));
  CHECK(os::read_file(box.root / "sparse") == content);
}

TEST_CASE("a type change replaces what was there") {
  Sandbox box;
  box.apply(Tar().dir("x").file("x/in").file("y").link("z", "y").end());
  box.apply(Tar().file("x", "file").dir("y").dir("z").file("z/in").end());
  CHECK(os::read_file(box.root / "x") == "file");
  CHECK(fs::is_directory(fs::symlink_status(box.root / "y")));
  CHECK(fs::is_directory(fs::symlink_status(box.root / "z")));
}

TEST_CASE("links in circles end in an error") {
  Sandbox box;
  CHECK_THROWS_AS(box.apply(Tar().link("a", "b").link("b", "a").file("a/x").end()), Error);
  CHECK_THROWS_AS(box.apply(Tar().hard("a", "a").end()), Error);
  CHECK_THROWS_AS(box.apply(Tar().dir("d").hard("h", "d").end()), Error);
  CHECK_THROWS_AS(box.apply(Tar().file(std::string(300, 'n')).end()), Error);
}

TEST_CASE("a directory behind a link that a later entry replaces is refused as bad input") {
  Sandbox box;
  try {
    box.apply(Tar().dir("d").link("l", "d").dir("l/x").file("l", "no link any more").end());
    FAIL("its mode would never be set");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::bad_input);
  }
  CHECK(box.untouched());
}

TEST_CASE("a dangling link to a directory is made good inside") {
  Sandbox box;
  box.apply(Tar()
                .link("lib", "usr/lib")
                .file("lib/x", "1")
                .link("abs", "/opt/y")
                .file("abs/z", "2")
                .end());
  CHECK(os::read_file(box.root / "usr/lib/x") == "1");
  CHECK(os::read_file(box.root / "opt/y/z") == "2");
  CHECK(box.untouched());
}

TEST_CASE("unpacking stops when asked to") {
  Sandbox box;
  std::stop_source source;
  source.request_stop();
  std::string tar = Tar().file("a").end();
  formats::MemoryReader reader(tar);
  os::Fd fd = os::open_file(box.root.string(), O_RDONLY | O_DIRECTORY);
  CHECK_THROWS_AS(apply_layer(reader, fd, {.own = false}, source.get_token()), Cancelled);
}

}  // namespace
}  // namespace slipway::oci
