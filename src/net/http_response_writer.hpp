// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>

#include "net/http_server.hpp"
#include "net/stream.hpp"

namespace slipway::net {

/// Writes one response onto a stream: whole, from a file, or streamed with a known length, chunked,
/// or (for HTTP/1.0) ended by the connection's end.
class StreamResponseWriter final : public ResponseWriter {
 public:
  struct Request {
    bool is_head = false;
    bool is_http_10 = false;
    bool keep_alive = true;  ///< as the client wants it
  };
  StreamResponseWriter(Stream& stream, Request request, std::string server_name);

  void send(const HttpResponse& response) override;
  void send_file(int status, const Headers& headers, const os::Fd& file, std::uint64_t offset,
                 std::uint64_t length) override;
  formats::Writer& start(int status, const Headers& headers,
                         std::optional<std::uint64_t> length) override;
  void end() override;
  Stream& switch_protocol(const Headers& headers) override;
  [[nodiscard]] bool has_started() const override { return has_started_; }

  /// The connection must close after this response.
  void close_after() { keep_alive_ = false; }
  /// True when the response is whole and the connection may go on.
  [[nodiscard]] bool may_continue() const { return is_done_ && keep_alive_; }
  [[nodiscard]] bool is_done() const { return is_done_; }
  [[nodiscard]] int status() const { return status_; }

 private:
  class Body final : public formats::Writer {
   public:
    explicit Body(StreamResponseWriter& owner) : owner_(owner) {}
    void write(std::string_view bytes) override { owner_.write_body(bytes); }

   private:
    StreamResponseWriter& owner_;
  };

  std::string head(int status, const Headers& headers, std::optional<std::uint64_t> length);
  void write_body(std::string_view bytes);

  Stream& stream_;
  Request request_;
  std::string server_name_;
  Body body_{*this};
  int status_ = 0;
  bool keep_alive_;
  bool has_started_ = false;
  bool is_done_ = false;
  bool is_chunked_ = false;
  bool has_body_ = true;               ///< this response may carry one
  std::optional<std::uint64_t> left_;  ///< of a known length
};

}  // namespace slipway::net
