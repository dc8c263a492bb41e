// SPDX-License-Identifier: Apache-2.0
#include "workflow/env_file.hpp"

#include "base/text.hpp"

namespace slipway::workflow {
namespace {

std::string_view without_bom(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text;
}

struct Line {
  std::string_view text;
  bool has_end = false;  // a line feed follows
};

class LineReader final {
 public:
  explicit LineReader(std::string_view text) : text_(text) {}
  std::optional<Line> next() {
    if (at_ >= text_.size()) return std::nullopt;
    auto end = text_.find('\n', at_);
    Line line{text_.substr(at_, end == std::string_view::npos ? end : end - at_),
              end != std::string_view::npos};
    at_ = line.has_end ? end + 1 : text_.size();
    return line;
  }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] std::string_view between(std::size_t begin, std::size_t end) const {
    return text_.substr(begin, end > begin ? end - begin : 0);
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

// The raw text between the line of NAME<<DELIMITER and the delimiter's own line, without the last line feed.
std::optional<std::string> read_block(LineReader& lines, std::string_view delimiter,
                                      std::string& problem) {
  auto begin = lines.at();
  auto end = begin;
  for (;;) {
    auto line = lines.next();
    if (!line) {
      problem = fmt::format("Invalid value. Matching delimiter not found '{}'", delimiter);
      return std::nullopt;
    }
    if (line->text == delimiter) return std::string(lines.between(begin, end));
    if (!line->has_end) {
      problem = "Invalid value. EOF marker missing new line.";
      return std::nullopt;
    }
    end = lines.at() - 1;
  }
}

}  // namespace

EnvFile parse_env_file(std::string_view text) {
  EnvFile file;
  LineReader lines(without_bom(text));
  while (auto line = lines.next()) {
    if (line->text.empty()) continue;
    auto equals = line->text.find('=');
    auto heredoc = line->text.find("<<");
    if (equals < heredoc) {  // npos is larger than any place
      file.entries.emplace_back(line->text.substr(0, equals), line->text.substr(equals + 1));
      continue;
    }
    if (heredoc == std::string_view::npos) {
      file.problem = fmt::format("Invalid format '{}'", line->text);
      return file;
    }
    auto name = line->text.substr(0, heredoc);
    auto delimiter = line->text.substr(heredoc + 2);
    if (name.empty() || delimiter.empty()) {
      file.problem =
          fmt::format("Invalid format '{}'. Name must not be empty and delimiter must not be empty",
                      line->text);
      return file;
    }
    std::string problem;
    auto value = read_block(lines, delimiter, problem);
    if (!value) {
      file.problem = problem;
      return file;
    }
    file.entries.emplace_back(name, *value);
  }
  return file;
}

std::vector<std::string> parse_path_file(std::string_view text) {
  std::vector<std::string> paths;
  for (auto line : lines_of(without_bom(text))) {
    if (!line.empty()) paths.emplace_back(line);
  }
  return paths;
}

}  // namespace slipway::workflow
