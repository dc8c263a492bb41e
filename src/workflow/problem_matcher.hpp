// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/guarded.hpp"
#include "formats/json.hpp"
#include "workflow/run_event.hpp"

// Problem matchers: regular expressions that find compiler messages and their like in a step's output.
//   source  actions/runner IssueMatcher.cs, OutputManager.cs; facts a.11
namespace slipway::workflow {

/// What a matcher found: an annotation.
struct MatchedProblem {
  Severity severity = Severity::error;
  std::string message;
  std::string code;
  std::string file;       ///< as printed
  std::string from_path;  ///< a file whose directory `file` is relative to; may be empty
  int line = 0;
  int column = 0;
};

class ProblemMatcher;

/// Reads a file of matchers. throws Error{bad_input} that names what is wrong
std::vector<std::shared_ptr<const ProblemMatcher>> read_matchers(const formats::Json& file);

/// The matchers of a job, newest first.
///   threads  any
class MatcherSet final {
 public:
  using List =
      std::vector<std::shared_ptr<const ProblemMatcher>>;  // shared with the outputs that use them
  /// An owner's matcher takes the place of its former one.
  void add(const List& matchers);
  void remove(const std::string& owner);
  [[nodiscard]] List list() const;
  /// Changes when list() does.
  [[nodiscard]] std::uint64_t version() const;

 private:
  struct State {
    List matchers;
    std::uint64_t version = 0;
  };
  Guarded<State> state_;
};

/// Where one step's output is in the patterns of several lines.
class MatcherRun final {
 public:
  explicit MatcherRun(const MatcherSet& set) : set_(set) {}
  /// True when no line can match anything.
  [[nodiscard]] bool is_idle();
  /// What the line (without its end; colours are passed over) completes; nothing: no problem.
  std::optional<MatchedProblem> take(std::string_view line);

 private:
  struct One {
    std::shared_ptr<const ProblemMatcher> matcher;       // shared with the set
    std::vector<std::optional<MatchedProblem>> reached;  // by pattern, but the last
  };
  void refresh();
  static std::optional<MatchedProblem> match(One& one, const std::string& line);

  const MatcherSet& set_;
  std::uint64_t version_ = 0;
  std::vector<One> all_;
};

/// The text without terminal escape sequences for colours.
std::string without_colours(std::string_view text);

}  // namespace slipway::workflow
