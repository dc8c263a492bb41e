// SPDX-License-Identifier: Apache-2.0
// The client's way down: manifests, then blobs, several at a time, unpacked while they come.
#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "oci/registry_client_state.hpp"

namespace slipway::oci {
namespace {

using Kind = TransferProgress::Kind;

constexpr std::uint64_t kProgressSpan = 4u << 20;
constexpr std::uint64_t kMostConfig = 16u << 20;

// Writes a blob into the store and says how far it is.
class Receiving final : public formats::Writer {
 public:
  Receiving(BlobWriter& blob, BlobProgress& growing, std::function<void(std::uint64_t)> progress)
      : blob_(blob), growing_(growing), progress_(std::move(progress)) {}
  void write(std::string_view bytes) override {
    blob_.write(bytes);
    growing_.add(bytes.size());
    if (blob_.size() - told_ >= kProgressSpan) progress_(told_ = blob_.size());
  }

 private:
  BlobWriter& blob_;
  BlobProgress& growing_;
  std::function<void(std::uint64_t)> progress_;
  std::uint64_t told_ = 0;
};

struct Wanted {
  Descriptor blob;
  std::optional<Digest> diff_id;  // set when it is to be unpacked
};

}  // namespace

/// One pull under way.
class RegistryClient::Pull final {
 public:
  Pull(RegistryClient& client, const Reference& image, BlobStore& store, const PullOptions& options,
       std::stop_token stop)
      : client_(client), image_(image), store_(store), options_(options), stop_(std::move(stop)) {}

  Descriptor run() {
    BlobStore::Lease lease = store_.lease();
    auto top = client_.manifest(image_, stop_);
    if (!top) fail(Fault::not_found, "no such image");
    take(top->descriptor, top->bytes, 0);
    fetch_all();
    for (const auto& [bytes, digest] : manifests_) keep(bytes, digest);  // after what they name
    keep(top->bytes, top->descriptor.digest);
    store_.set_tag(image_.str(), top->descriptor);
    if (options_.unpack_into) {
      for (const auto& [manifest, config] : images_)
        options_.unpack_into->unpack(manifest, config, store_, stop_);
    }
    return top->descriptor;
  }

 private:
  void take(const Descriptor& descriptor, const std::string& bytes, int depth) {
    auto document = parse_manifest_or_index(bytes, descriptor.media_type);
    if (const auto* manifest = std::get_if<Manifest>(&document)) return take_manifest(*manifest);
    const auto& index = std::get<Index>(document);
    if (depth > 2) fail(Fault::bad_input, "indexes within indexes within indexes");
    if (options_.all_platforms) {
      for (const Descriptor& entry : index.manifests) take_child(entry, depth);
      return;
    }
    const Descriptor* entry = select(index, options_.platform);
    if (!entry)
      fail(Fault::not_found, "there is no image for {} under this name", options_.platform.str());
    take_child(*entry, depth);
  }

  void take_child(const Descriptor& entry, int depth) {
    Reference child{image_.host, image_.repository, "", entry.digest};
    std::string bytes;
    if (store_.has(entry.digest)) {
      bytes = store_.read(entry.digest);
    } else {
      auto found = client_.manifest(child, stop_);
      if (!found)
        fail(Fault::not_found, "manifest {} of the index is missing in the registry", entry.digest);
      bytes = std::move(found->bytes);
    }
    if (bytes.size() != entry.size)
      fail(Fault::bad_input, "manifest {} has another size than its index says", entry.digest);
    take(entry, bytes, depth + 1);
    manifests_.emplace_back(std::move(bytes), entry.digest);
  }

  // Under the digest it was asked for by, whatever its algorithm.
  void keep(const std::string& bytes, const Digest& digest) {
    if (store_.has(digest)) return;
    BlobWriter blob = store_.begin(digest.algorithm());
    blob.write(bytes);
    blob.commit(digest);
  }

