// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "cli/verb.hpp"
#include "image/build.hpp"
#include "image/build_view.hpp"

namespace slipway::cli {

/// Shows what a build does, on stderr.
class BuildProgress final {
 public:
  enum class Style {
    plain,    ///< a line an event, as BuildKit's
    live,     ///< for a terminal: the steps under way, drawn anew as time passes
    json,     ///< a line an event, our own form
    rawjson,  ///< BuildKit's form: the lines that `docker buildx build --progress=rawjson` writes
    quiet
  };
  BuildProgress(Style style, bool color);
  BuildProgress(const BuildProgress&) = delete;
  BuildProgress& operator=(const BuildProgress&) = delete;
  /// A live view stays as its last frame.
  ~BuildProgress();
  /// One event; never two calls at once.
  void show(const image::Progress& event);
  /// The last line: how long it took and how much was cached.
  void finish(const image::BuildResult& result);

 private:
  void show_plain(const image::Progress& event);
  void show_raw(const image::Progress& event);
  void show_output(int step, const std::string& text);
  void draw();
  void end_live();

  struct Live {
    image::BuildView view;
    std::size_t drawn = 0;  ///< lines of the frame on the screen
  };
  struct Step {
    std::chrono::steady_clock::time_point started;
    std::chrono::system_clock::time_point began;
    std::string partial;  ///< output since the last line end
  };

  Style style_;
  bool color_;
  std::chrono::steady_clock::time_point started_;
  std::map<int, Step> steps_;
  Guarded<Live> live_;              // the clock's thread draws it too
  std::optional<TaskGroup> clock_;  // last: it uses what is above
};

/// `style`: auto (live on a terminal), plain, tty, json, rawjson or quiet. throws Error{bad_input}
std::unique_ptr<BuildProgress> make_build_progress(const std::string& style,
                                                   const Surroundings& around);

}  // namespace slipway::cli
