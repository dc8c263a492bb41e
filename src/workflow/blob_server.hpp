// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "base/guarded.hpp"
#include "net/http_server.hpp"

namespace slipway::workflow {

/// Files behind signed URLs, spoken to as Azure's block blobs are: what artifact and cache clients upload to and download from. A URL
/// is worth something until this object's end or revoke().
///   threads  any
///   source   learn.microsoft.com, "Put Blob", "Put Block", "Put Block List", "Get Blob"
class BlobServer final {
 public:
  /// `base`  "http://10.213.4.1:4321", whose paths below kBlobPath are handed to answer()
  explicit BlobServer(std::string base) : base_(std::move(base)) {}

  /// A place where one blob may be put: its file is `directory`/blob once it is complete.
  std::string upload_url(const std::filesystem::path& directory);
  /// A file to be got, whole or by ranges.
  ///   name  for Content-Disposition
  std::string download_url(const std::filesystem::path& file, const std::string& name,
                           const std::string& type);
  void revoke(const std::string& url);
  /// Answers what is asked of a path below kBlobPath.
  void answer(net::ServerRequest& request, net::ResponseWriter& response);

  static constexpr std::string_view kBlobPath = "/blobs/";

 private:
  struct Place {
    std::filesystem::path path;  // of the directory to put into, or of the file to get
    bool is_upload = false;
    std::string name;
    std::string type;
  };
  std::string offer(Place place);
  static void put(const Place& place, net::ServerRequest& request, net::ResponseWriter& response);
  static void get(const Place& place, net::ServerRequest& request, net::ResponseWriter& response);

  std::string base_;
  Guarded<std::map<std::string, Place>> places_;  // by signature
};

/// The bytes that a Range header asks for of a file; nothing: all of it.
struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t length = 0;
  bool operator==(const ByteRange&) const = default;
};
/// "bytes=0-99", "bytes=100-", "bytes=-5". Nothing when it asks for none of the file's bytes or is no single range.
std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t size);

}  // namespace slipway::workflow
