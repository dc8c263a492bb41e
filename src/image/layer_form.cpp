// SPDX-License-Identifier: Apache-2.0
#include "image/layer_form.hpp"

#include <algorithm>
#include <thread>

#include "base/error.hpp"
#include "formats/gzip.hpp"
#include "formats/zstd.hpp"

namespace slipway::image {

LayerForm layer_form(const BuildRequest& request) {
  LayerForm form{.compression = request.compression, .level = request.compression_level};
  if (request.rewrite_timestamp) form.clamp_mtime = request.source_date_epoch;
  return form;
}

std::string kind_of(const LayerForm& form) {
  std::string kind = form.compression == Compression::gzip   ? "gzip"
                     : form.compression == Compression::zstd ? "zstd"
                                                             : "tar";
  if (form.level && form.compression != Compression::none) kind += fmt::format("@{}", *form.level);
  return form.clamp_mtime ? fmt::format("{}-{}", kind, *form.clamp_mtime) : kind;
}

std::string write_in_form(const LayerForm& form, formats::Writer& out,
                          const std::function<void(formats::Writer&)>& write) {
  unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1u, 16u);
  if (form.compression == Compression::gzip) {
    formats::GzipWriter gzip(out, threads, form.level.value_or(formats::GzipWriter::kUsualLevel));
    write(gzip);
    gzip.finish();
    return std::string(oci::media_type::kLayerGzip);
  }
  if (form.compression == Compression::zstd) {
    formats::ZstdWriter zstd(out, threads, form.level.value_or(formats::ZstdWriter::kUsualLevel));
    write(zstd);
    zstd.finish();
    return std::string(oci::media_type::kLayerZstd);
  }
  write(out);
  return std::string(oci::media_type::kLayer);
}

oci::Descriptor in_form(const oci::Descriptor& layer, const oci::Digest& diff_id,
                        const LayerForm& form, const LayerStore& store, oci::BlobStore& blobs,
                        const std::stop_token& stop) {
  std::string_view wanted = form.compression == Compression::gzip   ? oci::media_type::kLayerGzip
                            : form.compression == Compression::zstd ? oci::media_type::kLayerZstd
                                                                    : oci::media_type::kLayer;
  bool is_it = layer.media_type == wanted && !form.level;
  if (is_it || oci::is_foreign_layer_type(layer.media_type)) return layer;
  std::string kind = kind_of({.compression = form.compression, .level = form.level});
  const std::string id(layer.digest.hex());
  if (auto known = store.find_blob(id, kind); known && blobs.has(known->blob.digest))
    return known->blob;
  auto tar = oci::open_layer(blobs, layer.digest);
  oci::BlobWriter blob = blobs.begin();
  LayerBlob made{.diff_id = diff_id, .blob = {}};
  made.blob.media_type = write_in_form(form, blob, [&](formats::Writer& next) {
    std::string buffer(std::size_t{1} << 18, '\0');
    while (std::size_t count = tar->read(buffer)) {
      if (stop.stop_requested()) throw Cancelled();
      next.write(std::string_view(buffer).substr(0, count));
    }
  });
  made.blob.size = blob.size();
  made.blob.digest = blob.commit();
  store.keep_blob(id, kind, made);
  return made.blob;
}

}  // namespace slipway::image
