// SPDX-License-Identifier: Apache-2.0
#include "image/run_step.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <list>

#include "base/error.hpp"
#include "base/text.hpp"
#include "image/layer.hpp"
#include "image/ssh_agents.hpp"
#include "os/file.hpp"
#include "os/user_namespace.hpp"

namespace slipway::image {
namespace {

namespace fs = std::filesystem;
using container::MountPoint;

// The places that a container gets besides its own files: each is made in the upper directory where the image lacks it, and
// must not stay in the layer.
class Stubs {
 public:
  Stubs(Tree& root, fs::path upper) : root_(root), upper_(std::move(upper)) {
    for (const char* path :
         {"/proc", "/sys", "/dev", "/etc/resolv.conf", "/etc/hosts", "/etc/hostname"})
      add(path);
  }

  void add(const std::string& target) {
    std::string path = root_.resolve(target);
    std::string missing = path;
    if (root_.lookup(path, false)) missing.clear();
    stubs_.push_back({path, !missing.empty()});
  }

  void remove() {
    for (auto stub = stubs_.rbegin(); stub != stubs_.rend(); ++stub) {
      std::string path = stub->path;
      if (stub->is_new && !remove_empty(path)) continue;
      if (!stub->is_new) continue;
      // Upwards: directories made for it, or copied up only to hold it.
      for (auto slash = path.rfind('/'); slash != std::string::npos; slash = path.rfind('/')) {
        path.resize(slash);
        if (!is_unchanged(path) || !remove_empty(path)) break;
      }
    }
  }

 private:
  struct Stub {
    std::string path;
    bool is_new;
  };