  void take_manifest(const Manifest& manifest) {
    bool is_image = manifest.config.media_type == media_type::kConfig ||
                    manifest.config.media_type == media_type::kDockerConfig;
    if (manifest.config.size > kMostConfig)
      fail(Fault::bad_input, "the configuration has {} bytes, too many", manifest.config.size);
    if (!is_here(manifest.config)) fetch({manifest.config, std::nullopt}, stop_);
    std::optional<ImageConfig> config;
    if (is_image) config = parse_image_config(store_.read(manifest.config.digest));
    if (config && config->diff_ids.size() != manifest.layers.size()) {
      fail(Fault::bad_input, "the image has {} layers but its configuration lists {}",
           manifest.layers.size(), config->diff_ids.size());
    }
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      const Descriptor& layer = manifest.layers[i];
      if (is_here(layer)) {
        tell(Kind::exists, layer, layer.size);
        continue;
      }
      if (!seen_.insert(layer.digest).second) continue;
      wanted_.push_back({layer, config && options_.unpack_into ? std::optional(config->diff_ids[i])
                                                               : std::nullopt});
    }
    if (config) images_.emplace_back(manifest, *config);
  }

  // throws Error{bad_input} when what is here is not as long as the descriptor says
  bool is_here(const Descriptor& blob) const {
    auto size = store_.size(blob.digest);
    if (size && *size != blob.size) {
      fail(Fault::bad_input, "blob {} has the size {}, not {} as its manifest says", blob.digest,
           *size, blob.size);
    }
    return size.has_value();
  }

  void fetch_all() {
    TaskGroup tasks(stop_);
    std::atomic<std::size_t> next = 0;
    for (std::size_t i = 0;
         i < std::min<std::size_t>(client_.state_->options.parallel, wanted_.size()); ++i) {
      tasks.start([&](const std::stop_token& stop) {
        for (std::size_t at = next++; at < wanted_.size(); at = next++) fetch(wanted_[at], stop);
      });
    }
    tasks.join();
    if (stop_.stop_requested()) throw Cancelled();
  }

  void fetch(const Wanted& wanted, const std::stop_token& stop) {
    BlobWriter blob = store_.begin(wanted.blob.digest.algorithm());
    BlobProgress growing(blob.fd());
    Receiving receiving(blob, growing,
                        [&](std::uint64_t bytes) { tell(Kind::progress, wanted.blob, bytes); });
    tell(Kind::started, wanted.blob, 0);
    TaskGroup unpacking(stop);
    if (wanted.diff_id) {
      unpacking.start([&](const std::stop_token& its_stop) {
        FollowingReader compressed(growing, its_stop);
        while_doing(fmt::format("unpacking layer {}", wanted.blob.digest.brief()), [&] {
          auto tar = decompress(compressed);
          options_.unpack_into->unpack_alone(*wanted.diff_id, *tar, its_stop);
        });
      });
    }
    try {
      client_.fetch_blob(image_, wanted.blob, receiving, unpacking.token());
    } catch (const Cancelled&) {  // perhaps because the unpacking failed: join() tells then
      growing.abandon();
      unpacking.stop();
      unpacking.join();
      throw;
    } catch (...) {
      growing.abandon();
      throw;
    }
    growing.finish(wanted.blob.digest);
    blob.commit(wanted.blob.digest);
    unpacking.join();
    tell(Kind::done, wanted.blob, wanted.blob.size);
  }

  void tell(Kind kind, const Descriptor& blob, std::uint64_t bytes) {
    if (!options_.progress) return;
    std::lock_guard one(client_.state_->progress);
    options_.progress({kind, blob.digest, bytes, blob.size});
  }

  RegistryClient& client_;
  const Reference& image_;
  BlobStore& store_;
  const PullOptions& options_;
  std::stop_token stop_;
  std::vector<std::pair<std::string, Digest>> manifests_;  // children before parents
  std::vector<std::pair<Manifest, ImageConfig>> images_;
  std::vector<Wanted> wanted_;
  std::set<Digest> seen_;
};

Descriptor RegistryClient::pull(const Reference& image, BlobStore& store,
                                const PullOptions& options, const std::stop_token& stop) {
  return while_doing(fmt::format("pulling {}", image.familiar()),
                     [&] { return Pull(*this, image, store, options, stop).run(); });
}

}  // namespace slipway::oci
