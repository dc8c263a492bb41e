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
#include <deque>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/task_group.hpp"

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

/// A block on its way: filled by the writer, compressed by a thread of the pool, written out by the writer again. Its memory is used
/// for one block after the other: fresh pages cost more than the compression of well-compressible data.
struct Block {
  std::string input;
  std::vector<unsigned char> packed;
  std::vector<unsigned char> level;
  std::size_t packed_size = 0;
  bool is_done = false;  // guarded by the writer's queue

  /// Makes deflate data of `input`: full-flushed, or ended when it is the last.
  void deflate(bool is_last, int how) {
    if (how > kFastest)
      deflate_small(is_last, how);
    else
      deflate_fast(is_last, how);
  }

 private:
  void deflate_small(bool is_last, int how) {
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

  void deflate_fast(bool is_last, int how) {
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

// The blocks go around: `oldest` is the next to be written, `filling` the one that takes bytes; those between are being compressed.
struct GzipWriter::State {
  Writer& next;
  std::size_t threads;
  int level;
  std::vector<Block> blocks;
  std::size_t filling = 0;
  std::size_t oldest = 0;
  std::size_t on_their_way = 0;  // in the pool, or done and not written
  std::uint32_t crc = 0;
  std::uint32_t size = 0;  // modulo 2^32, as gzip has it
  bool has_header = false;
  Guarded<std::deque<Block*>> waiting;  // to be compressed
  std::optional<TaskGroup> pool;        // last: its threads use what is above

  State(Writer& to, std::size_t count, int how)
      : next(to), threads(count), level(how), blocks(count + 2) {}

  Block& current() { return blocks[filling]; }

  void work(const std::stop_token& stop) {
    for (;;) {
      Block* block = nullptr;
      bool met = waiting.wait(
          stop, Deadline::never(), [](const auto& queue) { return !queue.empty(); },
          [&](auto& queue) {
            block = queue.front();
            queue.pop_front();
          });
      if (!met) return;
      block->deflate(false, level);
      waiting.with([&](auto&) { block->is_done = true; });
    }
  }

  /// The full block goes to the pool, which starts with the first one; waits when all blocks are on their way.
  void pass_on() {
    if (!pool) {
      pool.emplace(std::stop_token{});
      for (std::size_t i = 0; i < threads; ++i)
        pool->start([this](const std::stop_token& stop) { work(stop); });
    }
    waiting.with([&](auto& queue) { queue.push_back(&current()); });
    filling = (filling + 1) % blocks.size();
    ++on_their_way;
    while (on_their_way > 0 && (on_their_way == blocks.size() || is_done(blocks[oldest])))
      write_oldest();
  }

  bool is_done(const Block& block) {
    return waiting.read([&](const auto&) { return block.is_done; });
  }

  void write_oldest() {
    Block& block = blocks[oldest];
    waiting.wait(
        pool->token(), Deadline::never(), [&](const auto&) { return block.is_done; }, [](auto&) {});
    if (pool->token().stop_requested()) pool->join();  // throws what stopped it
    put(block);
    oldest = (oldest + 1) % blocks.size();
    --on_their_way;
  }

  void put(Block& block) {
    if (!std::exchange(has_header, true)) next.write(kHeader);
    next.write({reinterpret_cast<const char*>(block.packed.data()), block.packed_size});
    block.input.clear();
    block.is_done = false;
  }

  void finish() {
    // The pool is busy with the blocks before the last meanwhile.
    current().deflate(true, level);
    while (on_their_way > 0) write_oldest();
    put(current());
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
    std::string& block = state.current().input;
    if (block.capacity() < kBlock) block.reserve(kBlock);
    std::size_t count = std::min(bytes.size(), kBlock - block.size());
    block.append(bytes.substr(0, count));
    bytes.remove_prefix(count);
    if (block.size() < kBlock) continue;
    if (state.threads == 1) {
      state.current().deflate(false, state.level);
      state.put(state.current());
    } else {
      state.pass_on();
    }
  }
}

void GzipWriter::finish() {
  state_->finish();
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
