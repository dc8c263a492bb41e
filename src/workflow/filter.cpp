// SPDX-License-Identifier: Apache-2.0
#include "workflow/filter.hpp"

#include <algorithm>
#include <functional>

#include "base/text.hpp"
#include "workflow/unicode.hpp"

// Patterns are run as small nondeterministic automata: the set of places in the pattern that a prefix of the text can have
// led to. Time is pattern × text, whatever the stars.
namespace slipway::workflow {
namespace {

struct Piece {
  enum class Kind {
    one,
    any,
    any_but_slash,
    directories
  };  // directories: nothing, or anything up to and with a '/'
  Kind kind = Kind::one;
  std::u32string members;  // one: the characters, or first-last pairs for a class
  bool is_class = false;
  bool is_negated = false;
  bool is_optional = false;
  bool is_repeated = false;

  [[nodiscard]] bool takes(char32_t c) const {
    if (kind == Kind::any || kind == Kind::directories) return true;
    if (kind == Kind::any_but_slash) return c != '/';
    if (!is_class) return members[0] == c;
    bool inside = false;
    for (std::size_t i = 0; i + 1 < members.size(); i += 2)
      inside = inside || (members[i] <= c && c <= members[i + 1]);
    return inside != is_negated;
  }
};

std::u32string code_points(std::string_view text) {
  std::u32string result;
  for (std::size_t at = 0; at < text.size();) result += next_code_point(text, at);
  return result;
}

// "[a-z0]" from behind its bracket; moves `at` behind the closing one. Nothing when it does not close.
std::optional<Piece> read_class(const std::u32string& pattern, std::size_t& at) {
  Piece piece;
  piece.is_class = true;
  auto i = at;
  if (i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^')) {
    piece.is_negated = true;
    ++i;
  }
  bool first = true;
  while (i < pattern.size() && (pattern[i] != ']' || first)) {
    first = false;
    char32_t from = pattern[i++];
    char32_t to = from;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      to = pattern[i + 1];
      i += 2;
    }
    piece.members += from;
    piece.members += to;
  }
  if (i >= pattern.size()) return std::nullopt;
  at = i + 1;
  return piece;
}

std::vector<Piece> compile(std::string_view text) {
  auto pattern = code_points(text);
  std::vector<Piece> pieces;
  auto add_one = [&](char32_t c) {
    Piece piece;
    piece.members = std::u32string(1, c);
    pieces.push_back(std::move(piece));
  };
  auto may_quantify = [&] {
    return !pieces.empty() && pieces.back().kind == Piece::Kind::one &&
           !pieces.back().is_optional && !pieces.back().is_repeated;
  };
  for (std::size_t at = 0; at < pattern.size();) {
    char32_t c = pattern[at++];
    if (c == '*') {
      Piece piece;
      piece.kind = Piece::Kind::any_but_slash;
      if (at < pattern.size() && pattern[at] == '*') {
        ++at;
        piece.kind = Piece::Kind::any;
        bool starts_part =
            pieces.empty() || (!pieces.back().is_class && pieces.back().members == U"/");
        if (at < pattern.size() && pattern[at] == '/' && starts_part) {
          ++at;
          piece.kind = Piece::Kind::directories;
        }
      }
      pieces.push_back(std::move(piece));
    } else if (c == '?' && may_quantify()) {
      pieces.back().is_optional = true;
    } else if (c == '+' && may_quantify()) {
      pieces.back().is_repeated = true;
    } else if (c == '\\' && at < pattern.size()) {
      add_one(pattern[at++]);
    } else if (c == '[') {
      if (auto piece = read_class(pattern, at)) {
        pieces.push_back(std::move(*piece));
      } else {
        add_one(c);
      }
    } else {
      add_one(c);
    }
  }
  return pieces;
}

// States: 2i is before piece i, 2i+1 is inside it (it has taken something and may take more or be done).
class Automaton final {
 public:
  explicit Automaton(const std::vector<Piece>& pieces)
      : pieces_(pieces), now_(2 * pieces.size() + 1), next_(now_) {}

  bool accepts(const std::u32string& text) {
    enter(now_, 0);
    for (char32_t c : text) {
      std::fill(next_.begin(), next_.end(), false);
      for (std::size_t state = 0; state < now_.size(); ++state) {
        if (now_[state]) step(state, c);
      }
      std::swap(now_, next_);
    }
    return now_.back();
  }

 private:
  [[nodiscard]] static bool is_star(const Piece& piece) { return piece.kind != Piece::Kind::one; }

  void enter(std::vector<bool>& states, std::size_t piece) {
    auto state = 2 * piece;
    if (states[state]) return;
    states[state] = true;
    if (piece < pieces_.size() && (pieces_[piece].is_optional || is_star(pieces_[piece])))
      enter(states, piece + 1);
  }

  void step(std::size_t state, char32_t c) {
    auto at = state / 2;
    if (at >= pieces_.size() || !pieces_[at].takes(c)) return;
    const auto& piece = pieces_[at];
    if (piece.kind == Piece::Kind::directories) {
      next_[2 * at + 1] = true;
      if (c == '/') enter(next_, at + 1);
      return;
    }
    if (is_star(piece) || piece.is_repeated) next_[2 * at + 1] = true;
    enter(next_, at + 1);
  }

  const std::vector<Piece>& pieces_;
  std::vector<bool> now_;
  std::vector<bool> next_;
};

}  // namespace

bool matches_filter(std::string_view pattern, std::string_view text) {
  auto pieces = compile(pattern);
  return Automaton(pieces).accepts(code_points(text));
}

bool is_selected(const std::vector<std::string>& patterns, std::string_view text) {
  bool selected = false;
  for (const auto& pattern : patterns) {
    bool negates = pattern.starts_with('!');
    if (matches_filter(std::string_view(pattern).substr(negates ? 1 : 0), text))
      selected = !negates;
  }
  return selected;
}

bool only_filter_skips(const std::vector<std::string>& patterns,
                       const std::vector<std::string>& inputs) {
  return std::none_of(inputs.begin(), inputs.end(),
                      [&](const auto& input) { return is_selected(patterns, input); });
}

bool ignore_filter_skips(const std::vector<std::string>& patterns,
                         const std::vector<std::string>& inputs) {
  // '!' has no meaning in an -ignore list: such a pattern matches nothing.
  return !inputs.empty() && std::all_of(inputs.begin(), inputs.end(), [&](const auto& input) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) {
      return !pattern.starts_with('!') && matches_filter(pattern, input);
    });
  });
}

}  // namespace slipway::workflow
