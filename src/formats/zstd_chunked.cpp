// SPDX-License-Identifier: Apache-2.0
// Headers and padding of the tar, and each piece of a file, are frames of their own. After the frames three skippable ones, which zstd
// passes over: the table of contents (JSON, compressed), the tar's other bytes in the form of tar-split (JSON lines, compressed), with
// which a client that has the files can build the same tar again and check it, and a footer with both positions.
#include "formats/zstd_chunked.hpp"

#include <isa-l.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/block_ring.hpp"
#include "formats/json.hpp"
#include "formats/sha256.hpp"
#include "formats/tar.hpp"
#include "formats/tar_block.hpp"
#include "formats/time.hpp"
#include "formats/zstd.hpp"

namespace slipway::formats {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;
// Where files are cut: part of every layer's digest, never change.
constexpr std::size_t kLeastPiece = std::size_t{64} << 10;
constexpr std::size_t kMostPiece = std::size_t{1} << 20;
constexpr std::uint64_t kCutMask = ((std::uint64_t{1} << 18) - 1) << 40;  // 256 KiB on average
constexpr std::size_t kMostExtra = std::size_t{1} << 20;  // bytes of a long name or of pax records
constexpr std::string_view kSkippable = "\x50\x2a\x4d\x18";
constexpr std::string_view kFooterMagic = "GNUlInUx";
constexpr std::uint64_t kTableType = 1;  // "CRFS": the only one

constexpr std::string_view kPosition = "io.github.containers.zstd-chunked.manifest-position";
constexpr std::string_view kTarSplitPosition =
    "io.github.containers.zstd-chunked.tarsplit-position";

template <typename Number>
std::string little_endian(Number value) {
  std::string out;
  for (std::size_t i = 0; i < sizeof value; ++i) out += static_cast<char>(value >> 8 * i & 0xFF);
  return out;
}

/// A number for each byte, to hash the last 64 bytes with by a shift and an addition each. source "FastCDC", USENIX ATC 2016
constexpr std::array<std::uint64_t, 256> gear() {
  std::array<std::uint64_t, 256> table{};
  std::uint64_t state = 0x5C1B3A7D;
  for (auto& number : table) {  // splitmix64
    state += 0x9E3779B97F4A7C15;
    std::uint64_t mixed = state;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
    number = mixed ^ mixed >> 31;
  }
  return table;
}
constexpr auto kGear = gear();

/// Bytes that become one frame.
struct Frame {
  std::size_t size = 0;
  std::optional<std::size_t> file;  ///< number of the file that it is a piece of
  std::string digest;               ///< of a piece; 64 hexadecimal digits
  std::size_t packed_size = 0;
};

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

/// Frames on their way, see BlockRing.
struct Block {
  std::string input;
  std::vector<Frame> frames;
  std::vector<char> packed;
  std::unique_ptr<ZSTD_CCtx, FreeContext> context;

  void pack(int level) {
    if (!context) context.reset(ZSTD_createCCtx());
    std::string_view rest = input;
    std::size_t at = 0;
    for (Frame& frame : frames) {
      if (frame.size == 0) continue;
      std::string_view bytes = rest.substr(0, frame.size);
      rest.remove_prefix(frame.size);
      if (frame.file) frame.digest = sha256_hex(bytes);
      if (packed.size() < at + ZSTD_compressBound(frame.size))
        packed.resize(at + ZSTD_compressBound(frame.size));
      frame.packed_size = ZSTD_compressCCtx(context.get(), packed.data() + at, packed.size() - at,
                                            bytes.data(), bytes.size(), level);
      if (ZSTD_isError(frame.packed_size) != 0)
        fail(Fault::unavailable, "zstd: {}", ZSTD_getErrorName(frame.packed_size));
      at += frame.packed_size;
    }
  }
};

std::string_view name_of(TarType type) {
  switch (type) {
    case TarType::file:
      return "reg";
    case TarType::hard_link:
      return "hardlink";
    case TarType::symlink:
      return "symlink";
    case TarType::char_device:
      return "char";
    case TarType::block_device:
      return "block";
    case TarType::directory:
      return "dir";
    case TarType::fifo:
      return "fifo";
  }
  return "";
}

std::string rfc3339(std::int64_t seconds, std::uint32_t nanoseconds) {
  std::string text = iso8601(Time(std::chrono::seconds(seconds)));
  if (nanoseconds != 0) text.insert(text.size() - 1, fmt::format(".{:09}", nanoseconds));
  return text;
}

/// The names in JSON are text: others would come back as something else.
bool is_text(const std::string& name) {
  bool is_ascii =
      std::ranges::all_of(name, [](char c) { return static_cast<signed char>(c) >= 0; });
  return is_ascii || parse_json(Json(name).dump(), "name").as_string() == name;
}

/// What the table says of an entry before its pieces are known.
Json description(const TarEntry& entry, const TarDetails& details) {
  Json json = Json::object({{"type", std::string(name_of(entry.type))},
                            {"name", details.path},
                            {"mode", details.mode},
                            {"size", static_cast<std::int64_t>(entry.size)},
                            {"uid", static_cast<std::int64_t>(entry.uid)},
                            {"gid", static_cast<std::int64_t>(entry.gid)},
                            {"modtime", rfc3339(entry.mtime, entry.mtime_ns)}});
  if (!entry.link_target.empty()) json["linkName"] = entry.link_target;
  if (details.atime)
    json["accesstime"] = rfc3339(details.atime->seconds, details.atime->nanoseconds);
  if (details.ctime)
    json["changetime"] = rfc3339(details.ctime->seconds, details.ctime->nanoseconds);
  if (entry.device_major != 0) json["devMajor"] = static_cast<std::int64_t>(entry.device_major);
  if (entry.device_minor != 0) json["devMinor"] = static_cast<std::int64_t>(entry.device_minor);
  if (entry.xattrs.empty()) return json;
  Json xattrs = Json::object();
  for (const auto& [name, value] : entry.xattrs) xattrs[name] = base64(value);
  json["xattrs"] = xattrs;
  return json;
}

/// A piece that has been written: as the frame [begin, end) of the output.
struct Piece {
  std::uint64_t begin;
  std::uint64_t end;
  std::uint64_t size;  // unpacked
  std::string digest;
};

/// An entry on its way into the table: it waits for its pieces to be written.
struct Entry {
  Json json;
  std::string digest;  // of the content, when it may have several pieces
  std::vector<Piece> pieces;
  std::uint64_t missing = 0;  // bytes of its content that have not been written

