// SPDX-License-Identifier: Apache-2.0
#include "formats/unfilter.hpp"

#include "base/error.hpp"
#include "formats/archive_library.hpp"

namespace slipway::formats {

struct UnfilterReader::State {
  explicit State(const std::string& file) : path(file) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { archives().read_free(in); }
  [[noreturn]] void broken() const {
    const char* text = archives().error_string(in);
    fail(Fault::bad_input, "cannot unpack '{}': {}", path, text ? text : "unknown format");
  }
  std::string path;
  archive* in = archives().read_new();
};

UnfilterReader::UnfilterReader(const std::string& path) : state_(std::make_unique<State>(path)) {
  archives().read_support_filter_all(state_->in);
  archives().read_support_format_raw(state_->in);
  archive_entry* entry = nullptr;
  if (archives().read_open_filename(state_->in, path.c_str(), 65536) != ARCHIVE_OK ||
      archives().read_next_header(state_->in, &entry) != ARCHIVE_OK) {
    state_->broken();
  }
}

UnfilterReader::~UnfilterReader() = default;

std::size_t UnfilterReader::read(std::span<char> into) {
  auto got = archives().read_data(state_->in, into.data(), into.size());
  if (got < 0) state_->broken();
  return static_cast<std::size_t>(got);
}

}  // namespace slipway::formats
