// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "deploy/calls.hpp"

namespace slipway::deploy {

/// A cloud that a test writes: one function per operation, and a record of what was called.
class FakeCalls final : public Calls {
 public:
  using Reply = std::function<aws::Answer(const formats::Json& input)>;

  /// `operation` as "ecs:UpdateService".
  void on(const std::string& operation, Reply reply) { replies_[operation] = std::move(reply); }
  void answer(const std::string& operation, formats::Json value) {
    on(operation, [value = std::move(value)](const formats::Json&) { return aws::Answer(value); });
  }
  void refuse(const std::string& operation, const std::string& code, const std::string& message) {
    on(operation, [=](const formats::Json&) {
      return aws::Answer(aws::ServiceError{code, message, 400, "r"});
    });
  }

  aws::Answer call(const std::string& service, const std::string& operation,
                   const formats::Json& input, const std::stop_token&) override {
    std::lock_guard lock(mutex_);
    std::string name = service + ":" + operation;
    called_.emplace_back(name, input);
    auto reply = replies_.find(name);
    if (reply == replies_.end())
      return aws::Answer(
          aws::ServiceError{"UnknownOperationException", "no " + name + " here", 400, "r"});
    return reply->second(input);
  }
  [[nodiscard]] std::string region() const override { return "us-east-1"; }

  [[nodiscard]] std::vector<formats::Json> inputs_of(const std::string& operation) const {
    std::lock_guard lock(mutex_);
    std::vector<formats::Json> inputs;
    for (const auto& [name, input] : called_) {
      if (name == operation) inputs.push_back(input);
    }
    return inputs;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Reply> replies_;
  std::vector<std::pair<std::string, formats::Json>> called_;  // guarded by mutex_
};

}  // namespace slipway::deploy
