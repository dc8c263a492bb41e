// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "formats/gzip.hpp"
#include "formats/zstd.hpp"
#include "oci/blob_store.hpp"

namespace slipway::oci {
namespace {

constexpr std::size_t kMagicBytes = 4;

// Gives the bytes that were looked at again, then the rest.
class PeekedReader final : public formats::Reader {
 public:
  explicit PeekedReader(formats::Reader& source) : source_(source) {
    std::array<char, kMagicBytes> begin{};
    std::size_t count = formats::read_fully(source_, begin);
    begin_.assign(begin.data(), count);
  }
  [[nodiscard]] std::string_view begin() const { return begin_; }
  std::size_t read(std::span<char> into) override {
    if (at_ == begin_.size()) return source_.read(into);
    std::size_t count = std::min(into.size(), begin_.size() - at_);
    std::copy_n(begin_.data() + at_, count, into.data());
    at_ += count;
    return count;
  }

 private:
  formats::Reader& source_;
  std::string begin_;
  std::size_t at_ = 0;
};

class Decompressed final : public formats::Reader {
 public:
  explicit Decompressed(formats::Reader& source) : peeked_(source) {
    if (formats::looks_like_gzip(peeked_.begin())) {
      inner_ = std::make_unique<formats::GzipReader>(peeked_);
    } else if (formats::looks_like_zstd(peeked_.begin())) {
      inner_ = std::make_unique<formats::ZstdReader>(peeked_);
    }
  }
  std::size_t read(std::span<char> into) override {
    return inner_ ? inner_->read(into) : peeked_.read(into);
  }

 private:
  PeekedReader peeked_;
  std::unique_ptr<formats::Reader> inner_;
};

class LayerFile final : public formats::Reader {
 public:
  explicit LayerFile(os::Fd file) : file_(std::move(file)), raw_(file_.get()), content_(raw_) {}
  std::size_t read(std::span<char> into) override { return content_.read(into); }

 private:
  os::Fd file_;
  formats::FdReader raw_;
  Decompressed content_;
};

std::string platforms_of(const Index& index) {
  std::string text;
  for (const Descriptor& entry : index.manifests) {
    if (entry.platform) text += (text.empty() ? "" : ", ") + entry.platform->str();
  }
  return text.empty() ? "none" : text;
}

}  // namespace

std::unique_ptr<formats::Reader> decompress(formats::Reader& source) {
  return std::make_unique<Decompressed>(source);
}

std::unique_ptr<formats::Reader> open_layer(const BlobStore& store, const Digest& digest) {
  return std::make_unique<LayerFile>(store.open(digest));
}

std::optional<StoredImage> find_image(const BlobStore& store, std::string_view name_or_digest,
                                      const Platform& platform) {
  auto descriptor = store.resolve(name_or_digest);
  for (int depth = 0; descriptor && depth < 4; ++depth) {
    if (!store.has(descriptor->digest)) return std::nullopt;
    auto document = parse_manifest_or_index(store.read(descriptor->digest), descriptor->media_type);
    if (const auto* index = std::get_if<Index>(&document)) {
      const Descriptor* entry = select(*index, platform);
      if (!entry) {
        fail(Fault::not_found, "'{}' has no image for {} (it has: {})", name_or_digest,
             platform.str(), platforms_of(*index));
      }
      descriptor = *entry;
      continue;
    }
    StoredImage image{*descriptor, std::get<Manifest>(document), {}};
    if (!store.has(image.manifest.config.digest)) return std::nullopt;
    image.config = while_doing(fmt::format("configuration of '{}'", name_or_digest), [&] {
      return parse_image_config(store.read(image.manifest.config.digest));
    });
    return image;
  }
  return std::nullopt;
}

}  // namespace slipway::oci
