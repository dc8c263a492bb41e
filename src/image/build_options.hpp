// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "image/build.hpp"

namespace slipway::image {

// The texts in which `docker buildx build` and docker/build-push-action give values.

/// What such a text may refer to.
struct BuildFlags {
  std::function<std::optional<std::string>(const std::string&)> environment;  ///< a variable
  std::filesystem::path cwd;  ///< what relative paths start from
  /// Where the file of a path is; empty: at the path itself. For texts that come from another machine's file system.
  std::function<std::filesystem::path(const std::string&)> locate;
};

/// "K=V". throws Error{bad_input} naming `option`
void add_pair(std::map<std::string, std::string>& pairs, std::string_view option,
              std::string_view text);
/// "K=V", or "K" for the environment's value (left out when it is not set).
void add_build_arg(BuildRequest& request, std::string_view text, const BuildFlags& flags);
/// "id=N,src=FILE", "id=N,env=NAME", "id=N" (the variable N, else the file N).
void add_secret(BuildRequest& request, std::string_view text, const BuildFlags& flags);
/// "N=PATH", "N=docker-image://REF".
void add_build_context(BuildRequest& request, std::string_view text, const BuildFlags& flags);
/// "default", "default=SOCKET".
void add_ssh(BuildRequest& request, std::string_view text, const BuildFlags& flags);
/// "type=KIND,dest=PATH,…", "PATH", "-".
void add_output(BuildRequest& request, std::string_view text, const BuildFlags& flags);

/// "REF", "type=registry,ref=REF", "type=local,src=DIR", "type=inline", "type=local,dest=DIR,mode=max", "type=gha,scope=NAME" (with the
/// environment's ACTIONS_RESULTS_URL and ACTIONS_RUNTIME_TOKEN).
void add_cache_from(BuildRequest& request, std::string_view text, const BuildFlags& flags);
void add_cache_to(BuildRequest& request, std::string_view text, const BuildFlags& flags);
/// "true", "false", "mode=max", "mode=min,version=v1".
void set_provenance(BuildRequest& request, std::string_view text);
/// "true", "false".
void set_sbom(BuildRequest& request, std::string_view text);
/// "type=sbom", "type=provenance,mode=max".
void add_attestation(BuildRequest& request, std::string_view text);
/// What to do with the Dockerfile: "build", or "check" (also called "lint").
void set_call(BuildRequest& request, std::string_view method);
/// "nofile=1024:2048", "nofile=1024", "core=-1".
void add_ulimit(BuildRequest& request, std::string_view text);
/// "128m": of the RUN steps' /dev/shm.
void set_shm_size(BuildRequest& request, std::string_view text);
/// Names of stages whose steps are run again, with commas.
void add_no_cache_stages(BuildRequest& request, std::string_view text);

}  // namespace slipway::image
