// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/s3/door.hpp"

namespace slipway::cloud::s3 {
namespace {

constexpr std::size_t kLongestLine = 4096;

class Chunked final : public formats::Reader {
 public:
  explicit Chunked(formats::Reader& body) : body_(body) {}

  std::size_t read(std::span<char> into) override {
    if (has_ended_) return 0;
    if (left_ == 0 && !next_chunk()) return 0;
    std::size_t got = take(into.first(std::min<std::uint64_t>(into.size(), left_)));
    if (got == 0) fail(Fault::bad_input, "the body ends within a chunk");
    left_ -= got;
    if (left_ == 0 && !line().empty()) fail(Fault::bad_input, "a chunk has no end");
    return got;
  }

 private:
  // True when a chunk with bytes begins.
  bool next_chunk() {
    std::string head = line();
    head = head.substr(0, head.find(';'));
    std::uint64_t size = 0;
    if (head.empty() || head.size() > 15) fail(Fault::bad_input, "a chunk has no size");
    for (char c : head) {
      int digit = c >= '0' && c <= '9'   ? c - '0'
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                         : -1;
      if (digit < 0) fail(Fault::bad_input, "a chunk's size is no number");
      size = size * 16 + static_cast<std::uint64_t>(digit);
    }
    left_ = size;
    if (size > 0) return true;
    has_ended_ = true;
    std::string rest(512, '\0');
    while (take(rest) > 0) {  // the trailers: checksums that TCP and the signature make needless
    }
    return false;
  }

  std::string line() {
    std::string text;
    for (char c = 0; text.size() < kLongestLine;) {
      if (take({&c, 1}) == 0) fail(Fault::bad_input, "the body ends within a chunk's head");
      if (c == '\n') {
        if (!text.empty() && text.back() == '\r') text.pop_back();
        return text;
      }
      text += c;
    }
    fail(Fault::bad_input, "a chunk's head is too long");
  }

  std::size_t take(std::span<char> into) {
    if (at_ == buffer_.size()) {
      buffer_.resize(64u << 10);
      buffer_.resize(body_.read(buffer_));
      at_ = 0;
    }
    std::size_t got = std::min(into.size(), buffer_.size() - at_);
    std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(at_), got, into.begin());
    at_ += got;
    return got;
  }

  formats::Reader& body_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::uint64_t left_ = 0;
  bool has_ended_ = false;
};

}  // namespace

std::unique_ptr<formats::Reader> chunked_body(formats::Reader& body) {
  return std::make_unique<Chunked>(body);
}

}  // namespace slipway::cloud::s3
