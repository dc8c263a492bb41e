// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aws/credentials.hpp"

namespace slipway::aws {

/// The parts of a request that a signature covers.
struct SignableRequest {
  std::string method;  ///< "POST"
  std::string path;    ///< percent-encoded as it is sent; empty is "/"
  std::string query;   ///< percent-encoded as it is sent, without "?"
  /// Headers to sign besides x-amz-date and x-amz-security-token; must hold "host".
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// The headers that make the request a signed one: Authorization, X-Amz-Date, and X-Amz-Security-Token for temporary keys.
///   service      the signing name: "ecs", "sts", "elasticloadbalancing"
///   epoch        seconds since 1970, UTC; AWS allows 5 minutes either way
///   double_encode_path  true for every service but S3
///   source       AWS, "Create a signed AWS API request" (Signature Version 4)
std::vector<std::pair<std::string, std::string>> sign(const SignableRequest& request,
                                                      const Credentials& credentials,
                                                      const std::string& region,
                                                      const std::string& service, long long epoch,
                                                      bool double_encode_path = true);

}  // namespace slipway::aws
