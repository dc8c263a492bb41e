// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/s3/door.hpp"
#include "formats/sha256.hpp"

namespace slipway::cloud::s3 {
namespace {

constexpr std::size_t kLongestLine = 4096;

class Chunked final : public formats::Reader {
 public:
  Chunked(formats::Reader& body, ChunkSignatures* signatures,
          std::map<std::string, std::string>* trailers)
      : body_(body), signatures_(signatures), trailers_(trailers) {}

  std::size_t read(std::span<char> into) override {
    if (has_ended_) return 0;
    if (left_ == 0 && !next_chunk()) return 0;
    std::size_t got = take(into.first(std::min<std::uint64_t>(into.size(), left_)));
    if (got == 0) fail(Fault::bad_input, "the body ends within a chunk");
    left_ -= got;
    if (signatures_ != nullptr) hash_.update({into.data(), got});
    if (left_ == 0) {
      if (!line().empty()) fail(Fault::bad_input, "a chunk has no end");
      check_chunk();
    }
    return got;
  }

 private:
  // True when a chunk with bytes begins.
  bool next_chunk() {
    std::string head = line();
    constexpr std::string_view kSignature = ";chunk-signature=";
    auto mark = head.find(kSignature);
    signature_ = mark == std::string::npos ? "" : head.substr(mark + kSignature.size());
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
    check_chunk();
    read_trailers();
    return false;
  }

  void check_chunk() {
    if (signatures_ == nullptr) return;
    bool holds = signatures_->holds_chunk(signature_, hash_.hex());
    hash_ = formats::Sha256();
    if (!holds) refuse_signature();
  }

  [[noreturn]] static void refuse_signature() {
    throw Refusal("SignatureDoesNotMatch",
                  "The request signature we calculated does not match the signature you provided. "
                  "Check your key and signing method.",
                  403);
  }

  // "name:value" lines up to an empty one, or the body's end.
  void read_trailers() {
    std::string signed_text;
    std::string signature;
    for (std::string text = last_line(); !text.empty(); text = last_line()) {
      auto colon = text.find(':');
      if (colon == std::string::npos) fail(Fault::bad_input, "a trailer has no ':'");
      std::string name = to_lower(trim(text.substr(0, colon)));
      std::string value(trim(std::string_view(text).substr(colon + 1)));
      if (name == "x-amz-trailer-signature") {
        signature = value;
        continue;
      }
      signed_text += name + ":" + value + "\n";
      if (trailers_ != nullptr) (*trailers_)[name] = value;
    }
    bool has_any = !signed_text.empty() || !signature.empty();
    if (signatures_ != nullptr && has_any && !signatures_->holds_trailers(signature, signed_text))
      refuse_signature();
  }

  std::string last_line() {
    char first = 0;
    if (take({&first, 1}) == 0) return "";
    --at_;
    return line();
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
  ChunkSignatures* signatures_;
  std::map<std::string, std::string>* trailers_;
  std::string signature_;  // of the chunk that is read
  formats::Sha256 hash_;   // of it
  std::string buffer_;
  std::size_t at_ = 0;
  std::uint64_t left_ = 0;
  bool has_ended_ = false;
};

}  // namespace

std::unique_ptr<formats::Reader> chunked_body(formats::Reader& body, ChunkSignatures* signatures,
                                              std::map<std::string, std::string>* trailers) {
  return std::make_unique<Chunked>(body, signatures, trailers);
}

}  // namespace slipway::cloud::s3
