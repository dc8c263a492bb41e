// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "container/runtime.hpp"
#include "image/build.hpp"
#include "image/graph.hpp"
#include "image/layer_store.hpp"
#include "image/tree.hpp"

namespace slipway::image {

/// What a RUN step is run with.
struct RunWorld {
  container::Runtime& runtime;
  LayerStore& store;
  const BuildRequest& request;
  std::vector<std::filesystem::path> lower;  ///< the stage's layers, top-most first
  Tree& root;                                ///< the same, for reading
  /// The tree that a bind or cache mount takes its files from.
  std::function<Tree&(const Origin&)> tree_of;
  std::function<void(std::string_view)> output;
};

/// How a RUN step ended.
struct RunOutcome {
  std::optional<std::filesystem::path>
      layer;  ///< its tree, committed; nothing when the command failed
  int exit_code = 0;
  std::string reason;  ///< "out of memory", or empty
};

/// Runs the step in a container on an overlay of `lower`; its changes become the layer `id`.
///   returns  what the command did; of a failed one nothing is kept
///   throws   Error{bad_input} for a user, mount source or secret that is not there
RunOutcome run_step(const RunOp& run, const std::string& id, RunWorld& world,
                    const std::stop_token& stop);

}  // namespace slipway::image
