// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "cli/verb.hpp"
#include "image/build.hpp"

namespace slipway::cli {

/// Shows what a build does, on stderr.
class BuildProgress final {
 public:
  enum class Style { plain, json, quiet };
  explicit BuildProgress(Style style) : style_(style), started_(std::chrono::steady_clock::now()) {}
  /// One event; never two calls at once.
  void show(const image::Progress& event);
  /// The last line: how long it took and how much was cached.
  void finish(const image::BuildResult& result);

 private:
  void show_plain(const image::Progress& event);
  void show_output(int step, const std::string& text);

  Style style_;
  std::chrono::steady_clock::time_point started_;
  struct Step {
    std::chrono::steady_clock::time_point started;
    std::string partial;  ///< output since the last line end
  };
  std::map<int, Step> steps_;
};

/// `style`: auto, plain, json or quiet. throws Error{bad_input}
std::unique_ptr<BuildProgress> make_build_progress(const std::string& style);

}  // namespace slipway::cli
