// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <stop_token>
#include <string_view>

#include "base/deadline.hpp"
#include "formats/io.hpp"
#include "net/http_client.hpp"
#include "net/stream.hpp"
#include "net/url.hpp"

namespace slipway::net {

/// Gives a file's bytes from the start, as often as needed.
class FileBodyReader final : public formats::Reader {
 public:
  explicit FileBodyReader(const FileBody& file) : file_(file) {}
  /// throws  Error{unavailable} when the file is shorter than it was said to be
  std::size_t read(std::span<char> into) override;
  void rewind();

 private:
  const FileBody& file_;
  std::uint64_t at_ = 0;
  std::uint64_t told_ = 0;
};

/// Sends a request with a file as its body over a connection without TLS: the kernel hands the file's pages on, nobody copies them.
/// Waits for the response, which may come before all is sent; the connection is of no further use.
///   throws  as HttpClient::request()
HttpResponse send_with_file(Stream& stream, const HttpRequest& request, const Url& url,
                            const Exchange& exchange, std::string_view user_agent,
                            const std::stop_token& stop, Deadline deadline);

}  // namespace slipway::net
