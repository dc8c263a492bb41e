// SPDX-License-Identifier: Apache-2.0
#include "formats/zstd.hpp"

#include <zstd.h>

#include <algorithm>
#include <vector>

#include "base/error.hpp"

namespace slipway::formats {
namespace {

std::size_t checked(std::size_t code, Fault fault, std::string_view what) {
  if (ZSTD_isError(code) != 0) fail(fault, "{}: {}", what, ZSTD_getErrorName(code));
  return code;
}

}  // namespace

struct ZstdWriter::State {
  Writer& next;
  std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context{ZSTD_createCCtx(),
                                                                  &ZSTD_freeCCtx};
  std::vector<char> out = std::vector<char>(ZSTD_CStreamOutSize());

  void push(std::string_view bytes, ZSTD_EndDirective how) {
    ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      std::size_t rest = checked(ZSTD_compressStream2(context.get(), &output, &input, how),
                                 Fault::unavailable, "zstd");
      next.write({out.data(), output.pos});
      if (how == ZSTD_e_continue ? input.pos == input.size : rest == 0) return;
    }
  }
};

ZstdWriter::ZstdWriter(Writer& next, unsigned threads, int level) : state_(new State{next}) {
  auto set = [&](ZSTD_cParameter parameter, int value) {
    checked(ZSTD_CCtx_setParameter(state_->context.get(), parameter, value), Fault::unavailable,
            "zstd");
  };
  set(ZSTD_c_compressionLevel, std::clamp(level, 1, ZSTD_maxCLevel()));
  set(ZSTD_c_nbWorkers, static_cast<int>(threads));
}

ZstdWriter::~ZstdWriter() = default;

void ZstdWriter::write(std::string_view bytes) {
  if (!bytes.empty()) state_->push(bytes, ZSTD_e_continue);
}

void ZstdWriter::finish() { state_->push({}, ZSTD_e_end); }

struct ZstdReader::State {
  Reader& source;
  std::uint64_t left;
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context{ZSTD_createDCtx(),
                                                                  &ZSTD_freeDCtx};
  std::vector<char> data = std::vector<char>(ZSTD_DStreamInSize());
  ZSTD_inBuffer input{nullptr, 0, 0};
  std::size_t wanted = 1;  // 0: between frames
  bool has_begun = false;
};

ZstdReader::ZstdReader(Reader& source, std::uint64_t most_bytes)
    : state_(new State{source, most_bytes}) {}

ZstdReader::~ZstdReader() = default;

std::size_t ZstdReader::read(std::span<char> into) {
  State& state = *state_;
  for (;;) {
    bool is_at_end = false;
    if (state.input.pos == state.input.size) {
      std::size_t count = state.source.read(state.data);
      state.input = {state.data.data(), count, 0};
      is_at_end = count == 0;
      if (is_at_end && state.has_begun && state.wanted == 0) return 0;
    }
    ZSTD_outBuffer output{into.data(), into.size(), 0};
    state.wanted = checked(ZSTD_decompressStream(state.context.get(), &output, &state.input),
                           Fault::bad_input, "the zstd data is damaged");
    state.has_begun = true;
    if (output.pos > state.left)
      fail(Fault::bad_input, "the zstd data is larger than is allowed when unpacked");
    state.left -= output.pos;
    if (output.pos > 0) return output.pos;
    if (is_at_end) fail(Fault::bad_input, "the zstd data is cut short");
  }
}

bool looks_like_zstd(std::string_view bytes) { return bytes.starts_with("\x28\xb5\x2f\xfd"); }

}  // namespace slipway::formats
