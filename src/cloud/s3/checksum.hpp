// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace slipway::cloud::s3 {

/// One of the checksums that S3's clients send with a body.
///   source  S3 user guide, "Checking object integrity for data uploads": CRC32, CRC32C, CRC64NVME, SHA1, SHA256
class Checksum {
 public:
  Checksum() = default;
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;
  virtual ~Checksum() = default;
  virtual void update(std::string_view bytes) = 0;
  /// The sum in base64, as headers have it. Once.
  virtual std::string base64() = 0;
};

/// By its header's name, "x-amz-checksum-crc32"; nothing when there is none of this name.
std::unique_ptr<Checksum> make_checksum(std::string_view header);

}  // namespace slipway::cloud::s3
