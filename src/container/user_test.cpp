// SPDX-License-Identifier: Apache-2.0
#include "container/user.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.hpp"
#include "container/spec.hpp"
#include "os/file.hpp"

using namespace slipway;
using namespace slipway::container;

namespace {
constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/sh\napp:x:1001:1002::/home/app:/bin/sh\n7:x:2000:2000::/seven:/bin/"
    "sh\n";
constexpr const char* kGroup = "root:x:0:\nstaff:x:50:app,root\ndocker:x:999:app\n";
}  // namespace

TEST_CASE("a user's name brings its group, home and supplementary groups") {
  auto found = resolve_user("app", kPasswd, kGroup);
  CHECK(found.user == User{1001, 1002, {50, 999}});
  CHECK(found.home == "/home/app");
}

TEST_CASE("no name means root, a number need not be known, a name that looks like a number wins") {
  CHECK(resolve_user("", kPasswd, kGroup).user.uid == 0);
  CHECK(resolve_user("", "", "").home == "/root");
  CHECK(resolve_user("1234", kPasswd, kGroup).user == User{1234, 0, {}});
  CHECK(resolve_user("1234", kPasswd, kGroup).home == "/");
  CHECK(resolve_user("7", kPasswd, kGroup).user.uid == 2000);
}

TEST_CASE("a group after the colon replaces all of the user's own") {
  CHECK(resolve_user("app:staff", kPasswd, kGroup).user == User{1001, 50, {}});
  CHECK(resolve_user("app:77", kPasswd, kGroup).user == User{1001, 77, {}});
}

TEST_CASE("unknown names are refused in Docker's words") {
  CHECK_THROWS_WITH(resolve_user("nobody1", kPasswd, kGroup),
                    "unable to find user nobody1: no matching entries in passwd file");
  CHECK_THROWS_WITH(resolve_user("app:nope", kPasswd, kGroup),
                    "unable to find group nope: no matching entries in group file");
  CHECK_THROWS_AS(resolve_user("-1", kPasswd, kGroup), Error);
  CHECK_THROWS_AS(resolve_user("4294967295", kPasswd, kGroup), Error);
}

TEST_CASE("files of a root file system come from the top-most layer, and links stay inside it") {
  os::TempDir directory;
  auto top = directory.path() / "top";
  auto low = directory.path() / "low";
  os::make_dirs(top / "etc");
  os::make_dirs(low / "etc");
  os::write_file(low / "etc/passwd", "low");
  os::write_file(low / "etc/group", "low");
  os::write_file(top / "etc/passwd", "top");
  std::filesystem::create_symlink("/etc/passwd", top / "etc/link");
  Rootfs rootfs{.lower = {top, low}};
  CHECK(read_in_rootfs(rootfs, "/etc/passwd") == "top");
  CHECK(read_in_rootfs(rootfs, "/etc/group") == "low");
  CHECK(read_in_rootfs(rootfs, "/etc/link") == "top");
  CHECK(read_in_rootfs(rootfs, "/etc/none").empty());
  if (::geteuid() == 0) {
    REQUIRE(::mknod((top / "etc/group").c_str(), S_IFCHR, makedev(0, 0)) == 0);
    CHECK(read_in_rootfs(rootfs, "/etc/group").empty());
  }
}
