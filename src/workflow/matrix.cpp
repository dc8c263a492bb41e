// SPDX-License-Identifier: Apache-2.0
#include "workflow/matrix.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/text.hpp"
#include "workflow/unicode.hpp"

// A matrix is a product of vectors in their declared order (the first turns slowest), less what `exclude` matches, with what
// `include` adds to its cells, and then the includes that matched none as cells of their own.
//   source  runner, src/Sdk/WorkflowParser/Conversion/MatrixBuilder.cs
namespace slipway::workflow {
namespace {

using Members = std::vector<Value::Member>;

[[noreturn]] void wrong(const Job& job, const std::string& what) {
  const auto& place = job.strategy.place;
  fail(Fault::bad_input, "(Line: {}, Col: {}): job '{}': {}", place.line, place.column, job.id,
       what);
}

// Every leaf of the filter equals (in the language's sense) what stands at the same path; the rest does not matter.
bool matches(const Value& filter, const Value& value) {
  if (filter.is_object()) {
    return std::all_of(filter.members().begin(), filter.members().end(), [&](const auto& member) {
      return matches(member.second, value.get(member.first));
    });
  }
  if (filter.is_array()) {
    const auto& items = filter.items();
    for (std::size_t i = 0; i < items.size(); ++i) {
      bool has = value.is_array() && i < value.items().size();
      if (!matches(items[i], has ? value.items()[i] : Value())) return false;
    }
    return true;
  }
  return value.equals(filter);
}

void collect_segments(const Value& value, std::vector<std::string>& segments) {
  if (value.is_object()) {
    for (const auto& [key, member] : value.members()) collect_segments(member, segments);
  } else if (value.is_array()) {
    for (const auto& item : value.items()) collect_segments(item, segments);
  } else if (auto text = value.to_string(); !text.empty()) {
    segments.push_back(std::move(text));
  }
}

std::string suffix_of(const Value& cell) {
  std::vector<std::string> segments;
  collect_segments(cell, segments);
  return segments.empty() ? "" : fmt::format(" ({})", join(segments, ", "));
}

struct Include {
  Value filter;  // its keys that are vectors
  Members extra;
  Value whole;
  bool matched = false;
};

class MatrixBuilder final {
 public:
  MatrixBuilder(const Job& job, const Value& matrix) : job_(job) {
    for (const auto& [key, value] : matrix.members()) {
      if (compare_ignoring_case(key, "include") != 0 && compare_ignoring_case(key, "exclude") != 0)
        add_vector(key, value);
    }
    for (const auto& item : list(matrix, "exclude")) add_exclude(item);
    for (const auto& item : list(matrix, "include")) add_include(item);
    double product = 1;
    for (const auto& vector : vectors_)
      product *= static_cast<double>(vector.second.items().size());
    if (product > 1e6) wrong(job_, fmt::format("Strategy produced more than {} jobs", kMaxLegs));
    if (vectors_.empty() && includes_.empty())
      wrong(job_, "Matrix must define at least one vector");
  }

  std::vector<Leg> build() {
    std::vector<Leg> legs;
    std::vector<std::size_t> at(vectors_.size(), 0);
    for (bool more = !vectors_.empty(); more; more = advance(at)) {
      Members members;
      for (std::size_t i = 0; i < vectors_.size(); ++i)
        members.emplace_back(vectors_[i].first, vectors_[i].second.items()[at[i]]);
      Value cell = Value::object(members);
      bool is_excluded = std::any_of(excludes_.begin(), excludes_.end(),
                                     [&](const auto& one) { return matches(one, cell); });
      if (is_excluded) continue;
      auto suffix = suffix_of(cell);
      for (auto& include : includes_) {
        if (!matches(include.filter, cell)) continue;
        include.matched = true;
        members.insert(members.end(), include.extra.begin(), include.extra.end());
      }
      add(legs, Value::object(std::move(members)), std::move(suffix));
    }
    for (const auto& include : includes_) {
      if (!include.matched) add(legs, include.whole, suffix_of(include.whole));
    }
    return legs;
  }

 private:
  static std::vector<Value> list(const Value& matrix, std::string_view key) {
    Value value = matrix.get(key);
    return value.is_array() ? value.items() : std::vector<Value>();
  }

  void add_vector(const std::string& key, const Value& value) {
    if (!value.is_array())
      wrong(job_, fmt::format("Matrix vector '{}' is {}, a sequence was expected", key,
                              value.kind_name()));
    if (value.items().empty())
      wrong(job_, fmt::format("Matrix vector '{}' does not contain any values", key));
    vectors_.emplace_back(key, value);
  }

