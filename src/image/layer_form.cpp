// SPDX-License-Identifier: Apache-2.0
#include "image/layer_form.hpp"

#include <algorithm>
#include <thread>

#include "base/error.hpp"
#include "formats/gzip.hpp"
#include "formats/sha256.hpp"
#include "formats/zstd.hpp"
#include "formats/zstd_chunked.hpp"
#include "image/layer.hpp"

namespace slipway::image {

LayerForm layer_form(const BuildRequest& request) {
  LayerForm form{.compression = request.compression, .level = request.compression_level};
  if (request.rewrite_timestamp) form.clamp_mtime = request.source_date_epoch;
  return form;
}

std::string_view plain_kind(Compression compression) {
  switch (compression) {
    case Compression::gzip:
      return "gzip";
    case Compression::zstd:
      return "zstd";
    case Compression::zstd_chunked:
      return "zstd:chunked";
    case Compression::none:
      return "tar";
  }
  return "";
}

namespace {

std::string_view media_type_of(Compression compression) {
  switch (compression) {
    case Compression::gzip:
      return oci::media_type::kLayerGzip;
    case Compression::zstd:
    case Compression::zstd_chunked:
      return oci::media_type::kLayerZstd;
    case Compression::none:
      return oci::media_type::kLayer;
  }
  return "";
}

}  // namespace

Compression compression_of(const oci::Descriptor& layer) {
  if (layer.media_type.ends_with("gzip")) return Compression::gzip;
  if (!layer.media_type.ends_with("zstd")) return Compression::none;
  return layer.annotations.contains(std::string(formats::kZstdChunkedChecksum))
             ? Compression::zstd_chunked
             : Compression::zstd;
}

std::string kind_of(const LayerForm& form) {
  std::string kind(plain_kind(form.compression));
  if (form.level && form.compression != Compression::none) kind += fmt::format("@{}", *form.level);
  return form.clamp_mtime ? fmt::format("{}-{}", kind, *form.clamp_mtime) : kind;
}

oci::Descriptor put_in_form(const LayerForm& form, oci::BlobStore& blobs,
                            const std::function<void(formats::Writer&)>& write,
                            const FollowBlob& follow) {
  oci::BlobWriter file = blobs.begin();
  std::shared_ptr<oci::BlobProgress> progress;
  std::optional<oci::ToldWriter> told;
  if (follow) {
    progress = follow(file.fd());
    told.emplace(file, progress);
  }
  formats::Writer& out = told ? static_cast<formats::Writer&>(*told) : file;
  oci::Descriptor made;
  unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1u, 16u);
  switch (form.compression) {
    case Compression::gzip: {
      formats::GzipWriter gzip(out, threads, form.level.value_or(formats::GzipWriter::kUsualLevel));
      write(gzip);
      gzip.finish();
      break;
    }
    case Compression::zstd: {
      formats::ZstdWriter zstd(out, threads, form.level.value_or(formats::ZstdWriter::kUsualLevel));
      write(zstd);
      zstd.finish();
      break;
    }
    case Compression::zstd_chunked: {
      formats::ZstdChunkedWriter zstd(out, threads,
                                      form.level.value_or(formats::ZstdChunkedWriter::kUsualLevel));
      write(zstd);
      made.annotations = zstd.finish();
      break;
    }
    case Compression::none:
      write(out);
  }
  made.media_type = media_type_of(form.compression);
  made.size = file.size();
  if (progress) progress->finish(file.digest());
  made.digest = file.commit();
  return made;
}

LayerBlob put_files_in_form(const LayerForm& form, oci::BlobStore& blobs, const Entries& entries,
                            const std::stop_token& stop, const FollowBlob& follow) {
  LayerBlob made;
  made.blob = put_in_form(
      form, blobs,
      [&](formats::Writer& next) {
        formats::HashingWriter hashed(next);
        write_tar(entries, hashed, form.clamp_mtime, stop);
        made.diff_id = oci::Digest::from_sha256_hex(hashed.hex());
      },
      follow);
  return made;
}

oci::Descriptor in_form(const oci::Descriptor& layer, const oci::Digest& diff_id,
                        const LayerForm& form, const LayerStore& store, oci::BlobStore& blobs,
                        const std::stop_token& stop) {
  bool is_it = compression_of(layer) == form.compression &&
               layer.media_type == media_type_of(form.compression) && !form.level;
  if (is_it || oci::is_foreign_layer_type(layer.media_type)) return layer;
  std::string kind = kind_of({.compression = form.compression, .level = form.level});
  const std::string id(layer.digest.hex());
  if (auto known = store.find_blob(id, kind); known && blobs.has(known->blob.digest))
    return known->blob;
  auto tar = oci::open_layer(blobs, layer.digest);
  LayerBlob made{.diff_id = diff_id, .blob = {}};
  made.blob = put_in_form(form, blobs, [&](formats::Writer& next) {
    std::string buffer(std::size_t{1} << 18, '\0');
    while (std::size_t count = tar->read(buffer)) {
      if (stop.stop_requested()) throw Cancelled();
      next.write(std::string_view(buffer).substr(0, count));
    }
  });
  store.keep_blob(id, kind, made);
  return made.blob;
}

}  // namespace slipway::image
