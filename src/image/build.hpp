// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "container/spec.hpp"

namespace slipway::oci {
class BlobStore;
class LayerCache;
class RegistryClient;
}  // namespace slipway::oci
namespace slipway::container {
class Runtime;
}  // namespace slipway::container

namespace slipway::image {

/// A secret that RUN --mount=type=secret may read. Never in layers, history or cache keys.
struct Secret {
  std::string id;
  std::string value;
};

/// An ssh agent for RUN --mount=type=ssh.
struct SshAgent {
  std::string id;                   ///< "default"
  std::string socket;               ///< where it listens
  std::shared_ptr<const void> own;  ///< what ends with the build; nothing for a user's own agent
};

/// Where a finished image goes, besides the local image store.
struct Output {
  enum class Kind {
    store,     ///< only the local image store (also what `--load` means)
    registry,  ///< pushed under every tag
    oci,       ///< OCI layout: a tar file, or a directory when `dest` ends in '/' or is one
    docker,    ///< the archive that `docker load` reads
    tar,       ///< the root file system as one tar
    local,     ///< the root file system as a directory
  };
  Kind kind = Kind::store;
  std::filesystem::path dest;      ///< for oci, docker, tar, local; "-" is standard output
  std::vector<std::string> names;  ///< for registry: instead of the request's tags
};

/// Where steps of other machines come from and go to: one --cache-from or --cache-to.
struct CacheSpec {
  enum class Kind {
    registry,
    inline_,  ///< in the image itself
    local,    ///< an OCI layout in a directory
    actions,  ///< the cache service of GitHub's jobs
  };
  Kind kind = Kind::registry;
  std::string ref;                  ///< of registry; of actions the scope
  std::filesystem::path directory;  ///< of local
  std::string url;                  ///< of actions: ACTIONS_RESULTS_URL; empty outside of a job
  std::string token;                ///< of actions: ACTIONS_RUNTIME_TOKEN
  bool max = false;                 ///< the steps of every stage, not only of the result
  bool mounts = false;              ///< the files in RUN's cache mounts too
  bool ignore_error = false;
};

/// What a provenance attestation tells.
struct ProvenanceSpec {
  bool max = false;              ///< with build arguments and Dockerfile
  std::string version = "v0.2";  ///< of SLSA's predicate: v0.2 or v1
};

/// A build check's finding, for printing.
struct CheckFinding {
  std::string rule;
  std::string message;
  std::string address;      ///< where the rule is explained; may be ""
  std::string description;  ///< of the rule
  std::string source;       ///< "Dockerfile:3" and the lines around
  std::string file;
  int line = 0;
  int last_line = 0;
};

enum class Compression { gzip, zstd, zstd_chunked, none };

/// What to build, with the meanings of `docker buildx build`. Holds no paths relative to anything but `context`.
struct BuildRequest {
  std::filesystem::path context;                    ///< a directory
  std::optional<std::filesystem::path> dockerfile;  ///< default: context/Dockerfile
  std::optional<std::string> dockerfile_text;       ///< instead of a file
  std::vector<std::string> tags;                    ///< "name:tag", normalised here
  std::map<std::string, std::string> build_args;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;  ///< of the manifest
  std::map<std::string, std::string>
      contexts;  ///< named contexts: a directory or "docker-image://REF"
  std::vector<Secret> secrets;
  std::vector<SshAgent> ssh;
  std::string target;  ///< a stage's name or number; empty: the last
  std::string
      platform;  ///< "linux/amd64"; several with commas give an index; empty: this machine's
  std::string network =
      "host";  ///< for RUN without --network: "host", "none" or "default" (as host)
  std::vector<std::string> add_hosts;  ///< "name:address"
  bool no_cache = false;
  std::vector<std::string>
      no_cache_stages;                    ///< names; their steps are run, the others' may be found
  std::uint64_t shm_bytes = 64ULL << 20;  ///< of RUN steps' /dev/shm
  bool pull = false;            ///< ask the registry for base images even when the store has them
  bool allow_insecure = false;  ///< permit RUN --security=insecure
  Compression compression = Compression::gzip;
  std::optional<int>
      compression_level;           ///< gzip 0 to 9, the others 1 to 22; nothing: the usual one
  bool force_compression = false;  ///< of the base image's layers too
  std::vector<Output> outputs;
  bool sbom = false;                         ///< attest the packages in the image
  std::optional<ProvenanceSpec> provenance;  ///< attest how it was made
  std::vector<CacheSpec> cache_from;
  std::vector<CacheSpec> cache_to;
  std::vector<container::Ulimit> ulimits;  ///< of RUN steps
  bool check_only = false;                 ///< check the Dockerfile, build nothing
  bool explain = false;                    ///< tell for each step why it is run or not
  std::optional<std::int64_t>
      source_date_epoch;           ///< seconds; SOURCE_DATE_EPOCH in build_args sets it too
  bool rewrite_timestamp = false;  ///< new layers' times are clamped to source_date_epoch
};

/// One line of what happens, for a terminal or a log. Called from several threads, never two calls at once.
struct Progress {
  enum class Kind { started, output, done, cached, failed, message };
  Kind kind = Kind::message;
  int step = 0;      ///< 1-based number of the step; 0: the build as a whole
  std::string name;  ///< "[build 3/4] RUN npm ci"; for output and message the text
  std::chrono::milliseconds took{0};
};
using ProgressSink = std::function<void(const Progress&)>;

/// What a build is done with. Everything is borrowed and outlives the call.
struct BuildEnvironment {
  std::filesystem::path
      state;  ///< STATE/images: snapshots, step records and cache mounts are kept below it
  oci::BlobStore& store;          ///< the local image store
  oci::LayerCache& layers;        ///< unpacked layers
  oci::RegistryClient& registry;  ///< for base images and pushes
  container::Runtime& runtime;    ///< runs RUN steps
  Log& log;
};

struct BuildResult {
  std::string manifest_digest;  ///< "sha256:…"
  std::string config_digest;    ///< the image id
  std::uint64_t manifest_size = 0;
  std::string media_type;           ///< of the manifest
  std::vector<std::string> names;   ///< normalised tags
  std::vector<std::string> pushed;  ///< the names that a registry took
  int steps = 0;
  int cached = 0;
  std::vector<CheckFinding> findings;
};

/// Builds an image: reads the Dockerfile and the context, runs what is not cached, stores, exports and pushes the result.
///   throws   Error{bad_input} for a Dockerfile that cannot be built, with file:line and the lines around; Error{failed} when a RUN step
///            fails, with its line and its exit code; Error{unavailable}; Cancelled
///   threads  several builds at once may share one environment
BuildResult build(const BuildRequest& request, BuildEnvironment& environment,
                  const ProgressSink& progress, const std::stop_token& stop);

/// What `--check` says, in the form of `docker buildx build --check`.
std::string print_checks(const std::vector<CheckFinding>& findings);

}  // namespace slipway::image
