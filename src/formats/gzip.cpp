// SPDX-License-Identifier: Apache-2.0
// Layers are compressed in blocks of 1 MiB that do not know of each other: each is its own deflate
// stream, ended by a full flush (an empty stored block, byte-aligned), so that the blocks put after
// one another are one deflate stream in one gzip member. Blocks can therefore be compressed by
// several threads and still give the same bytes. The price is a history that starts anew every 1
// MiB: about 1 % of the size. ISA-L's paths for SSE4.2, AVX2 and AVX-512 give the same bytes; its
// portable one, for older processors, gives others, which unpack to the same.
#include "formats/gzip.hpp"

#include <isa-l.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "formats/block_ring.hpp"

namespace slipway::formats {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;  // part of every layer's digest: never change
constexpr int kFastest = 3;                           // the highest level that is ISA-L's
constexpr std::string_view kHeader("\x1f\x8b\x08\0\0\0\0\0\0\xff",
                                   10);  // deflate, no name, no time, unknown system

std::string little_endian(std::uint32_t value) {
  std::string out;
  for (unsigned shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xFF);
  return out;
}

unsigned char* mutable_bytes_of(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

/// A block on its way: filled by the writer, compressed by a thread of the pool, written out by the writer again.
struct Block {
  std::string input;
  std::vector<unsigned char> packed;
  std::vector<unsigned char> level;
  std::size_t packed_size = 0;
  bool is_last = false;

  /// Makes deflate data of `input`: full-flushed, or ended when it is the last.
  void deflate(int how) {
    if (how > kFastest)
      deflate_small(how);
    else
      deflate_fast(how);
  }

 private:
  void deflate_small(int how) {
    struct Stream : z_stream {
      explicit Stream(int its_level) : z_stream{} {
        if (deflateInit2(this, its_level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
          fail(Fault::unavailable, "zlib cannot compress");
      }
      Stream(const Stream&) = delete;
      Stream& operator=(const Stream&) = delete;
      ~Stream() { deflateEnd(this); }
    } stream(how);
    std::size_t most = ::deflateBound(&stream, input.size()) + 64;
    if (packed.size() < most) packed.resize(most);
    stream.next_in = mutable_bytes_of(input);
    stream.avail_in = static_cast<uInt>(input.size());
    stream.next_out = packed.data();
    stream.avail_out = static_cast<uInt>(most);
    int code = ::deflate(&stream, is_last ? Z_FINISH : Z_FULL_FLUSH);
    if (code != (is_last ? Z_STREAM_END : Z_OK) || stream.avail_in != 0)
      fail(Fault::unavailable, "zlib cannot compress");
    packed_size = most - stream.avail_out;
  }

  void deflate_fast(int how) {
    // Zeroed first: the init function leaves fields as they were, the size of the window among them.
    isal_zstream stream{};
    isal_deflate_stateless_init(&stream);
    stream.hist_bits = ISAL_DEF_MAX_HIST_BITS;
    constexpr std::array<std::size_t, kFastest + 1> kMemory = {
        ISAL_DEF_LVL0_DEFAULT, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT, ISAL_DEF_LVL3_DEFAULT};
    level.resize(kMemory[static_cast<std::size_t>(how)]);
    stream.level = static_cast<std::uint32_t>(how);
    stream.level_buf = level.data();
    stream.level_buf_size = static_cast<std::uint32_t>(level.size());
    stream.gzip_flag = IGZIP_DEFLATE;
    stream.flush = FULL_FLUSH;
    stream.end_of_stream = is_last ? 1 : 0;
    std::size_t most = input.size() + input.size() / 8 + 1024;
    if (packed.size() < most) packed.resize(most);
    // Not all of `packed`: what fits decides where ISA-L stores instead of compressing.
    stream.next_in = mutable_bytes_of(input);
    stream.avail_in = static_cast<std::uint32_t>(input.size());
    stream.next_out = packed.data();
    stream.avail_out = static_cast<std::uint32_t>(most);
    if (isal_deflate_stateless(&stream) != COMP_OK)
      fail(Fault::unavailable, "ISA-L cannot compress");
    packed_size = most - stream.avail_out;
  }
};

}  // namespace

struct GzipWriter::State {
  Writer& next;
  int level;
  std::uint32_t crc = 0;
  std::uint32_t size = 0;  // modulo 2^32, as gzip has it
  bool has_header = false;
  BlockRing<Block> blocks;

  State(Writer& to, std::size_t threads, int how)
      : next(to),
        level(how),
        blocks(
            threads, [this](Block& block) { block.deflate(level); },
            [this](Block& block) { put(block); }) {}

  void put(Block& block) {
    if (!std::exchange(has_header, true)) next.write(kHeader);
    next.write({reinterpret_cast<const char*>(block.packed.data()), block.packed_size});
    block.input.clear();
  }
};

GzipWriter::GzipWriter(Writer& next, unsigned threads, int level)
    : state_(std::make_unique<State>(next, std::max(1U, threads), std::clamp(level, 0, 9))) {}

GzipWriter::~GzipWriter() = default;

void GzipWriter::write(std::string_view bytes) {
  State& state = *state_;
  state.crc = crc32_gzip_refl(state.crc, reinterpret_cast<const unsigned char*>(bytes.data()),
                              bytes.size());
  state.size += static_cast<std::uint32_t>(bytes.size());
  while (!bytes.empty()) {
    std::string& block = state.blocks.current().input;
    if (block.capacity() < kBlock) block.reserve(kBlock);
    std::size_t count = std::min(bytes.size(), kBlock - block.size());
    block.append(bytes.substr(0, count));
    bytes.remove_prefix(count);
    if (block.size() == kBlock) state.blocks.pass_on();
  }
}

void GzipWriter::finish() {
  state_->blocks.current().is_last = true;
  state_->blocks.finish();
  state_->next.write(little_endian(state_->crc) + little_endian(state_->size));
}

struct GzipReader::State {
  Reader& source;
  std::uint64_t left;
  inflate_state inflate{};
  isal_gzip_header header{};
  std::vector<char> input;
  bool is_in_member = false;
  bool is_at_end = false;  // of the source

  State(Reader& from, std::uint64_t most)
      : source(from), left(most), input(std::size_t{256} << 10) {}

  void refill() {
    if (inflate.avail_in > 0 || is_at_end) return;
    std::size_t count = source.read(input);
    inflate.next_in = reinterpret_cast<unsigned char*>(input.data());
    inflate.avail_in = static_cast<std::uint32_t>(count);
    is_at_end = count == 0;
  }
  /// False when nothing but zero padding follows.
  bool begin_member() {
    bool was_first = inflate.next_in == nullptr;
    refill();
    while (!was_first && inflate.avail_in > 0 && *inflate.next_in == 0) {
      ++inflate.next_in;
      --inflate.avail_in;
      refill();
    }
    if (inflate.avail_in == 0) {
      if (was_first) fail(Fault::bad_input, "the gzip data is empty");
      return false;
    }
    unsigned char* rest = inflate.next_in;
    std::uint32_t size = inflate.avail_in;
    isal_inflate_init(&inflate);
    inflate.crc_flag = ISAL_GZIP;
    inflate.next_in = rest;
    inflate.avail_in = size;
    isal_gzip_header_init(&header);
    return is_in_member = true;
  }
};

GzipReader::GzipReader(Reader& source, std::uint64_t most_bytes)
    : state_(std::make_unique<State>(source, most_bytes)) {
  isal_inflate_init(&state_->inflate);
  state_->inflate.next_in = nullptr;
  state_->inflate.avail_in = 0;
}

GzipReader::~GzipReader() = default;

std::size_t GzipReader::read(std::span<char> into) {
  State& state = *state_;
  inflate_state& inflate = state.inflate;
  for (;;) {
    if (!state.is_in_member && !state.begin_member()) return 0;
    state.refill();
    auto wanted =
        static_cast<std::uint32_t>(std::min<std::size_t>(into.size(), std::size_t{1} << 30));
    inflate.next_out = reinterpret_cast<unsigned char*>(into.data());
    inflate.avail_out = wanted;
    std::uint32_t before = inflate.avail_in;
    int code = isal_inflate(&inflate);
    if (code != ISAL_DECOMP_OK) fail(Fault::bad_input, "the gzip data is damaged (code {})", code);
    std::size_t count = wanted - inflate.avail_out;
    if (inflate.block_state == ISAL_BLOCK_FINISH) state.is_in_member = false;
    if (count > state.left)
      fail(Fault::bad_input, "the gzip data is larger than is allowed when unpacked");
    state.left -= count;
    if (count > 0) return count;
    if (state.is_in_member && state.is_at_end && inflate.avail_in == before)
      fail(Fault::bad_input, "the gzip data is cut short");
  }
}

std::string gzip(std::string_view bytes) {
  StringWriter out;
  GzipWriter writer(out);
  writer.write(bytes);
  writer.finish();
  return out.take();
}

std::string gunzip(std::string_view bytes, std::uint64_t most_bytes) {
  MemoryReader in(bytes);
  GzipReader reader(in, most_bytes);
  return read_all(reader, most_bytes);
}

bool looks_like_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

}  // namespace slipway::formats
