// SPDX-License-Identifier: Apache-2.0
#include "container/log_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/text.hpp"
#include "os/fd.hpp"

namespace slipway::container {
namespace {

std::optional<std::int64_t> parse_time(std::string_view text) {
  std::tm parts{};
  std::string copy(text);
  const char* rest = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr || rest[0] != '.') return std::nullopt;
  std::string_view fraction(rest + 1);
  if (fraction.size() != 4 || fraction[3] != 'Z') return std::nullopt;
  auto milliseconds = to_integer(fraction.substr(0, 3));
  if (!milliseconds || *milliseconds < 0) return std::nullopt;
  return static_cast<std::int64_t>(::timegm(&parts)) * 1000 + *milliseconds;
}

// The bytes of [from, to) of an open file.
std::string read_range(int fd, std::uint64_t from, std::uint64_t to) {
  std::string out(to - from, '\0');
  std::size_t done = 0;
  while (done < out.size()) {
    ssize_t n = ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(from + done));
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  out.resize(done);
  return out;
}

std::uint64_t size_of(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

}  // namespace

std::string to_string(const LogLine& line) {
  auto seconds = static_cast<std::time_t>(line.time_ms / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z {} {} {}\n", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     line.time_ms % 1000, line.is_stderr ? "stderr" : "stdout",
                     line.partial ? 'P' : 'F', line.text);
}

std::optional<LogLine> parse_log_line(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  auto first = line.find(' ');
  if (first == std::string_view::npos || line.size() < first + 10) return std::nullopt;
  auto time = parse_time(line.substr(0, first));
  auto stream = line.substr(first + 1, 6);
  char flag = line[first + 8];
  bool is_known = (stream == "stdout" || stream == "stderr") && (flag == 'F' || flag == 'P');
  if (!time || !is_known || line[first + 7] != ' ' || line[first + 9] != ' ') return std::nullopt;
  return LogLine{*time, stream == "stderr", flag == 'P', std::string(line.substr(first + 10))};
}

std::vector<LogLine> LogReader::next(std::size_t limit) {
  os::Fd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return {};
  std::uint64_t end = std::min(size_of(file.get()), offset_ + std::uint64_t{1024} * 1024);
  if (end <= offset_) return {};
  std::string bytes = read_range(file.get(), offset_, end);
  std::vector<LogLine> lines;
  std::size_t at = 0;
  while (lines.size() < limit) {
    auto line_end = bytes.find('\n', at);
    if (line_end == std::string::npos) break;  // it is being written
    if (auto line = parse_log_line(std::string_view(bytes).substr(at, line_end - at)))
      lines.push_back(std::move(*line));
    at = line_end + 1;
  }
  offset_ += at;
  return lines;
}

std::vector<LogLine> last_lines(const std::filesystem::path& path, std::size_t count) {
  os::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open() || count == 0) return {};
  std::uint64_t size = size_of(file.get());
  std::uint64_t span = 64 * 1024;
  for (;;) {
    std::uint64_t from = size > span ? size - span : 0;
    std::string bytes = read_range(file.get(), from, size);
    std::vector<LogLine> lines;
    for (auto text : lines_of(bytes)) {
      if (auto line = parse_log_line(text)) lines.push_back(std::move(*line));
    }
    if (from == 0 ||
        lines.size() > count) {  // the first one may be a line's tail that looks like a line
      if (lines.size() > count)
        lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
      return lines;
    }
    span *= 8;
  }
}

}  // namespace slipway::container
