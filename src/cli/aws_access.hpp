// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "aws/credentials.hpp"
#include "formats/json.hpp"

namespace slipway::cli {

/// What STATE/cloud/env.json says of the local AWS that runs; nothing when none does.
std::optional<formats::Json> local_cloud(const std::filesystem::path& state);

/// The process of a state directory's local AWS.
struct CloudProcess {
  pid_t pid;
  unsigned long long ticks;  ///< os::start_ticks()
};
/// Nothing when none runs.
std::optional<CloudProcess> cloud_process(const std::filesystem::path& state);

/// Whose AWS a verb talks to: the one that the environment names (AWS_ENDPOINT_URL, or keys, or a profile), else the local AWS that runs.
///   throws  Error{bad_input} when there is neither, saying what to do
aws::Config aws_access(const std::filesystem::path& state);

/// Access to the local AWS with its root test keys.
aws::Config local_access(const formats::Json& env);

}  // namespace slipway::cli
