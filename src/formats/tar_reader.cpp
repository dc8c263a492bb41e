// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/tar.hpp"
#include "formats/tar_block.hpp"

namespace slipway::formats {
namespace {

constexpr std::uint64_t kMostExtra = std::uint64_t{1}
                                     << 20;    // bytes of a long name or of pax records
constexpr std::size_t kMostRegions = 100'000;  // of a sparse file

using Records = std::vector<std::pair<std::string, std::string>>;

/// A piece of a sparse file that is in the archive; zeros are between them.
struct Region {
  std::uint64_t offset;
  std::uint64_t size;
};

[[noreturn]] void refuse(std::string_view what) {
  fail(Fault::bad_input, "the tar archive is damaged: {}", what);
}

/// The source in large pieces, so that headers do not cost a call of the source each.
class Input final {
 public:
  Input(Reader& source, std::size_t buffer) : source_(source), buffer_(buffer) {}

  std::size_t read(std::span<char> into) {
    if (begin_ == end_) {
      if (into.size() >= buffer_.size()) return source_.read(into);
      begin_ = 0;
      end_ = source_.read(buffer_);
    }
    std::size_t count = std::min(into.size(), end_ - begin_);
    std::copy_n(buffer_.data() + begin_, count, into.data());
    begin_ += count;
    return count;
  }
  /// Bytes read; fewer than asked for only at the end.
  std::size_t fill(std::span<char> into) {
    std::size_t filled = 0;
    while (filled < into.size()) {
      std::size_t count = read(into.subspan(filled));
      if (count == 0) break;
      filled += count;
    }
    return filled;
  }
  void skip(std::uint64_t count) {
    std::array<char, 16384> dropped{};
    while (count > 0) {
      std::size_t got = read(std::span(dropped).first(
          static_cast<std::size_t>(std::min<std::uint64_t>(dropped.size(), count))));
      if (got == 0) refuse("it is cut short");
      count -= got;
    }
  }
  void drain() {
    std::vector<char> dropped(std::size_t{64} << 10);
    while (read(dropped) > 0) {
    }
  }

