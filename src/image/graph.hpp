// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "image/commands.hpp"
#include "image/dockerfile.hpp"
#include "oci/manifest.hpp"

namespace slipway::image {

/// What a Dockerfile is read with.
struct Arguments {
  std::map<std::string, std::string> given;  ///< --build-arg
  std::map<std::string, std::string>
      contexts;  ///< --build-context: name -> directory or docker-image://REF
  oci::Platform target_platform = oci::Platform::host();
  oci::Platform build_platform = oci::Platform::host();
  std::string target_stage;      ///< name or number; empty: the last
  std::string network = "host";  ///< for RUN without --network
  bool allow_insecure = false;
};

/// A stage as written: nothing expanded but its FROM.
struct Stage {
  int number = 0;
  std::string name;               ///< lower case; empty when it has none
  std::string base;               ///< image name; empty for scratch and stages
  std::optional<int> base_stage;  ///< an earlier stage
  std::string platform;           ///< of FROM --platform; empty: the target's
  Instruction from;
  std::vector<Instruction> instructions;
  std::string
      directory;  ///< a named context that stands for the whole stage or its base: its files
  bool is_replaced = false;  ///< a named context stands for the whole stage
};

struct StageList {
  std::string file;
  char escape = '\\';  ///< of the file's instructions
  std::vector<Stage> stages;
  std::vector<std::pair<std::string, std::string>>
      globals;              ///< ARGs before the first FROM, and the platform's
  int target = 0;           ///< the stage to build
  std::vector<int> needed;  ///< it and what it needs, ascending
  std::vector<Diagnostic> errors;
};

/// Sorts instructions into stages, checks every one of them (also of stages that are not needed), finds what the target needs.
StageList read_stages(const Dockerfile& dockerfile, const std::string& file,
                      const Arguments& arguments);

/// The --build-context that a name means, by its own spelling or as an image name ("alpine" for "docker.io/library/alpine:latest").
std::optional<std::string> named_context(const Arguments& arguments, const std::string& name);

/// Where files are copied or mounted from.
struct Origin {
  enum class Kind { context, stage, image, directory };
  Kind kind = Kind::context;
  int stage = -1;
  std::string name;  ///< the image, or the directory
  bool operator==(const Origin&) const = default;
};

/// The stage, named context or image that `name` means for an instruction of stage `stage`. Nothing for a stage that comes later.
std::optional<Origin> origin_of(const std::string& name, const StageList& list, int stage,
                                const Arguments& arguments);

/// The earlier stages that a stage starts from, copies or mounts from, also by ONBUILD `triggers` of its base image.
std::vector<int> stages_used(const StageList& list, int stage, const Arguments& arguments,
                             const std::vector<std::string>& triggers);

struct InlineFile {
  std::string name;
  std::string content;
  unsigned mode = 0644;
  bool operator==(const InlineFile&) const = default;
};

struct RunOp {
  std::vector<std::string> argv;
  std::vector<std::string> env;         ///< "NAME=value"; the image's and the declared ARGs
  std::vector<std::string> hidden_env;  ///< proxies: not part of the key
  std::string cwd;
  std::string user;
  std::vector<std::pair<MountFlag, Origin>> mounts;
  std::string network;
  std::string hostname;
  bool insecure = false;
  std::vector<InlineFile> scripts;  ///< mounted at /dev/pipes
};

struct CopyOp {
  Origin from;
  std::vector<std::string> sources;  ///< as written, expanded
  std::string dest;                  ///< absolute; ends in '/' when it was written so
  std::optional<std::string> chown;
  std::optional<std::string> chmod;
  std::vector<std::string> excludes;
  std::vector<InlineFile> files;
  std::string checksum;
  bool link = false;
  bool parents = false;
  bool is_add = false;
  bool keep_git_dir = false;
  std::optional<bool> unpack;
};

/// WORKDIR: a directory that must exist.
struct MkdirOp {
  std::string path;
  std::string user;
};

/// One instruction that makes a layer.
struct Step {
  int stage = 0;
  Span lines;
  std::string title;        ///< "[build 2/4] RUN npm ci"
  std::size_t history = 0;  ///< its entry of PlannedStage::image.history
  std::variant<RunOp, CopyOp, MkdirOp> op;
};

/// What a build check found.
struct Finding {
  std::string rule;  ///< BuildKit's name: "StageNameCasing"
  std::string message;
  Span lines;
  bool operator==(const Finding&) const = default;
};

struct PlannedStage {
  int number = 0;
  std::vector<Step> steps;
  /// The configuration after the last instruction. diff_ids are the base image's; history has an entry for every instruction so far.
  oci::ImageConfig image;
  std::vector<std::pair<std::string, std::optional<std::string>>>
      arguments;  ///< ARGs declared, for stages built on this one
  std::vector<std::string>
      environment;  ///< "NAME=value": what instructions are expanded with and RUN sees
  std::vector<Diagnostic> errors;
  std::vector<Finding> findings;  ///< of the checks that need the values of variables
  bool has_workdir = false;       ///< a WORKDIR was met, here or in a stage below
};

/// Expands and orders a stage's instructions. Pure.
///   base  what its FROM leads to: the planned base stage, or the base image's configuration (nothing for scratch)
PlannedStage plan_stage(const StageList& list, int stage, const Arguments& arguments,
                        const PlannedStage* base_stage,
                        const std::optional<oci::ImageConfig>& base_image);

/// A text that says all that decides a step's result, besides the files it starts from and copies.
std::string fingerprint(const Step& step);

}  // namespace slipway::image
