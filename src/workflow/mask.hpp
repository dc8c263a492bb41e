// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::workflow {

/// Finds any of a fixed set of strings in one pass (Aho-Corasick as a table over byte classes).
class PatternSet final {
 public:
  explicit PatternSet(const std::set<std::string>& patterns);
  /// `text` with every occurrence replaced by "***"; overlapping and adjacent occurrences become one.
  [[nodiscard]] std::string replace(std::string_view text) const;
  [[nodiscard]] bool occurs_in(std::string_view text) const;
  /// How much of the start of `text` can be replaced by itself: no occurrence goes past it, whatever text follows.
  [[nodiscard]] std::size_t settled(std::string_view text) const;

 private:
  using State = std::uint32_t;
  /// Calls `hit(begin, end)` for the longest pattern ending at each place; stops when it returns false.
  template <typename Hit>
  void scan(std::string_view text, Hit&& hit) const;

  std::vector<State> next_;  // rows of row_ entries: premultiplied state after a byte class
  std::vector<std::uint32_t>
      longest_;  // per state: length of the longest pattern that ends here, 0 for none
  std::array<std::uint8_t, 256> class_of_{};
  std::size_t longest_pattern_ = 0;
  unsigned shift_ = 0;   // log2 of a row's length
  State first_hit_ = 0;  // states at or past it end a pattern
};

/// Keeps secrets out of everything a run shows or stores.
///   threads  all functions may be called from any thread
///   source   actions/runner HostContext.cs, ValueEncoders.cs; facts a.9, d.18
class Masker final {
 public:
  Masker();
  ~Masker();
  /// Masks a value, each of its lines, and their encodings: base64 at three alignments, escaped for command lines,
  /// expressions, JSON, URIs and XML, without surrounding quotes, and PowerShell's fragments. Empty values do nothing.
  void add(std::string_view secret);
  [[nodiscard]] std::string mask(std::string_view text) const;
  /// How much of the start of `text` can be masked by itself: no secret goes past it, whatever text follows. 0: nothing can.
  [[nodiscard]] std::size_t settled(std::string_view text) const;
  /// True when mask() would change `text`.
  [[nodiscard]] bool hides_something_in(std::string_view text) const;

 private:
  [[nodiscard]] std::shared_ptr<const PatternSet> patterns() const;

  mutable std::mutex mutex_;
  std::set<std::string> values_;  // guarded by mutex_
  mutable std::shared_ptr<const PatternSet>
      compiled_;  // guarded by mutex_; readers of a scan share it. Null: to be made
};

/// The value's encodings that are masked beside it, without the value itself.
std::vector<std::string> encodings_of(std::string_view value);

}  // namespace slipway::workflow