  /// One object after the other for the table, with commas between: the entry, then its pieces after the first.
  [[nodiscard]] std::string print() const {
    if (pieces.empty()) return json.dump();
    Json main = json;
    main["digest"] = "sha256:" + (pieces.size() > 1 ? digest : pieces[0].digest);
    main["offset"] = static_cast<std::int64_t>(pieces.front().begin);
    main["endOffset"] = static_cast<std::int64_t>(pieces.back().end);
    if (pieces.size() == 1) return main.dump();
    std::string out;
    std::uint64_t offset = 0;
    for (const Piece& piece : pieces) {
      Json one = Json::object({{"type", "chunk"}, {"name", main.get_string("name")}});
      if (offset == 0) one = main;
      one["offset"] = static_cast<std::int64_t>(piece.begin);
      one["chunkSize"] = static_cast<std::int64_t>(piece.size);
      one["chunkDigest"] = "sha256:" + piece.digest;
      if (offset > 0) {
        one["chunkOffset"] = static_cast<std::int64_t>(offset);
        out += ",";
      }
      out += one.dump();
      offset += piece.size;
    }
    return out;
  }
};

/// JSON, compressed as it comes, for a skippable frame.
struct CompressedText {
  StringWriter packed;
  ZstdWriter zstd;
  std::uint64_t size = 0;

  explicit CompressedText(int level) : zstd(packed, 0, level) {}
  void add(std::string_view text) {
    zstd.write(text);
    size += text.size();
  }
};

std::string skippable(std::string_view bytes) {
  return std::string(kSkippable) + little_endian(static_cast<std::uint32_t>(bytes.size())) +
         std::string(bytes);
}

/// What may stand in the table: other entries are kept, but not described.
bool is_describable(const std::string& header, char flag) {
  return (flag == '\0' || (flag >= '0' && flag <= '6')) &&
         header.find("GNU.sparse.") == std::string::npos;
}

}  // namespace

struct ZstdChunkedWriter::State {
  Writer& next;
  int level;
  std::uint64_t position = 0;  // of what is written next
  // The tar as it comes.
  std::string raw;            // padding, and the header of the next entry as far as it is here
  std::size_t header_at = 0;  // where in `raw` that begins, extensions first
  std::size_t block_at = 0;   // where in `raw` its next block begins
  std::uint64_t left = 0;     // bytes of content to come
  std::size_t padding = 0;    // bytes after them
  bool is_opaque = false;     // nothing of what follows is looked at
  // The file whose content comes.
  std::size_t file = 0;  // its number
  std::string path;
  std::uint64_t size = 0;
  std::uint64_t crc = 0;
  std::uint64_t rolling = 0;    // hash of its last 64 bytes
  bool is_at_cut = false;       // the piece is whole
  std::optional<Sha256> whole;  // when it may have several pieces
  // The table.
  bool is_described = true;
  std::deque<Entry> entries;  // not yet in it
  std::size_t first = 0;      // number of the first of them
  CompressedText table;
  CompressedText tar_split;
  std::uint64_t split_position = 0;
  BlockRing<Block> blocks;  // last: its threads use what is above