  // What ran may have put a link in place of a directory on the way (CVE-2024-23652): links are not followed.
  bool remove_empty(const std::string& path) const {
    auto slash = path.rfind('/');
    std::string above = slash == std::string::npos ? "." : path.substr(0, slash);
    std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    os::Fd root(::open(upper_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    open_how how{.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                 .mode = 0,
                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    os::Fd parent(
        static_cast<int>(::syscall(SYS_openat2, root.get(), above.c_str(), &how, sizeof how)));
    if (!parent.is_open()) return errno == ENOENT;
    struct stat status {};
    if (::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return true;
    if (S_ISDIR(status.st_mode)) return ::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) == 0;
    return S_ISREG(status.st_mode) && status.st_size == 0 &&
           ::unlinkat(parent.get(), name.c_str(), 0) == 0;
  }

  bool is_unchanged(const std::string& path) const {
    auto before = root_.lookup(path, false);
    if (!before) return true;
    struct stat status {};
    if (::lstat((upper_ / path).c_str(), &status) != 0) return true;
    return S_ISDIR(status.st_mode) && (status.st_mode & 07777) == before->node.mode &&
           status.st_uid == before->node.uid && status.st_gid == before->node.gid;
  }

  Tree& root_;
  fs::path upper_;
  std::vector<Stub> stubs_;
};

class RunStep {
 public:
  RunStep(const RunOp& run, const std::string& id, RunWorld& world, const std::stop_token& stop)
      : run_(run),
        id_(id),
        world_(world),
        stop_(stop),
        made_(world.store.begin_layer(id)),
        scratch_(made_),
        memory_(os::TempDir::in_memory()),  // secrets stay in memory
        stubs_(world.root, made_ / "fs") {}

  RunOutcome execute() {
    take_after_root();
    container::ContainerSpec spec = make_spec();
    for (std::size_t i = 0; i < run_.mounts.size(); ++i) add_mount(i, spec);
    add_scripts(spec);
    for (const auto& mount : spec.mounts) stubs_.add(mount.target);
    auto exit = world_.runtime.run(spec, {.sink = world_.output},
                                   {.after_interrupt = std::chrono::milliseconds(0)}, stop_,
                                   Deadline::never());
    RunOutcome outcome{.exit_code = exit.exit.status()};
    if (exit.out_of_memory) outcome.reason = "out of memory";
    if (!exit.reason.empty()) outcome.reason = exit.reason;
    if (outcome.exit_code != 0 || !exit.reason.empty()) return outcome;
    stubs_.remove();
    os::remove_tree(scratch_.path());
    outcome.layer = world_.store.commit_layer(id_);
    return outcome;
  }

 private:
  // The overlay's root directory is the upper one: it takes after the image's.
  void take_after_root() {
    struct stat status {};
    if (world_.lower.empty() || ::lstat(world_.lower.front().c_str(), &status) != 0) return;
    if (::chown((made_ / "fs").c_str(), status.st_uid, status.st_gid) != 0 &&
        !os::is_unmapped_owner(errno))
      os::throw_errno("chown of a layer");
    if (::chmod((made_ / "fs").c_str(), status.st_mode & 07777) != 0)
      os::throw_errno("chmod of a layer");
  }

  container::ContainerSpec make_spec() {
    container::ContainerSpec spec;
    spec.id = "build-" + id_;
    spec.rootfs.lower = world_.lower;
    if (spec.rootfs.lower.empty()) {
      fs::path nothing = scratch_.path() / "nothing";
      os::make_dirs(nothing);
      spec.rootfs.lower = {nothing};
    }
    spec.rootfs.upper = made_ / "fs";
    spec.rootfs.work = made_ / "work";
    spec.rootfs.discard = true;
    spec.argv = run_.argv;
    for (const auto* lines : {&run_.env, &run_.hidden_env}) {
      for (const auto& line : *lines) {
        auto equals = line.find('=');
        if (equals != std::string::npos) spec.env[line.substr(0, equals)] = line.substr(equals + 1);
      }
    }
    spec.cwd = run_.cwd;
    auto user = container::resolve_user(run_.user, spec.rootfs);
    spec.user = user.user;
    spec.env.try_emplace("HOME", user.home);
    spec.hostname = run_.hostname;
    spec.network.kind = run_.network == "none" ? container::NetworkChoice::Kind::none
                                               : container::NetworkChoice::Kind::host;
    spec.hosts = hosts();
    spec.ulimits = world_.request.ulimits;
    spec.shm_bytes = world_.request.shm_bytes;
    if (run_.insecure) {
      spec.security.add_capabilities = {"ALL"};
      spec.security.masked_paths = false;
    }
    return spec;
  }

  // The machine's own when the step is on its network; the step's name leads to itself in any case.
  std::string hosts() const {
    std::string text = run_.network == "none"
                           ? "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
                           : os::read_file_if_exists("/etc/hosts").value_or("");
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
    text += "127.0.0.1\t" + run_.hostname + "\n";
    for (const auto& entry : world_.request.add_hosts) {
      auto colon = entry.find_first_of(":=");
      if (colon == std::string::npos)
        fail(Fault::bad_input, "--add-host '{}' is not NAME:ADDRESS", entry);
      text += entry.substr(colon + 1) + "\t" + entry.substr(0, colon) + "\n";
    }
    return text;
  }

  void add_scripts(container::ContainerSpec& spec) {
    if (run_.scripts.empty()) return;
    fs::path directory = scratch_.path() / "pipes";
    os::make_dirs(directory);
    for (const auto& script : run_.scripts) {
      if (script.name.find('/') != std::string::npos)
        fail(Fault::bad_input, "'{}' cannot be a heredoc's name here", script.name);
      os::write_file(directory / script.name, script.content);
      if (::chmod((directory / script.name).c_str(), script.mode) != 0)
        os::throw_errno("chmod of a script");
    }
    spec.mounts.push_back({.source = directory, .target = "/dev/pipes", .read_only = true});
  }

  void add_mount(std::size_t index, container::ContainerSpec& spec) {
    const auto& [mount, origin] = run_.mounts[index];
    switch (mount.type) {
      case MountFlag::Type::tmpfs:
        spec.mounts.push_back({.kind = MountPoint::Kind::tmpfs,
                               .target = mount.target,
                               .size_bytes = mount.size_bytes.value_or(0)});
        break;
      case MountFlag::Type::secret:
        add_secret(mount, index, spec);
        break;
      case MountFlag::Type::ssh:
        add_ssh(mount, index, spec);
        break;
      case MountFlag::Type::cache:
        add_cache(mount, origin, spec);
        break;
      case MountFlag::Type::bind:
        add_bind(mount, origin, index, spec);
        break;
    }
  }

  void add_secret(const MountFlag& mount, std::size_t index, container::ContainerSpec& spec) {
    std::string id = !mount.source.empty() ? mount.source
                     : !mount.id.empty()   ? mount.id
                                           : fs::path(mount.target).filename().string();
    const Secret* found = nullptr;
    for (const auto& secret : world_.request.secrets) {
      if (secret.id == id) found = &secret;
    }
    if (!found) {
      if (mount.required)
        fail(Fault::bad_input,
             "secret {}: not found; give it with --secret id={},src=FILE or env=NAME", id, id);
      return;
    }
    if (!mount.env.empty()) spec.env[mount.env] = found->value;
    if (!mount.env.empty() && mount.target.empty()) return;
    fs::path file = memory_.path() / fmt::format("secret-{}", index);
    os::write_file(file, found->value, 0600);
    if (::chown(file.c_str(), mount.uid.value_or(0), mount.gid.value_or(0)) != 0 &&
        !os::is_unmapped_owner(errno))
      os::throw_errno("chown of a secret");
    if (::chmod(file.c_str(), mount.mode.value_or(0400)) != 0) os::throw_errno("chmod of a secret");
    spec.mounts.push_back({.source = file,
                           .target = mount.target.empty()
                                         ? "/run/secrets/" + fs::path(id).filename().string()
                                         : mount.target,
                           .read_only = true});
  }

  void add_ssh(const MountFlag& mount, std::size_t index, container::ContainerSpec& spec) {
    std::string id = mount.id.empty() ? "default" : mount.id;
    const auto& agents = world_.request.ssh;
    auto agent = std::find_if(agents.begin(), agents.end(),
                              [&](const SshAgent& one) { return one.id == id; });
    if (agent == agents.end()) {
      if (mount.required)
        fail(Fault::bad_input, "ssh: no agent '{}' is offered; give --ssh {}", id, id);
      return;
    }
    std::string target =
        mount.target.empty() ? fmt::format("/run/buildkit/ssh_agent.{}", index) : mount.target;
    fs::path socket = memory_.path() / fmt::format("ssh-{}", index);
    agents_.emplace_back(socket, agent->socket, mount.mode.value_or(0600), mount.uid.value_or(0),
                         mount.gid.value_or(0));
    spec.mounts.push_back({.source = socket, .target = target});
    spec.env.try_emplace("SSH_AUTH_SOCK", target);
  }

  void add_cache(const MountFlag& mount, const Origin& origin, container::ContainerSpec& spec) {
    fs::path place = world_.store.cache_directory(mount.cache_id());
    const std::string name = place.filename().string();
    if (mount.sharing == MountFlag::Sharing::locked) {
      os::make_dirs(place.parent_path());
      locks_.push_back(os::FileLock::take(place.string() + ".lock", stop_));
    } else if (mount.sharing == MountFlag::Sharing::private_) {
      for (int number = 0;; ++number) {  // the first that nobody uses now
        fs::path own = place.string() + (number == 0 ? "" : fmt::format("-{}", number));
        if (auto lock = os::FileLock::try_take(own.string() + ".lock")) {
          locks_.push_back(std::move(*lock));
          place = own;
          break;
        }
      }
    }
    std::error_code problem;
    if (!fs::is_directory(place, problem)) make_cache(mount, origin, name, place);
    spec.mounts.push_back({.source = place, .target = mount.target, .read_only = mount.read_only});
  }

  void make_cache(const MountFlag& mount, const Origin& origin, const std::string& name,
                  const fs::path& place) {
    os::TempDir made(world_.store.root() / "cache");
    fs::path inside = made.path() / "data";
    os::make_dirs(inside);
    RemoteLayers* remote = world_.store.remote();
    bool is_filled = remote && remote->fill_cache_mount(name, inside, stop_);
    if (!is_filled && !mount.from.empty()) {
      Tree& tree = world_.tree_of(origin);
      write_directory(tree.entries_below(tree.resolve(mount.source), false), inside, {}, stop_);
    }
    if (::chown(inside.c_str(), mount.uid.value_or(0), mount.gid.value_or(0)) != 0 &&
        !os::is_unmapped_owner(errno))
      os::throw_errno("chown of a cache");
    if (::chmod(inside.c_str(), mount.mode.value_or(0755)) != 0)
      os::throw_errno("chmod of a cache");
    std::error_code problem;
    fs::rename(inside, place,
               problem);  // another build may have made it meanwhile: that one counts
  }

  // The files as a read-only directory or file; what a writable mount changes is dropped at the end.
  void add_bind(const MountFlag& mount, const Origin& origin, std::size_t index,
                container::ContainerSpec& spec) {
    Tree& tree = world_.tree_of(origin);
    auto found = tree.lookup(mount.source, true);
    if (!found)
      fail(Fault::bad_input, "mount source \"{}\": not found",
           mount.source.empty() ? "/" : mount.source);
    fs::path place = scratch_.path() / fmt::format("bind-{}", index);
    if (!found->node.is_directory()) {
      Node node = found->node;
      Entries one{{"file", node}};
      os::make_dirs(place);
      write_directory(one, place,
                      mount.read_only ? std::vector{world_.store.root().parent_path()}
                                      : std::vector<fs::path>{},
                      stop_);
      spec.mounts.push_back(
          {.source = place / "file", .target = mount.target, .read_only = mount.read_only});
      return;
    }
    os::make_dirs(place / "lower");
    if (::chmod((place / "lower").c_str(), found->node.mode) != 0)
      os::throw_errno("chmod of a mount");
    write_directory(tree.entries_below(found->path, false), place / "lower",
                    {world_.store.root().parent_path()}, stop_);
    if (mount.read_only) {
      spec.mounts.push_back({.source = place / "lower", .target = mount.target, .read_only = true});
      return;
    }
    os::make_dirs(place / "upper");
    os::make_dirs(place / "work");
    spec.mounts.push_back({.kind = MountPoint::Kind::overlay,
                           .source = place / "lower",
                           .target = mount.target,
                           .upper = place / "upper",
                           .work = place / "work"});
  }

  const RunOp& run_;
  const std::string& id_;
  RunWorld& world_;
  const std::stop_token& stop_;
  fs::path made_;
  os::TempDir scratch_;  // on the layers' file system, so that files can be linked
  os::TempDir memory_;
  Stubs stubs_;
  std::vector<os::FileLock> locks_;
  std::list<AgentSocket> agents_;  // in memory_
};

}  // namespace

RunOutcome run_step(const RunOp& run, const std::string& id, RunWorld& world,
                    const std::stop_token& stop) {
  DiscardLayer discard(world.store, id);
  return RunStep(run, id, world, stop).execute();
}

}  // namespace slipway::image
