// SPDX-License-Identifier: Apache-2.0
#include "container/leftovers.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <system_error>

#include "base/error.hpp"
#include "base/text.hpp"
#include "container/attached.hpp"
#include "container/bundle.hpp"
#include "container/cgroup.hpp"
#include "container/network.hpp"
#include "formats/sha256.hpp"
#include "os/file.hpp"
#include "os/mount.hpp"
#include "os/process.hpp"
#include "os/user_namespace.hpp"

namespace slipway::container {
namespace {

namespace fs = std::filesystem;
using Kind = Leftover::Kind;

constexpr const char* kNetnsDirectory = "/run/netns";

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error))
    names.push_back(entry.path().filename());
  return names;
}

void add(std::vector<Leftover>& all, Kind kind, const std::set<std::string>& names) {
  for (const auto& name : names) all.push_back({kind, name});
}

std::set<std::string> with_prefix(const std::vector<std::string>& names,
                                  const std::string& prefix) {
  std::set<std::string> out;
  for (const auto& name : names) {
    if (name.starts_with(prefix)) out.insert(name);
  }
  return out;
}

std::set<std::string> containers(const Places& places) {
  std::set<std::string> ids;
  for (const auto& directory : {places.detached, places.attached, places.root}) {
    for (auto& id : names_in(directory)) ids.insert(id);
  }
  return ids;
}

std::set<std::string> mounts(const Places& places, const RuntimeOptions& options) {
  std::set<std::string> found;
  for (const auto& directory : {options.state, places.root.parent_path()}) {
    if (!fs::exists(directory)) continue;
    for (const auto& mount : os::mounts_below(directory)) {
      if (mount != directory)
        found.insert(
            mount.string());  // the user may have given the directory a file system of its own
    }
  }
  return found;
}

// The hierarchies' directories of this state; with cgroup2 alone there is one.
std::vector<fs::path> cgroup_directories(const std::string& short_id) {
  std::vector<fs::path> found;
  std::error_code error;
  auto relative = fs::path("slipway") / short_id;
  if (fs::exists(fs::path("/sys/fs/cgroup") / relative, error))
    found.push_back(fs::path("/sys/fs/cgroup") / relative);
  for (const auto& name : names_in("/sys/fs/cgroup")) {
    auto directory = fs::path("/sys/fs/cgroup") / name / relative;
    if (fs::is_directory(directory, error)) found.push_back(directory);
  }
  return found;
}

std::set<std::string> cgroups(const std::string& short_id) {
  std::set<std::string> ids;
  for (const auto& directory : cgroup_directories(short_id)) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
      if (entry.is_directory(error)) ids.insert(entry.path().filename());
    }
  }
  return ids;
}

std::set<std::string> tables(const std::string& short_id) {
  if (!os::find_program("nft") || ::geteuid() != 0) return {};
  auto said =
      os::capture({.argv = {"nft", "list", "tables"}}, {}, Deadline::in(std::chrono::seconds(10)));
  std::set<std::string> found;
  for (auto line : lines_of(said.out)) {  // "table ip slipway_1a2b3c_0"
    auto words = split(line, ' ');
    if (words.size() >= 3 && words[2].starts_with("slipway_" + short_id)) found.insert(words[2]);
  }
  return found;
}

void run_quietly(std::vector<std::string> argv) {
  if (os::find_program(argv[0]))
    os::capture({.argv = std::move(argv)}, {}, Deadline::in(std::chrono::seconds(20)));
}

void remove_namespaces(const std::string& short_id) {
  for (const auto& name : with_prefix(names_in(kNetnsDirectory), "sw" + short_id)) {
    auto path = fs::path(kNetnsDirectory) / name;
    ::umount2(path.c_str(), MNT_DETACH);
    ::unlink(path.c_str());
  }
}

void remove_directories(const Places& places) {
  for (const auto& directory : cgroup_directories(places.short_id)) {
    remove_cgroup("/slipway/" + places.short_id);
    ::rmdir(directory.parent_path().c_str());  // stays when another state directory uses it
  }
  os::remove_tree(places.root.parent_path());
  ::rmdir(places.root.parent_path().parent_path().c_str());
}