  State(Writer& to, unsigned threads, int how)
      : next(to),
        level(std::clamp(how, 1, ZSTD_maxCLevel())),
        table(level),
        tar_split(level),
        blocks(
            std::max(1U, threads), [this](Block& block) { block.pack(level); },
            [this](Block& block) { put(block); }) {
    table.add(R"({"version":1,"entries":[)");
    begin_frame(std::nullopt);
  }

  // ---- out: frames

  void begin_frame(std::optional<std::size_t> its_file) {
    auto& frames = blocks.current().frames;
    if (frames.empty() || frames.back().size > 0) frames.emplace_back();
    frames.back().file = its_file;
  }
  void add(std::string_view bytes) {
    Block& block = blocks.current();
    if (block.input.capacity() < kBlock + kMostPiece) block.input.reserve(kBlock + kMostPiece);
    block.input += bytes;
    block.frames.back().size += bytes.size();
  }
  void end_frame(std::optional<std::size_t> its_next) {
    if (blocks.current().input.size() >= kBlock) blocks.pass_on();
    begin_frame(its_next);
  }
  /// Bytes that are in no file, in frames of any size.
  void add_raw(std::string_view bytes) {
    if (is_described) split_segment(bytes);
    while (!bytes.empty()) {
      std::string_view some = bytes.substr(0, kBlock);
      bytes.remove_prefix(some.size());
      add(some);
      if (blocks.current().input.size() >= kBlock) end_frame(std::nullopt);
    }
  }

  void put(Block& block) {
    std::uint64_t at = position;
    for (const Frame& frame : block.frames) {
      if (frame.file) {
        Entry& entry = entries[*frame.file - first];
        entry.pieces.push_back({at, at + frame.packed_size, frame.size, frame.digest});
        entry.missing -= frame.size;
      }
      at += frame.packed_size;
    }
    next.write({block.packed.data(), static_cast<std::size_t>(at - position)});
    position = at;
    block.input.clear();
    block.frames.clear();
    for (; !entries.empty() && entries.front().missing == 0; entries.pop_front(), ++first)
      table.add((first == 0 ? "" : ",") + entries.front().print());
  }

  // ---- out: tar-split. source github.com/vbatts/tar-split, tar/storage/entry.go and tar/asm/disassemble.go

  void split_segment(std::string_view bytes) {
    if (bytes.empty()) return;
    tar_split.add(fmt::format("{{\"type\":2,\"payload\":\"{}\",\"position\":{}}}\n", base64(bytes),
                              split_position++));
  }
  void split_file() {
    std::string sum;
    for (int shift = 56; shift >= 0; shift -= 8) sum += static_cast<char>(crc >> shift & 0xFF);
    tar_split.add(size == 0
                      ? fmt::format("{{\"type\":1,\"name\":{},\"payload\":null,\"position\":{}}}\n",
                                    Json(path).dump(), split_position++)
                      : fmt::format("{{\"type\":1,\"name\":{},\"size\":{},\"payload\":\"{}\","
                                    "\"position\":{}}}\n",
                                    Json(path).dump(), size, base64(sum), split_position++));
  }

  // ---- in: the tar

