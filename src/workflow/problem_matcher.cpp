// SPDX-License-Identifier: Apache-2.0
#include "workflow/problem_matcher.hpp"

#include <re2/re2.h>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::workflow {
namespace {

using formats::Json;

constexpr std::size_t kLongestLine = 64U << 10;  // what is longer is no compiler's message

struct MatcherPattern {
  std::unique_ptr<re2::RE2> expression;
  // Numbers of groups; 0: none.
  int file = 0;
  int from_path = 0;
  int line = 0;
  int column = 0;
  int severity = 0;
  int code = 0;
  int message = 0;
  bool loop = false;
};

int group_of(const Json& pattern, std::string_view key, int groups) {
  auto number = pattern.get_int(key);
  if (number < 0 || number > groups) {
    fail(Fault::bad_input,
         "the property '{}' is {}, which is not the number of one of the {} groups", key, number,
         groups);
  }
  return static_cast<int>(number);
}

MatcherPattern pattern_from(const Json& json) {
  auto text = json.get_string("regexp");
  if (text.empty()) fail(Fault::bad_input, "a pattern has no 'regexp'");
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_case_sensitive(true);
  MatcherPattern pattern;
  pattern.expression = std::make_unique<re2::RE2>(text, options);
  if (!pattern.expression->ok()) {
    fail(Fault::bad_input,
         "the pattern '{}' cannot be used: {} (lookaheads and back references are not known here)",
         text, pattern.expression->error());
  }
  auto groups = pattern.expression->NumberOfCapturingGroups();
  pattern.file = group_of(json, "file", groups);
  pattern.from_path = group_of(json, "fromPath", groups);
  pattern.line = group_of(json, "line", groups);
  pattern.column = group_of(json, "column", groups);
  pattern.severity = group_of(json, "severity", groups);
  pattern.code = group_of(json, "code", groups);
  pattern.message = group_of(json, "message", groups);
  pattern.loop = json.get_bool("loop");
  return pattern;
}

// Fills what an earlier line has not filled. Severity is carried as text until the end.
struct Groups {
  std::vector<re2::StringPiece> pieces;
  [[nodiscard]] std::string text(int number) const {
    if (number <= 0 || static_cast<std::size_t>(number) >= pieces.size()) return "";
    const auto& piece = pieces[static_cast<std::size_t>(number)];
    return std::string(piece.data() ? piece.data() : "", piece.size());
  }
};

bool matches(const MatcherPattern& pattern, const std::string& line, Groups& groups) {
  groups.pieces.assign(static_cast<std::size_t>(pattern.expression->NumberOfCapturingGroups()) + 1,
                       {});
  return pattern.expression->Match(line, 0, line.size(), re2::RE2::UNANCHORED, groups.pieces.data(),
                                   static_cast<int>(groups.pieces.size()));
}

int number_of(const std::string& text) {
  auto number = to_integer(trim(text));
  return number && *number > 0 && *number < 1'000'000'000 ? static_cast<int>(*number) : 0;
}

std::optional<Severity> severity_from(const std::string& text) {
  if (equals_ignoring_case(text, "error")) return Severity::error;
  if (equals_ignoring_case(text, "warning")) return Severity::warning;
  if (equals_ignoring_case(text, "notice")) return Severity::notice;
  return std::nullopt;
}

}  // namespace

class ProblemMatcher final {
 public:
  explicit ProblemMatcher(const Json& json)
      : owner(json.get_string("owner")),
        severity(json.get_string("severity", "error")),
        from_path(json.get_string("fromPath")) {
    if (owner.empty()) fail(Fault::bad_input, "a problem matcher has no 'owner'");
    if (!severity_from(severity))
      fail(Fault::bad_input, "the severity '{}' is none of error, warning and notice", severity);
    for (const auto& pattern : json.get_array("pattern")) patterns.push_back(pattern_from(pattern));
    if (patterns.empty())
      fail(Fault::bad_input, "the problem matcher '{}' has no 'pattern'", owner);
    check();
  }
  std::string owner;
  std::string severity;
  std::string from_path;
  std::vector<MatcherPattern> patterns;

 private:
  void check() const {
    const auto& last = patterns.back();
    if (last.message == 0)
      fail(Fault::bad_input, "the last pattern of '{}' has no 'message'", owner);
    if (last.loop && patterns.size() == 1)
      fail(Fault::bad_input, "a single pattern cannot 'loop': '{}'", owner);
    for (std::size_t i = 0; i + 1 < patterns.size(); ++i) {
      if (patterns[i].loop) fail(Fault::bad_input, "only the last pattern may 'loop': '{}'", owner);
      if (patterns[i].message != 0)
        fail(Fault::bad_input, "only the last pattern may have a 'message': '{}'", owner);
    }
  }
};

