// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>

#include "base/log.hpp"
#include "net/http_server.hpp"
#include "net/stream.hpp"

namespace slipway::net {

/// What http_server.cpp hands to a connection; all of it outlives the connection.
struct ConnectionContext {
  const HttpHandler& handler;
  const HttpServerOptions& options;
  Log& log;
  std::string listener;
  bool is_tls = false;
  std::string peer;
  std::stop_token give_up;  ///< cut everything
  int drain_fd = -1;        ///< readable once no further request shall be begun
  /// Since when the connection waits for a request to be there (steady milliseconds); kBusy while it serves one. The
  /// connection that has waited longest is closed when there are too many.
  std::atomic<std::int64_t>& waiting_since;
  static constexpr std::int64_t kBusy = INT64_MAX;
  void wait_begins() const;
};

/// Serves one connection's requests one after the other until either side has enough. Never throws
/// for what the peer does.
void serve_connection(Stream& stream, const ConnectionContext& context);

/// Reads and drops what the peer still sends, for at most `span`: closing with unread bytes would
/// reset the connection and take the response that is on its way with it.
void linger(Stream& stream, std::chrono::milliseconds span);

}  // namespace slipway::net
