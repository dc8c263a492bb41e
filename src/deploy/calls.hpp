// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stop_token>
#include <string>

#include "aws/client.hpp"
#include "formats/json.hpp"

namespace slipway::deploy {

/// The AWS calls that deployments make: aws::Client, or a test's.
class Calls {
 public:
  Calls() = default;
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;
  virtual ~Calls() = default;
  /// As aws::Client::call().
  virtual aws::Answer call(const std::string& service, const std::string& operation,
                           const formats::Json& input, const std::stop_token& stop) = 0;
  [[nodiscard]] virtual std::string region() const = 0;
};

/// `client` is borrowed.
class ClientCalls final : public Calls {
 public:
  explicit ClientCalls(aws::Client& client) : client_(client) {}
  aws::Answer call(const std::string& service, const std::string& operation,
                   const formats::Json& input, const std::stop_token& stop) override {
    return client_.call(service, operation, input, stop);
  }
  [[nodiscard]] std::string region() const override { return client_.config().region; }

 private:
  aws::Client& client_;
};

}  // namespace slipway::deploy