 private:
  Reader& source_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

std::uint64_t padding(std::uint64_t size) { return (kTarBlock - size % kTarBlock) % kTarBlock; }

std::int64_t number(const TarBlock& block, TarField field, std::string_view name) {
  auto value = tar_number(block, field);
  if (!value) refuse(fmt::format("a header's {} is no number", name));
  return *value;
}

template <typename Unsigned>
Unsigned checked(std::int64_t value, std::string_view name) {
  if (!std::in_range<Unsigned>(value)) refuse(fmt::format("a header's {} is out of range", name));
  return static_cast<Unsigned>(value);
}

/// "LENGTH key=value\n" one after another.
Records parse_records(std::string_view text) {
  Records records;
  while (!text.empty()) {
    auto space = text.find(' ');
    auto size = space == std::string_view::npos ? std::nullopt : to_integer(text.substr(0, space));
    if (!size || *size <= static_cast<long long>(space) + 1 ||
        static_cast<std::size_t>(*size) > text.size()) {
      refuse("a pax record has a wrong length");
    }
    std::string_view line = text.substr(space + 1, static_cast<std::size_t>(*size) - space - 1);
    text.remove_prefix(static_cast<std::size_t>(*size));
    auto equals = line.find('=');
    if (!line.ends_with('\n') || equals == std::string_view::npos || equals == 0)
      refuse("a pax record is malformed");
    records.emplace_back(line.substr(0, equals), line.substr(equals + 1, line.size() - equals - 2));
  }
  return records;
}

/// "1234.5678" or "-1.5": whole seconds (rounded down) and nanoseconds.
TarTime parse_time(std::string_view text) {
  auto dot = text.find('.');
  auto seconds = to_integer(text.substr(0, dot));
  if (!seconds) refuse("a pax time is no number");
  std::string fraction(dot == std::string_view::npos ? "" : text.substr(dot + 1));
  fraction.resize(9, '0');
  auto nanoseconds = to_integer(fraction);
  if (!nanoseconds || *nanoseconds < 0) refuse("a pax time is no number");
  if (text.starts_with('-') && *nanoseconds > 0)
    return {*seconds - 1, static_cast<std::uint32_t>(1'000'000'000 - *nanoseconds)};
  return {*seconds, static_cast<std::uint32_t>(*nanoseconds)};
}

template <typename Unsigned>
Unsigned parse_unsigned(std::string_view text, std::string_view key) {
  auto value = to_integer(text);
  if (!value || !std::in_range<Unsigned>(*value))
    refuse(fmt::format("the pax record '{}' is no number in range", key));
  return static_cast<Unsigned>(*value);
}

std::string without_nul(const std::string& text) {
  if (text.find('\0') != std::string::npos) refuse("a name holds a NUL");
  return text;
}

/// What the records say of sparse files, in the GNU formats 0.0, 0.1 and 1.0.
struct SparseRecords {
  std::vector<Region> regions;
  std::optional<std::uint64_t> real_size;
  std::string name;
  bool is_map_in_data = false;  // format 1.0
  bool is_sparse = false;
  std::uint64_t offset = 0;

  void take(std::string_view key, const std::string& value) {
    is_sparse = true;
    if (key == "major") is_map_in_data = value == "1";
    if (key == "name") name = without_nul(value);
    if (key == "size" || key == "realsize") real_size = parse_unsigned<std::uint64_t>(value, key);
    if (key == "offset") offset = parse_unsigned<std::uint64_t>(value, key);
    if (key == "numbytes") regions.push_back({offset, parse_unsigned<std::uint64_t>(value, key)});
    if (key == "map") {
      auto numbers = split(value, ',');
      if (numbers.size() % 2 != 0) refuse("a sparse map is malformed");
      for (std::size_t i = 0; i < numbers.size(); i += 2) {
        regions.push_back({parse_unsigned<std::uint64_t>(numbers[i], key),
                           parse_unsigned<std::uint64_t>(numbers[i + 1], key)});
      }
    }
    if (regions.size() > kMostRegions) refuse("a sparse map is too long");
  }
};

TarType type_of(char flag, std::string_view path) {
  switch (flag) {
    case '1':
      return TarType::hard_link;
    case '2':
      return TarType::symlink;
    case '3':
      return TarType::char_device;
    case '4':
      return TarType::block_device;
    case '5':
      return TarType::directory;
    case '6':
      return TarType::fifo;
    case '\0':
      return path.ends_with('/') ? TarType::directory : TarType::file;
    default:
      return TarType::file;  // POSIX: a type that is not known is a file
  }
}

}  // namespace

struct TarReader::State final : public Reader {
  Input input;
  Records global;
  TarDetails details;
  std::uint64_t stored = 0;  // bytes of the entry still in the archive
  std::uint64_t tail = 0;    // padding after them
  std::uint64_t position = 0;
  std::uint64_t size = 0;  // of the entry's content
  std::vector<Region> regions;
  std::size_t region = 0;
  bool is_sparse = false;
  bool is_done = false;

  State(Reader& source, std::size_t buffer) : input(source, buffer) {}

  std::size_t read(std::span<char> into) override {
    if (is_sparse) return read_sparse(into);
    return read_stored(into);
  }
  std::size_t read_stored(std::span<char> into) {
    std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), stored));
    if (wanted == 0) return 0;
    std::size_t count = input.read(into.first(wanted));
    if (count == 0) refuse("it is cut short");
    stored -= count;
    return count;
  }
  std::size_t read_sparse(std::span<char> into) {
    while (region < regions.size() && position >= regions[region].offset + regions[region].size)
      ++region;
    if (position >= size) return 0;
    bool is_in_region = region < regions.size() && position >= regions[region].offset;
    std::uint64_t end = is_in_region              ? regions[region].offset + regions[region].size
                        : region < regions.size() ? regions[region].offset
                                                  : size;
    auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), end - position));
    std::size_t count = wanted;
    if (is_in_region) {
      count = read_stored(into.first(wanted));
      if (count == 0) refuse("a sparse file is shorter than its map");
    } else {
      std::fill_n(into.begin(), wanted, '\0');
    }
    position += count;
    return count;
  }

  bool next_block(TarBlock& block) {
    std::size_t count = input.fill(block);
    if (count != 0 && count != block.size()) refuse("it is cut short");
    return count != 0;
  }
  std::string extra(const TarBlock& block) {
    auto length = checked<std::uint64_t>(number(block, kTarSize, "size"), "size");
    if (length > kMostExtra) refuse("a name or a set of pax records is too long");
    std::string text(static_cast<std::size_t>(length), '\0');
    if (input.fill(text) != text.size()) refuse("it is cut short");
    input.skip(padding(length));
    return text;
  }
  /// False at the end mark (or where the archive just ends).
  bool next_header(TarBlock& block) {
    if (!next_block(block)) return false;
    if (std::ranges::any_of(block, [](char c) { return c != '\0'; })) {
      if (!tar_checksum_fits(block)) refuse("a header's checksum does not fit");
      return true;
    }
    if (next_block(block) && std::ranges::any_of(block, [](char c) { return c != '\0'; }))
      refuse("a header is empty");
    input.drain();
    return false;
  }

  void old_sparse_map(const TarBlock& header) {
    constexpr std::size_t kInHeader = 4;
    constexpr std::size_t kInExtension = 21;
    auto take = [&](const TarBlock& block, std::size_t at, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i, at += 24) {
        if (block[at] == '\0') return;
        regions.push_back(
            {checked<std::uint64_t>(number(block, {at, 12}, "sparse map"), "sparse map"),
             checked<std::uint64_t>(number(block, {at + 12, 12}, "sparse map"), "sparse map")});
      }
    };
    take(header, 386, kInHeader);
    size = checked<std::uint64_t>(number(header, {483, 12}, "size"), "size");
    bool is_extended = header[482] != '\0';
    while (is_extended) {
      TarBlock block{};
      if (!next_block(block)) refuse("it is cut short");
      take(block, 0, kInExtension);
      if (regions.size() > kMostRegions) refuse("a sparse map is too long");
      is_extended = block[504] != '\0';
    }
  }
  /// GNU format 1.0: decimal numbers on lines of their own in the entry's first blocks.
  void sparse_map_in_data() {
    TarBlock block{};
    std::size_t at = block.size();
    auto next_number = [&] {
      std::uint64_t value = 0;
      for (int digits = 0;; ++digits) {
        if (at == block.size()) {
          if (stored < block.size() || !next_block(block)) refuse("a sparse map is cut short");
          stored -= block.size();
          at = 0;
        }
        char c = block[at++];
        if (c == '\n' && digits > 0) return value;
        if (c < '0' || c > '9' || digits > 18) refuse("a sparse map is malformed");
        value = value * 10 + static_cast<std::uint64_t>(c - '0');
      }
    };
    std::uint64_t count = next_number();
    if (count > kMostRegions) refuse("a sparse map is too long");
    for (std::uint64_t i = 0; i < count; ++i) {
      std::uint64_t offset = next_number();
      regions.push_back({offset, next_number()});
    }
  }
  void check_regions() const {
    std::uint64_t end = 0;
    for (const Region& one : regions) {
      if (one.offset < end || one.offset > size || one.size > size - one.offset)
        refuse("a sparse map is out of order");
      end = one.offset + one.size;
    }
  }

  TarEntry entry_of(const TarBlock& block) {
    TarEntry entry;
    std::string magic(block.data() + kTarMagic.offset, 6);
    entry.path = tar_text(block, kTarName);
    if (magic == std::string("ustar\0", 6)) {
      std::string prefix = tar_text(block, kTarPrefix);
      if (!prefix.empty()) entry.path = prefix + "/" + entry.path;
    }
    details = {.mode = number(block, kTarMode, "mode")};
    entry.mode = static_cast<std::uint32_t>(details.mode) & 07777;
    entry.uid = checked<std::uint32_t>(number(block, kTarUid, "uid"), "uid");
    entry.gid = checked<std::uint32_t>(number(block, kTarGid, "gid"), "gid");
    entry.size = checked<std::uint64_t>(number(block, kTarSize, "size"), "size");
    entry.mtime = number(block, kTarMtime, "mtime");
    entry.link_target = tar_text(block, kTarLinkname);
    if (magic.starts_with("ustar")) {
      entry.user = tar_text(block, kTarUser);
      entry.group = tar_text(block, kTarGroup);
      entry.device_major = checked<std::uint32_t>(number(block, kTarMajor, "device"), "device");
      entry.device_minor = checked<std::uint32_t>(number(block, kTarMinor, "device"), "device");
    }
    return entry;
  }

  void apply(const Records& records, TarEntry& entry, SparseRecords& sparse) {
    constexpr std::string_view kXattr = "SCHILY.xattr.";
    constexpr std::string_view kSparse = "GNU.sparse.";
    for (const auto& [key, value] : records) {
      if (key.starts_with(kSparse)) {
        sparse.take(std::string_view(key).substr(kSparse.size()), value);
      } else if (key.starts_with(kXattr)) {
        entry.xattrs[key.substr(kXattr.size())] = value;
      } else if (value.empty()) {
        continue;  // takes a global record back: the header's own value stands
      } else if (key == "path") {
        entry.path = without_nul(value);
      } else if (key == "linkpath") {
        entry.link_target = without_nul(value);
      } else if (key == "uname") {
        entry.user = value;
      } else if (key == "gname") {
        entry.group = value;
      } else if (key == "uid") {
        entry.uid = parse_unsigned<std::uint32_t>(value, key);
      } else if (key == "gid") {
        entry.gid = parse_unsigned<std::uint32_t>(value, key);
      } else if (key == "size") {
        entry.size = parse_unsigned<std::uint64_t>(value, key);
      } else if (key == "mtime") {
        TarTime time = parse_time(value);
        entry.mtime = time.seconds;
        entry.mtime_ns = time.nanoseconds;
      } else if (key == "atime") {
        details.atime = parse_time(value);
      } else if (key == "ctime") {
        details.ctime = parse_time(value);
      }
    }
  }

  void begin_content(const TarBlock& block, TarEntry& entry, SparseRecords& sparse) {
    position = 0;
    region = 0;
    is_sparse = false;
    regions.clear();
    stored = entry.type == TarType::file ? entry.size : 0;
    tail = padding(stored);
    if (entry.type == TarType::file && block[kTarTypeflag.offset] == 'S') {
      old_sparse_map(block);
      is_sparse = true;
    } else if (entry.type == TarType::file && sparse.is_sparse) {
      regions = std::move(sparse.regions);
      size = sparse.real_size.value_or(entry.size);
      if (sparse.is_map_in_data) sparse_map_in_data();
      if (!sparse.name.empty()) entry.path = sparse.name;
      is_sparse = true;
    }
    if (is_sparse) {
      check_regions();
      entry.size = size;
    }
    if (entry.type != TarType::file) entry.size = 0;
  }

  std::optional<TarEntry> next_entry() {
    if (is_done) return std::nullopt;
    input.skip(stored + tail);
    stored = tail = 0;
    std::optional<std::string> long_name;
    std::optional<std::string> long_link;
    Records local;
    for (TarBlock block{};;) {
      if (!next_header(block)) {
        if (long_name || long_link || !local.empty()) refuse("it is cut short");
        is_done = true;
        return std::nullopt;
      }
      switch (char flag = block[kTarTypeflag.offset]; flag) {
        case 'g': {
          Records more = parse_records(extra(block));
          global.insert(global.end(), more.begin(), more.end());
          if (global.size() > kMostRegions) refuse("too many pax records");
          break;
        }
        case 'x':
          local = parse_records(extra(block));
          break;
        case 'L':
          long_name = extra(block);
          break;
        case 'K':
          long_link = extra(block);
          break;
        case 'V':
        case 'X':
          static_cast<void>(extra(block));
          break;  // a volume's label; Sun's records
        default: {
          TarEntry entry = entry_of(block);
          if (long_name) entry.path = long_name->substr(0, long_name->find('\0'));
          if (long_link) entry.link_target = long_link->substr(0, long_link->find('\0'));
          SparseRecords sparse;
          apply(global, entry, sparse);
          apply(local, entry, sparse);
          entry.type = type_of(flag, entry.path);
          begin_content(block, entry, sparse);
          details.path = entry.path;
          details.is_sparse = is_sparse;
          while (entry.path.size() > 1 && entry.path.ends_with('/')) entry.path.pop_back();
          if (entry.path.empty()) refuse("an entry has no name");
          return entry;
        }
      }
    }
  }
};

TarReader::TarReader(Reader& source, std::size_t buffer)
    : state_(std::make_unique<State>(source, buffer)) {}

TarReader::~TarReader() = default;

std::optional<TarEntry> TarReader::next() { return state_->next_entry(); }

Reader& TarReader::content() { return *state_; }

const TarDetails& TarReader::details() const { return state_->details; }

}  // namespace slipway::formats
