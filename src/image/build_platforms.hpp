// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <stop_token>

#include "image/build.hpp"
#include "image/build_cache.hpp"

namespace slipway::image {

/// Builds for one platform. What its caches would hold is added to the steps, for one cache of all platforms.
using SingleBuild = std::function<BuildResult(const BuildRequest&, CacheSteps&)>;

/// Builds for every platform of `request.platform` ("linux/amd64,linux/arm64"), names and sends one index over the images.
///   throws  what build() throws; Error{unsupported} for outputs that hold one file system
BuildResult build_platforms(const BuildRequest& request, BuildEnvironment& environment,
                            const ProgressSink& progress, const std::stop_token& stop,
                            const SingleBuild& build_one);

}  // namespace slipway::image
