// SPDX-License-Identifier: Apache-2.0
#include "workflow/mask.hpp"

#include <map>

#include "base/text.hpp"

// One pass over the text, one table load a byte, whatever the number of secrets. The table holds premultiplied row numbers
// (state << shift), so a step is next[row + class]; states that end a pattern are numbered last, so "is this a hit" is one
// comparison that is nearly always false. Bytes that occur in no pattern share class 0, which keeps rows short: the table for ten
// secrets with their encodings fits into the second-level cache.
namespace slipway::workflow {
namespace {

struct Node {
  std::map<std::uint8_t, std::uint32_t> children;  // by class
  std::uint32_t fail = 0;
  std::uint32_t longest = 0;
};

}  // namespace

PatternSet::PatternSet(const std::set<std::string>& patterns) {
  unsigned classes = 1;
  for (const auto& pattern : patterns) {
    for (char c : pattern) {
      auto& number = class_of_[static_cast<unsigned char>(c)];
      // When all 256 bytes occur, the last one is alone in class 0.
      if (number == 0 && classes < 256) number = static_cast<std::uint8_t>(classes++);
    }
  }
  while ((1U << shift_) < classes) ++shift_;

  std::vector<Node> nodes(1);
  for (const auto& pattern : patterns) {
    std::uint32_t at = 0;
    for (char c : pattern) {
      auto number = class_of_[static_cast<unsigned char>(c)];
      auto [child, is_new] =
          nodes[at].children.try_emplace(number, static_cast<std::uint32_t>(nodes.size()));
      at = child->second;
      if (is_new) nodes.emplace_back();
    }
    nodes[at].longest = static_cast<std::uint32_t>(pattern.size());
    longest_pattern_ = std::max(longest_pattern_, pattern.size());
  }

  // Breadth first: a state's failure state is shallower, so its row is complete when it is needed.
  const std::size_t row = std::size_t{1} << shift_;
  std::vector<std::uint32_t> order{0};
  std::vector<State> table(nodes.size() * row, 0);
  for (std::size_t done = 0; done < order.size(); ++done) {
    auto at = order[done];
    for (std::size_t c = 0; c < row; ++c)
      table[at * row + c] = at == 0 ? 0 : table[nodes[at].fail * row + c];
    for (auto [c, child] : nodes[at].children) {
      nodes[child].fail = at == 0 ? 0 : table[nodes[at].fail * row + c];
      nodes[child].longest = std::max(nodes[child].longest, nodes[nodes[child].fail].longest);
      table[at * row + c] = child;
      order.push_back(child);
    }
  }

  std::vector<State> number(nodes.size());
  State next_number = 0;
  for (auto at : order) {
    if (nodes[at].longest == 0) number[at] = next_number++;
  }
  first_hit_ = next_number << shift_;
  for (auto at : order) {
    if (nodes[at].longest != 0) number[at] = next_number++;
  }
  next_.resize(table.size());
  longest_.resize(nodes.size());
  for (std::size_t at = 0; at < nodes.size(); ++at) {
    longest_[number[at]] = nodes[at].longest;
    for (std::size_t c = 0; c < row; ++c)
      next_[(std::size_t{number[at]} << shift_) + c] = number[table[at * row + c]] << shift_;
  }
}

template <typename Hit>
void PatternSet::scan(std::string_view text, Hit&& hit) const {
  const State* next = next_.data();
  State state = 0;
  const State first_hit = first_hit_;
  for (std::size_t i = 0; i < text.size(); ++i) {
    state = next[state + class_of_[static_cast<unsigned char>(text[i])]];
    if (state < first_hit) [[likely]]
      continue;
    if (!hit(i + 1 - longest_[state >> shift_], i + 1)) return;
  }
}

std::string PatternSet::replace(std::string_view text) const {
  // Hits come by their end; a later, longer one may begin before an earlier one, even before several merged ranges.
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  scan(text, [&](std::size_t from, std::size_t to) {
    while (!ranges.empty() && from <= ranges.back().first) ranges.pop_back();
    if (!ranges.empty() && from <= ranges.back().second) {
      ranges.back().second = to;
    } else {
      ranges.emplace_back(from, to);
    }
    return true;
  });
  if (ranges.empty()) return std::string(text);
  std::string result;
  result.reserve(text.size() + 3 * ranges.size());
  std::size_t copied = 0;
  for (auto [from, to] : ranges) {
    result.append(text, copied, from - copied);
    result += "***";
    copied = to;
  }
  result.append(text, copied);
  return result;
}

std::size_t PatternSet::settled(std::string_view text) const {
  // What comes may end a pattern that has begun in the last bytes.
  auto open = longest_pattern_ == 0 ? 0 : longest_pattern_ - 1;
  if (text.size() <= open) return 0;
  auto end = text.size() - open;
  std::vector<std::pair<std::size_t, std::size_t>> hits;
  scan(text, [&](std::size_t from, std::size_t to) {
    hits.emplace_back(from, to);
    return true;
  });
  // From the last on: one that is cut moves the end before it, where it may cut another.
  for (auto hit = hits.rbegin(); hit != hits.rend() && hit->second > end; ++hit) {
    if (hit->first < end && hit->second > end) end = hit->first;
  }
  return end;
}

bool PatternSet::occurs_in(std::string_view text) const {
  bool found = false;
  scan(text, [&](std::size_t, std::size_t) {
    found = true;
    return false;
  });
  return found;
}

namespace {

std::string escape_json(std::string_view value) {
  std::string out;
  for (char c : value) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  return out;
}

std::string escape_uri(std::string_view value) {
  std::string out;
  for (char c : value) {
    auto byte = static_cast<unsigned char>(c);
    bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                    (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.' ||
                    byte == '~';
    if (is_plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

std::string escape_xml(std::string_view value) {
  std::string out;
  for (char c : value) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&apos;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// What PowerShell prints in one piece of a secret that holds an ampersand: it colours the letter after "&+", or breaks after the
// last "&". Pieces under six bytes would mask too much of other text.
void add_powershell_pieces(std::string_view value, std::vector<std::string>& out) {
  constexpr std::size_t kShortest = 6;
  std::string_view head;
  std::string_view tail;
  if (auto plus = value.find("&+"); plus != std::string_view::npos) {
    head = value.substr(0, plus + 2);
    tail = value.substr(std::min(value.size(), plus + 3));
  } else if (auto last = value.rfind('&'); last != std::string_view::npos) {
    head = value.substr(0, last + 1);
    tail = value.substr(last + 1);
  }
  if (head.size() >= kShortest) out.emplace_back(head);
  if (tail.size() >= kShortest) out.emplace_back(tail);
}

// The value inside a longer text in base64 begins at one of three alignments, and its last characters depend on what follows:
// both the padded form and the part that does not depend on it are masked.
void add_base64(std::string_view value, std::vector<std::string>& out) {
  constexpr std::size_t kShortest = 8;
  for (std::size_t skipped = 0; skipped < 3; ++skipped) {
    auto part = value.size() > skipped ? value.substr(skipped) : value;
    out.push_back(base64(part));
    auto whole = base64(part.substr(0, part.size() - part.size() % 3));
    if (whole.size() >= kShortest) out.push_back(std::move(whole));
  }
}

}  // namespace

std::vector<std::string> encodings_of(std::string_view value) {
  std::vector<std::string> out;
  add_base64(value, out);
  out.push_back(replace_all(std::string(value), "\"", "\\\""));
  out.push_back(replace_all(std::string(value), "'", "''"));
  out.push_back(escape_json(value));
  out.push_back(escape_uri(value));
  out.push_back(escape_xml(value));
  if (value.size() > 8 && value.front() == '"' && value.back() == '"') {
    out.emplace_back(value.substr(1, value.size() - 2));
  }
  add_powershell_pieces(value, out);
  std::erase_if(out,
                [&](const std::string& encoded) { return encoded.empty() || encoded == value; });
  return out;
}

Masker::Masker() = default;
Masker::~Masker() = default;

void Masker::add(std::string_view secret) {
  std::vector<std::string> values{std::string(secret)};
  if (auto trimmed = trim(secret); trimmed.size() != secret.size()) values.emplace_back(trimmed);
  if (secret.find_first_of("\r\n") != std::string_view::npos) {
    for (const auto& part : split(replace_all(std::string(secret), "\r", "\n"), '\n'))
      values.push_back(part);
  }
  std::lock_guard lock(mutex_);
  for (const auto& value : values) {
    if (trim(value).empty()) continue;
    if (!values_.insert(value).second) continue;
    for (auto& encoded : encodings_of(value)) values_.insert(std::move(encoded));
    compiled_ = nullptr;
  }
}

std::shared_ptr<const PatternSet> Masker::patterns() const {
  std::lock_guard lock(mutex_);
  if (!compiled_) compiled_ = std::make_shared<PatternSet>(values_);
  return compiled_;
}

std::string Masker::mask(std::string_view text) const { return patterns()->replace(text); }

std::size_t Masker::settled(std::string_view text) const { return patterns()->settled(text); }

bool Masker::hides_something_in(std::string_view text) const { return patterns()->occurs_in(text); }

}  // namespace slipway::workflow