  void take(std::string_view bytes) {
    while (!bytes.empty()) {
      std::uint64_t wanted = left;
      if (left == 0) wanted = (is_opaque ? kBlock : block_at + kTarBlock) - raw.size();
      std::string_view some =
          bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(wanted, bytes.size())));
      bytes.remove_prefix(some.size());
      if (left > 0) {
        take_content(some);
        continue;
      }
      raw += some;
      if (some.size() < wanted) return;
      if (is_opaque)
        add_raw(std::exchange(raw, {}));
      else
        take_block();
    }
  }

  void take_block() {
    TarBlock block{};
    std::copy_n(raw.begin() + static_cast<std::ptrdiff_t>(block_at), kTarBlock, block.begin());
    if (std::ranges::all_of(block, [](char c) { return c == '\0'; })) {
      is_opaque = true;  // the end mark, and what follows it
      return;
    }
    if (!tar_checksum_fits(block))
      fail(Fault::bad_input, "the tar archive is damaged: a header's checksum does not fit");
    char flag = block[kTarTypeflag.offset];
    if (flag == 'x' || flag == 'L' || flag == 'K') {
      auto length = tar_number(block, kTarSize);
      if (!length || *length < 0 || static_cast<std::uint64_t>(*length) > kMostExtra ||
          raw.size() - header_at > 4 * kMostExtra) {
        fail(Fault::bad_input,
             "the tar archive is damaged: a name or a set of pax records is too long");
      }
      auto blocks_of_it = (static_cast<std::size_t>(*length) + kTarBlock - 1) / kTarBlock;
      block_at += (1 + blocks_of_it) * kTarBlock;
      return;
    }
    std::string header = raw.substr(header_at);
    if (!is_describable(header, flag)) return give_up();
    MemoryReader memory(header);
    TarReader reader(memory, 4096);
    auto entry = reader.next();
    if (!entry) fail(Fault::bad_input, "the tar archive is damaged: a header is empty");
    if (!is_text(reader.details().path) || !is_text(entry->link_target)) return give_up();
    begin_entry(*entry, reader.details());
  }

  /// What is here and what follows is kept, but not described.
  void give_up() {
    is_described = false;
    is_opaque = true;
    add_raw(std::exchange(raw, {}));
  }

  void begin_entry(const TarEntry& entry, const TarDetails& details) {
    add_raw(std::exchange(raw, {}));
    file = first + entries.size();
    path = details.path;
    size = left = entry.size;
    crc = 0;
    entries.push_back({.json = description(entry, details), .missing = size});
    if (size == 0) return end_entry();
    rolling = 0;
    if (size > kLeastPiece)
      whole.emplace();
    else
      whole.reset();
    end_frame(file);
  }

  void take_content(std::string_view bytes) {
    crc = crc64_iso_refl(crc, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    left -= bytes.size();
    if (whole) whole->update(bytes);
    if (whole && left == 0) entries[file - first].digest = whole->hex();
    while (!bytes.empty()) {
      std::size_t count = up_to_cut(bytes);
      bool is_cut = is_at_cut && (left > 0 || count < bytes.size());
      add(bytes.substr(0, count));
      bytes.remove_prefix(count);
      if (is_cut) end_frame(file);
    }
    if (left > 0) return;
    end_frame(std::nullopt);
    end_entry();
  }

  void end_entry() {
    split_file();
    padding = static_cast<std::size_t>((kTarBlock - size % kTarBlock) % kTarBlock);
    header_at = block_at = padding;
  }

  /// How many of the bytes belong to the piece that is being filled; is_at_cut: it is whole with them.
  std::size_t up_to_cut(std::string_view bytes) {
    std::size_t have = blocks.current().frames.back().size;
    std::size_t most = std::min(bytes.size(), kMostPiece - have);
    std::size_t at = have < kLeastPiece ? std::min(most, kLeastPiece - have) : 0;
    is_at_cut = false;
    std::uint64_t hash = at > 0 ? 0 : rolling;
    while (at < most && !is_at_cut) {
      hash = (hash << 1) + kGear[static_cast<unsigned char>(bytes[at++])];
      is_at_cut = (hash & kCutMask) == 0;
    }
    rolling = hash;
    is_at_cut = is_at_cut || have + at == kMostPiece;
    if (is_at_cut) rolling = 0;
    return at;
  }

  std::map<std::string, std::string> finish() {
    bool is_between = left == 0 && raw.size() <= padding;
    if (!is_opaque && !is_between)
      fail(Fault::bad_input, "the tar archive is damaged: it is cut short");
    add_raw(std::exchange(raw, {}));
    blocks.finish();
    if (!is_described) return {};
    tar_split.zstd.finish();
    const std::string& split = tar_split.packed.text();
    table.add(fmt::format("],\"tarSplitDigest\":\"sha256:{}\"}}", sha256_hex(split)));
    table.zstd.finish();
    const std::string& packed = table.packed.text();
    constexpr std::uint64_t kFrameHeader = 8;
    std::uint64_t table_at = position + kFrameHeader;
    std::uint64_t split_at = table_at + packed.size() + kFrameHeader;
    next.write(skippable(packed));
    next.write(skippable(split));
    std::string footer;
    for (std::uint64_t number : {table_at, std::uint64_t{packed.size()}, table.size, kTableType,
                                 split_at, std::uint64_t{split.size()}, tar_split.size})
      footer += little_endian(number);
    next.write(skippable(footer + std::string(kFooterMagic)));
    return {{std::string(kZstdChunkedChecksum), "sha256:" + sha256_hex(packed)},
            {std::string(kPosition),
             fmt::format("{}:{}:{}:{}", table_at, packed.size(), table.size, kTableType)},
            {std::string(kTarSplitPosition),
             fmt::format("{}:{}:{}", split_at, split.size(), tar_split.size)}};
  }
};

ZstdChunkedWriter::ZstdChunkedWriter(Writer& next, unsigned threads, int level)
    : state_(std::make_unique<State>(next, threads, level)) {}

ZstdChunkedWriter::~ZstdChunkedWriter() = default;

void ZstdChunkedWriter::write(std::string_view bytes) { state_->take(bytes); }

std::map<std::string, std::string> ZstdChunkedWriter::finish() { return state_->finish(); }

}  // namespace slipway::formats
