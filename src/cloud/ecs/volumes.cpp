// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/volumes.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/ecs/task_setup.hpp"
#include "cloud/input.hpp"
#include "os/file.hpp"
#include "os/mount.hpp"
#include "os/process.hpp"

namespace slipway::cloud::ecs {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kGib = 1LL << 30;
constexpr std::int64_t kMostGib = 16384;
constexpr auto kMakeTime = std::chrono::seconds(60);

const Json* volume_named(const Json& definition, const std::string& name) {
  for (const auto& volume : definition.get_array("volumes")) {
    if (volume.get_string("name") == name) return &volume;
  }
  return nullptr;
}

const Json* container_named(const Json& definition, const std::string& name) {
  for (const auto& container : definition.get_array("containerDefinitions")) {
    if (container.get_string("name") == name) return &container;
  }
  return nullptr;
}

void run(std::vector<std::string> argv, const std::stop_token& stop) {
  std::string program = argv[0];
  auto said = os::capture({.argv = std::move(argv)}, stop, Deadline::in(kMakeTime));
  if (!said.exit.ok())
    throw CannotStart{fmt::format("ResourceInitializationError: EBS volume: {}: {}", program,
                                  trim(said.err.empty() ? said.out : said.err))};
}

// A sparse file with a file system in it: it has the size that was asked for, and what is written to it lies on this disk.
void make_ebs(const Json& asked, const fs::path& directory, const std::stop_token& stop) {
  fs::path file = directory.string() + ".img";
  for (const char* program : {"mkfs.ext4", "mount"}) {
    if (!os::find_program(program))
      throw CannotStart{fmt::format(
          "ResourceInitializationError: EBS volume: slipway needs the program {}", program)};
  }
  os::write_file(file, "");
  auto size = asked.get_int("sizeInGiB") * kGib;
  if (::truncate(file.c_str(), size) != 0)
    throw CannotStart{"ResourceInitializationError: EBS volume: no room for its file"};
  run({"mkfs.ext4", "-q", "-F", "-m", "0", "-E", "root_owner=0:0,lazy_itable_init=1,nodiscard",
       file.string()},
      stop);
  run({"mount", "-o", "loop,nodev,nosuid", file.string(), directory.string()}, stop);
}

fs::path make_efs(const Json& asked, const fs::path& shared) {
  std::string id = asked.get_string("fileSystemId");
  fs::path root = shared / id;
  auto inside = fs::path(asked.get_string("rootDirectory", "/")).relative_path();
  bool is_tame = !id.empty() && id.find('/') == std::string::npos && !id.starts_with('.');
  fs::path at = root;
  for (const auto& part : inside) {
    at /= part;
    // A link that a task has put there leads into the task's world, not ours.
    is_tame = is_tame && part != ".." && !fs::is_symlink(at);
  }
  if (!is_tame)
    throw CannotStart{
        "ResourceInitializationError: failed to invoke EFS utils commands to set up "
        "EFS volumes: invalid file system or root directory"};
  os::make_dirs(at);
  return at;
}

// As the image has the directory, where it declares it as a VOLUME. Looked up within the layer alone.
void take_over_owner(const TaskImage& image, const std::string& target, const fs::path& directory) {
  const auto& declared = image.config.config.volumes;
  if (std::find(declared.begin(), declared.end(), target) == declared.end()) return;
  for (const auto& layer : image.layers) {
    fs::path at = layer;
    struct stat found {};
    bool is_there = true;
    for (const auto& part : fs::path(target).relative_path()) {
      at /= part;
      is_there =
          is_there && part != ".." && ::lstat(at.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
    }
    if (!is_there) continue;
    if (::chown(directory.c_str(), found.st_uid, found.st_gid) != 0 ||
        ::chmod(directory.c_str(), found.st_mode & 07777) != 0)
      throw CannotStart{
          fmt::format("CannotCreateContainerError: the volume for {} cannot be given "
                      "the owner that its image asks for",
                      target)};
    return;
  }
}

[[noreturn]] void wrong_definition(const std::string& message) {
  throw Refusal("ClientException", message);
}

[[noreturn]] void wrong_configuration(const std::string& message) {
  throw Refusal("InvalidParameterException", message);
}

void check_ebs(const std::string& name, const Json& asked) {
  if (asked.contains("snapshotId"))
    wrong_configuration(fmt::format(
        "slipway: 'snapshotId' is not supported yet: volume '{}' can only be a new one", name));
  const Json* policy = asked.find("terminationPolicy");
  if (policy && !policy->get_bool("deleteOnTermination", true))
    wrong_configuration(
        fmt::format("slipway: a volume that outlives its task is not supported "
                    "yet: deleteOnTermination of '{}' must be true",
                    name));
  auto size = asked.get_int("sizeInGiB");
  if (size < 1 || size > kMostGib)
    wrong_configuration(
        fmt::format("A sizeInGiB between 1 and {} or a snapshotId must be "
                    "specified for the volume '{}'.",
                    kMostGib, name));
  static const std::set<std::string> kTypes = {"gp2", "gp3", "io1",     "io2",
                                               "sc1", "st1", "standard"};
  std::string type = asked.get_string("volumeType", "gp3");
  if (!kTypes.contains(type))
    wrong_configuration(fmt::format("Invalid volumeType '{}' for the volume '{}'.", type, name));
  if ((type == "io1" || type == "io2") && !asked.contains("iops"))
    wrong_configuration(fmt::format("iops must be specified for volumes of type {}.", type));
  if (asked.contains("throughput") && type != "gp3")
    wrong_configuration("throughput is only supported for volumes of type gp3.");
}

}  // namespace

void check_volumes(const Json& definition, bool is_fargate) {
  std::set<std::string> names;
  int at_launch = 0;
  for (const auto& volume : definition.get_array("volumes")) {
    std::string name = volume.get_string("name");
    if (name.empty()) wrong_definition("Volume name should not be null or empty.");
    if (!names.insert(name).second)
      wrong_definition(fmt::format("Duplicate volume name '{}'.", name));
    const Json* host = volume.find("host");
    if (is_fargate && host && !host->get_string("sourcePath").empty())
      wrong_definition("host.sourcePath should not be set for volumes in Fargate.");
    if (is_fargate && volume.contains("dockerVolumeConfiguration"))
      wrong_definition("dockerVolumeConfiguration should not be set for volumes in Fargate.");
    if (volume.get_bool("configuredAtLaunch")) ++at_launch;
  }
  if (at_launch > 1)
    wrong_definition("Only one volume with configuredAtLaunch is allowed in a task definition.");
  for (const auto& container : definition.get_array("containerDefinitions")) {
    std::set<std::string> paths;
    for (const auto& mount : container.get_array("mountPoints")) {
      std::string name = mount.get_string("sourceVolume");
      if (!names.contains(name)) wrong_definition(fmt::format("Unknown volume '{}'.", name));
      std::string path = mount.get_string("containerPath");
      if (path.empty())
        wrong_definition(fmt::format("containerPath of volume '{}' must be set.", name));
      if (!paths.insert(path).second)
        wrong_definition(fmt::format("Duplicate mount point '{}'.", path));
    }
    for (const auto& from : container.get_array("volumesFrom")) {
      std::string source = from.get_string("sourceContainer");
      if (!container_named(definition, source) || source == container.get_string("name"))
        wrong_definition(fmt::format("Invalid volumesFrom container '{}'.", source));
    }
  }
}

void check_volume_configurations(const Json::Array& configurations, const Json& definition) {
  std::set<std::string> given;
  for (const auto& one : configurations) {
    std::string name = one.get_string("name");
    const Json* volume = volume_named(definition, name);
    if (!volume || !volume->get_bool("configuredAtLaunch"))
      wrong_configuration(
          fmt::format("The task definition has no volume '{}' with "
                      "configuredAtLaunch set to true.",
                      name));
    if (!given.insert(name).second)
      wrong_configuration(fmt::format("The volume '{}' is configured twice.", name));
    const Json* asked = one.find("managedEBSVolume");
    if (!asked)
      wrong_configuration(fmt::format("managedEBSVolume must be specified for '{}'.", name));
    check_ebs(name, *asked);
  }
  for (const auto& volume : definition.get_array("volumes")) {
    if (volume.get_bool("configuredAtLaunch") && !given.contains(volume.get_string("name")))
      wrong_configuration(
          fmt::format("The volume '{}' has configuredAtLaunch set to true: a "
                      "volumeConfiguration must be specified for it.",
                      volume.get_string("name")));
  }
}

Json attached_volumes(const Json::Array& configurations) {
  Json all = Json::array();
  for (Json one : configurations) {
    one["volumeId"] = "vol-" + hex(random_bytes(9)).substr(0, 17);
    all.push_back(std::move(one));
  }
  return all;
}

std::map<std::string, fs::path> make_volumes(const Task& task, const Json& definition,
                                             const fs::path& task_directory, const fs::path& shared,
                                             const std::stop_token& stop) {
  std::map<std::string, fs::path> made;
  int number = 0;
  for (const auto& volume : definition.get_array("volumes")) {
    std::string name = volume.get_string("name");
    if (const Json* efs = volume.find("efsVolumeConfiguration")) {
      made[name] = make_efs(*efs, shared);
      continue;
    }
    for (const char* kind :
         {"fsxWindowsFileServerVolumeConfiguration", "s3filesVolumeConfiguration"}) {
      if (volume.contains(kind))
        throw CannotStart{
            fmt::format("ResourceInitializationError: slipway: '{}' is not supported yet", kind)};
    }
    fs::path directory = task_directory / "volumes" / std::to_string(number++);
    os::make_dirs(directory);
    ::chmod(directory.c_str(), 0755);
    for (const auto& one : task.volumes.as_array()) {
      if (one.get_string("name") == name) make_ebs(one.at("managedEBSVolume"), directory, stop);
    }
    made[name] = directory;
  }
  return made;
}

void remove_volumes(const fs::path& task_directory) {
  if (!fs::exists(task_directory / "volumes")) return;
  for (const auto& mount : os::mounts_below(task_directory / "volumes")) os::unmount(mount);
}

void mount_volumes(ContainerPlan& plan, const Json& definition,
                   const std::map<std::string, fs::path>& volumes, const TaskImage& image) {
  const Json* own = container_named(definition, plan.name);
  std::set<std::string> taken;
  auto add = [&](const Json& mount, bool is_read_only) {
    std::string target = mount.get_string("containerPath");
    const auto& directory = volumes.at(mount.get_string("sourceVolume"));
    if (!taken.insert(target).second) return;
    if (fs::is_empty(directory)) take_over_owner(image, target, directory);
    plan.spec.mounts.push_back({.source = directory,
                                .target = target,
                                .read_only = is_read_only || mount.get_bool("readOnly")});
  };
  for (const auto& mount : own->get_array("mountPoints")) add(mount, false);
  for (const auto& from : own->get_array("volumesFrom")) {
    const Json* source = container_named(definition, from.get_string("sourceContainer"));
    for (const auto& mount : source->get_array("mountPoints"))
      add(mount, from.get_bool("readOnly"));
  }
}

}  // namespace slipway::cloud::ecs