  [[nodiscard]] bool has_vector(std::string_view key) const {
    return std::any_of(vectors_.begin(), vectors_.end(), [&](const auto& vector) {
      return compare_ignoring_case(vector.first, key) == 0;
    });
  }

  void add_exclude(const Value& item) {
    if (!item.is_object() || item.members().empty())
      wrong(job_, "Matrix exclude filter must not be empty");
    for (const auto& [key, value] : item.members()) {
      if (!has_vector(key)) {
        wrong(job_,
              fmt::format("Matrix exclude key '{}' does not match any key within the matrix", key));
      }
    }
    excludes_.push_back(item);
  }

  void add_include(const Value& item) {
    if (!item.is_object() || item.members().empty())
      wrong(job_, "Matrix include mapping does not contain any values");
    Members filter;
    Members extra;
    for (const auto& member : item.members())
      (has_vector(member.first) ? filter : extra).push_back(member);
    Members whole = filter;
    whole.insert(whole.end(), extra.begin(), extra.end());
    includes_.push_back({Value::object(filter), extra, Value::object(whole), false});
  }

  bool advance(std::vector<std::size_t>& at) const {
    for (auto i = at.size(); i-- > 0;) {
      if (++at[i] < vectors_[i].second.items().size()) return true;
      at[i] = 0;
    }
    return false;
  }

  void add(std::vector<Leg>& legs, Value cell, std::string suffix) const {
    if (legs.size() == kMaxLegs) {
      wrong(job_, fmt::format("Strategy produced more than {} jobs", kMaxLegs));
    }
    legs.push_back({std::move(cell), std::move(suffix), static_cast<int>(legs.size())});
  }

  const Job& job_;
  std::vector<std::pair<std::string, Value>> vectors_;
  std::vector<Value> excludes_;
  std::vector<Include> includes_;
};

std::string cut_to_100(std::string name) {
  if (utf16_length(name) <= 100) return name;
  std::string cut;
  std::size_t length = 0;
  for (std::size_t at = 0; at < name.size();) {
    auto from = at;
    length += next_code_point(name, at) >= 0x10000 ? 2 : 1;
    if (length > 97) break;
    cut.append(name, from, at - from);
  }
  return cut + "...";
}

}  // namespace

Value Strategy::context(int index) const {
  return Value::object({{"fail-fast", Value(fail_fast)},
                        {"job-index", Value(index)},
                        {"job-total", Value(static_cast<int>(legs.size()))},
                        {"max-parallel", Value(max_parallel)}});
}

Strategy expand_strategy(const Job& job, const Contexts& contexts) {
  Strategy strategy;
  Value value = evaluate(job.strategy, contexts);
  if (!value.is_null() && !value.is_object()) wrong(job, "a mapping was expected for 'strategy'");
  Value fail_fast = value.get("fail-fast");
  if (!fail_fast.is_null()) {
    if (!fail_fast.is_boolean())
      wrong(job, fmt::format("'fail-fast' must be true or false, not '{}'", fail_fast.to_string()));
    strategy.fail_fast = fail_fast.boolean();
  }
  Value max_parallel = value.get("max-parallel");
  if (!max_parallel.is_null()) {
    if (!max_parallel.is_number() || std::isnan(max_parallel.number())) {
      wrong(job,
            fmt::format("'max-parallel' must be a number, not '{}'", max_parallel.to_string()));
    }
    strategy.max_parallel = static_cast<int>(std::clamp(max_parallel.number(), 0.0, 1e6));
  }
  Value matrix = value.get("matrix");
  if (!matrix.is_null()) {
    if (!matrix.is_object())
      wrong(job, fmt::format("the matrix is {}, a mapping was expected", matrix.kind_name()));
    strategy.legs = MatrixBuilder(job, matrix).build();
  }
  if (strategy.legs.empty()) strategy.legs.push_back({});
  if (strategy.max_parallel == 0) strategy.max_parallel = static_cast<int>(strategy.legs.size());
  return strategy;
}

void select_legs(Strategy& strategy,
                 const std::vector<std::pair<std::string, std::string>>& wanted) {
  std::erase_if(strategy.legs, [&](const Leg& leg) {
    return std::any_of(wanted.begin(), wanted.end(), [&](const auto& pair) {
      return compare_ignoring_case(leg.matrix.get(pair.first).to_string(), pair.second) != 0;
    });
  });
}

std::string job_title(const Job& job, const Leg& leg, const Contexts& contexts) {
  if (job.name.is_expression()) return evaluate_text(job.name, contexts);
  auto name = job.name.text.empty() ? job.id : job.name.text;
  return cut_to_100(name + leg.suffix);
}

}  // namespace slipway::workflow
