// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <curl/curl.h>

#include "base/library.hpp"

namespace slipway::net {

/// What we call of libcurl, by its names without "curl_". It is loaded with the first client: it brings thirty libraries along.
struct Curl {
  Library library{"libcurl.so.4"};
#define SLIPWAY_CURL(name) \
  decltype(&::curl_##name) name = library.find<decltype(&::curl_##name)>("curl_" #name)
  SLIPWAY_CURL(easy_cleanup);
  SLIPWAY_CURL(easy_getinfo);
  SLIPWAY_CURL(easy_init);
  SLIPWAY_CURL(easy_perform);
  SLIPWAY_CURL(easy_recv);
  SLIPWAY_CURL(easy_reset);
  SLIPWAY_CURL(easy_send);
  SLIPWAY_CURL(easy_setopt);
  SLIPWAY_CURL(easy_strerror);
  SLIPWAY_CURL(global_init);
  SLIPWAY_CURL(multi_add_handle);
  SLIPWAY_CURL(multi_cleanup);
  SLIPWAY_CURL(multi_info_read);
  SLIPWAY_CURL(multi_init);
  SLIPWAY_CURL(multi_perform);
  SLIPWAY_CURL(multi_poll);
  SLIPWAY_CURL(multi_remove_handle);
  SLIPWAY_CURL(multi_strerror);
  SLIPWAY_CURL(multi_wakeup);
  SLIPWAY_CURL(slist_append);
  SLIPWAY_CURL(slist_free_all);
#undef SLIPWAY_CURL
};

/// throws Error{unavailable} where libcurl is not installed
inline const Curl& curl() {
  static const Curl kLoaded;
  return kLoaded;
}

}  // namespace slipway::net
