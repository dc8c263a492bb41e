// SPDX-License-Identifier: Apache-2.0
#include "oci/pull_through.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "base/error.hpp"
#include "oci/reference.hpp"
#include "os/file.hpp"

namespace slipway::oci {

void PullThrough::bring_manifest(std::string_view repository, std::string_view tag_or_digest,
                                 const std::stop_token& stop, std::string_view remote) {
  auto digest = Digest::try_parse(tag_or_digest);
  auto here = store_.manifest(repository, tag_or_digest);
  if (digest && here) return;
  Reference image{upstream_, std::string(remote.empty() ? repository : remote),
                  digest ? "" : std::string(tag_or_digest), digest};
  try {
    if (here) {
      auto now = client_.resolve(image, stop);
      if (!now || now->digest == here->digest) return;
    }
    auto found = client_.manifest(image, stop);
    if (!found) return;
    store_.create_repository(repository);
    store_.put_manifest({.repository = std::string(repository),
                         .tag = digest ? "" : std::string(tag_or_digest),
                         .digest = digest,
                         .media_type = found->descriptor.media_type,
                         .bytes = found->bytes,
                         .check_children = false});
  } catch (const Error& error) {
    log_.warn("registry: {} of {}: {}", image, upstream_, error.what());
    if (!here && error.fault() != Fault::not_found) throw;
  }
}

void PullThrough::bring_blob(std::string_view repository, const Digest& digest,
                             const std::stop_token& stop, std::string_view remote) {
  if (store_.blob_size(repository, digest)) return;
  Reference place{upstream_, std::string(remote.empty() ? repository : remote), "", std::nullopt};
  auto size = client_.blob_size(place, digest, stop);
  if (!size) return;
  os::Fd file(::open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file.is_open()) os::throw_errno("a temporary file in /var/tmp");
  formats::FdWriter writer(file.get());
  client_.fetch_blob(place,
                     {.media_type = "application/octet-stream", .digest = digest, .size = *size},
                     writer, stop);
  if (::lseek(file.get(), 0, SEEK_SET) != 0) os::throw_errno("lseek");
  formats::FdReader reader(file.get());
  store_.create_repository(repository);
  auto id = store_.begin_upload(repository);
  store_.append_upload(repository, id, reader);
  store_.finish_upload(repository, id, digest);
}

}  // namespace slipway::oci