void remove_containers(const Places& places) {
  for (const auto& id : containers(places)) {
    delete_leftover(places, id, cgroup_path(places.short_id, id));
    os::remove_tree(places.attached / id);
    os::remove_tree(places.detached / id);
  }
}

}  // namespace

std::string short_id(const fs::path& state) {
  return formats::sha256_hex(fs::weakly_canonical(state).string()).substr(0, 6);
}

std::string to_string(const Leftover& leftover) {
  const char* kind = "";
  switch (leftover.kind) {
    case Kind::container:
      kind = "container";
      break;
    case Kind::mount:
      kind = "mount";
      break;
    case Kind::netns:
      kind = "network namespace";
      break;
    case Kind::link:
      kind = "network interface";
      break;
    case Kind::nft_table:
      kind = "nftables table";
      break;
    case Kind::cgroup:
      kind = "cgroup";
      break;
  }
  return fmt::format("{} {}", kind, leftover.name);
}

std::vector<Leftover> leftovers(const RuntimeOptions& options) {
  auto places = Places::of(options);
  std::vector<Leftover> all;
  add(all, Kind::container, containers(places));
  add(all, Kind::mount, mounts(places, options));
  add(all, Kind::netns, with_prefix(names_in(kNetnsDirectory), "sw" + places.short_id));
  add(all, Kind::link, with_prefix(names_in("/sys/class/net"), "sw" + places.short_id));
  add(all, Kind::nft_table, tables(places.short_id));
  add(all, Kind::cgroup, cgroups(places.short_id));
  return all;
}

void sweep(const RuntimeOptions& options) {
  auto places = Places::of(options);
  for (const auto& id : names_in(places.attached)) {
    auto mark = os::read_file_if_exists(places.attached / id / "owner");
    if (mark && !is_owner_alive(*mark)) remove_dead(places, id);  // without a mark it is being made
  }
  if (::geteuid() == 0 && !os::is_in_user_namespace()) sweep_networks(options.state);
}

void remove_empty(const RuntimeOptions& options) {
  auto places = Places::of(options);
  os::Fd held(::open(places.users().c_str(), O_RDWR | O_CLOEXEC));
  // Whoever comes while this is held waits, and makes all anew.
  if (!held.is_open() || ::flock(held.get(), LOCK_EX | LOCK_NB) != 0) return;
  if (!containers(places).empty() || !cgroups(places.short_id).empty()) return;
  auto own = places.root.parent_path();
  for (const auto& directory : cgroup_directories(places.short_id)) {
    ::rmdir(directory.c_str());
    ::rmdir(directory.parent_path().c_str());
  }
  for (const auto& directory : {places.attached, places.root}) ::rmdir(directory.c_str());
  for (const auto& file : {own / "lock", places.users()}) ::unlink(file.c_str());
  ::rmdir(own.c_str());
  ::rmdir(own.parent_path().c_str());
}

std::vector<Leftover> remove_everything(const RuntimeOptions& options) {
  auto places = Places::of(options);
  if (os::find_program(options.program) && ::geteuid() == 0) {
    auto runtime = make_crun_runtime(options);
    for (const auto& container : runtime->list()) runtime->remove(container.id);
  }
  remove_containers(places);
  for (const auto& link : with_prefix(names_in("/sys/class/net"), "sw" + places.short_id)) {
    run_quietly({"ip", "link", "delete", link});
  }
  remove_namespaces(places.short_id);
  for (const auto& table : tables(places.short_id)) {
    for (const char* family : {"ip", "bridge"})
      run_quietly({"nft", "delete", "table", family, table});
  }
  if (::geteuid() == 0) forbid_forwarding_again();
  for (const auto& mount : mounts(places, options)) os::unmount(mount);
  os::remove_tree(options.state / "network");
  remove_directories(places);
  return leftovers(options);
}

}  // namespace slipway::container