std::vector<std::shared_ptr<const ProblemMatcher>> read_matchers(const Json& file) {
  std::vector<std::shared_ptr<const ProblemMatcher>> matchers;
  for (const auto& json : file.get_array("problemMatcher"))
    matchers.push_back(std::make_shared<const ProblemMatcher>(json));
  if (matchers.empty()) fail(Fault::bad_input, "there is no 'problemMatcher' in it");
  for (const auto& one : matchers) {
    auto same = std::count_if(matchers.begin(), matchers.end(), [&](const auto& other) {
      return equals_ignoring_case(other->owner, one->owner);
    });
    if (same > 1) fail(Fault::bad_input, "two matchers have the owner '{}'", one->owner);
  }
  return matchers;
}

void MatcherSet::add(const List& matchers) {
  state_.with([&](State& state) {
    for (const auto& matcher : matchers) {
      std::erase_if(state.matchers, [&](const auto& one) {
        return equals_ignoring_case(one->owner, matcher->owner);
      });
    }
    state.matchers.insert(state.matchers.begin(), matchers.begin(), matchers.end());
    ++state.version;
  });
}

void MatcherSet::remove(const std::string& owner) {
  state_.with([&](State& state) {
    std::erase_if(state.matchers,
                  [&](const auto& one) { return equals_ignoring_case(one->owner, owner); });
    ++state.version;
  });
}

MatcherSet::List MatcherSet::list() const {
  return state_.read([](const State& state) { return state.matchers; });
}

std::uint64_t MatcherSet::version() const {
  return state_.read([](const State& state) { return state.version; });
}

void MatcherRun::refresh() {
  auto version = set_.version();
  if (version == version_) return;
  version_ = version;
  all_.clear();
  for (const auto& matcher : set_.list()) {
    all_.push_back(
        {.matcher = matcher,
         .reached = std::vector<std::optional<MatchedProblem>>(matcher->patterns.size() - 1)});
  }
}

bool MatcherRun::is_idle() {
  refresh();
  return all_.empty();
}

namespace {

// What this line adds to what the lines before it said. A file and its like come from the first line that has them.
MatchedProblem extended(const MatchedProblem* before, const MatcherPattern& pattern,
                        const Groups& groups) {
  MatchedProblem problem = before ? *before : MatchedProblem{};
  auto fill = [&](std::string& field, int group) {
    if (field.empty()) field = groups.text(group);
  };
  fill(problem.file, pattern.file);
  fill(problem.from_path, pattern.from_path);
  fill(problem.code, pattern.code);
  fill(problem.message, pattern.message);
  if (problem.line == 0) problem.line = number_of(groups.text(pattern.line));
  if (problem.column == 0) problem.column = number_of(groups.text(pattern.column));
  return problem;
}

}  // namespace

// The patterns from the last to the first, so that a line moves on at most one step.
std::optional<MatchedProblem> MatcherRun::match(One& one, const std::string& line) {
  const auto& patterns = one.matcher->patterns;
  for (std::size_t i = patterns.size(); i-- > 0;) {
    const MatchedProblem* before = i > 0 && one.reached[i - 1] ? &*one.reached[i - 1] : nullptr;
    if (i > 0 && !before) continue;
    bool is_last = i + 1 == patterns.size();
    Groups groups;
    if (!matches(patterns[i], line, groups)) {
      if (!is_last) {
        one.reached[i].reset();
      } else if (i > 0) {
        one.reached[i - 1].reset();
      }
      continue;
    }
    auto problem = extended(before, patterns[i], groups);
    auto said = groups.text(patterns[i].severity);
    if (!is_last) {
      one.reached[i] = std::move(problem);
      continue;
    }
    auto kept = patterns[i].loop ? one.reached[i - 1] : std::nullopt;
    for (auto& reached : one.reached) reached.reset();
    if (kept) one.reached[i - 1] = std::move(kept);
    auto severity = severity_from(said.empty() ? one.matcher->severity : said);
    if (!severity || trim(problem.message).empty()) return std::nullopt;
    problem.severity = *severity;
    if (problem.from_path.empty()) problem.from_path = one.matcher->from_path;
    return problem;
  }
  return std::nullopt;
}

std::optional<MatchedProblem> MatcherRun::take(std::string_view line) {
  refresh();
  if (line.size() > kLongestLine) return std::nullopt;
  auto plain = without_colours(line);
  for (auto& one : all_) {
    auto problem = match(one, plain);
    if (!problem) continue;
    for (auto& other : all_) {
      if (&other == &one) continue;
      for (auto& reached : other.reached) reached.reset();
    }
    return problem;
  }
  return std::nullopt;
}

std::string without_colours(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b' && i + 1 < text.size() && text[i + 1] == '[') {
      auto end = text.find_first_not_of("0123456789;", i + 2);
      if (end != std::string_view::npos &&
          (text[end] == 'm' || text[end] == 'K' || text[end] == 'G')) {
        i = end;
        continue;
      }
    }
    plain += text[i];
  }
  return plain;
}

}  // namespace slipway::workflow
