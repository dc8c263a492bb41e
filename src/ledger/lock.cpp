// SPDX-License-Identifier: Apache-2.0
#include "ledger/lock.hpp"

#include "base/error.hpp"
#include "base/guarded.hpp"

namespace slipway::ledger {
namespace {

void pause(std::chrono::milliseconds span, const std::stop_token& stop) {
  Guarded<int> nothing;
  nothing.wait(
      stop, Deadline::in(span), [](int) { return false; }, [](int) {});
}

}  // namespace

EnvironmentLock::EnvironmentLock(Ledger& ledger, std::string environment, const Options& options,
                                 const std::stop_token& stop)
    : ledger_(ledger), environment_(std::move(environment)) {
  bool has_told = false;
  for (;;) {
    auto answer = ledger_.try_lock(environment_, options.owner, options.lease, options.take_over);
    epoch_ = answer.epoch;
    if (epoch_ != 0) break;
    if (options.deadline.passed()) {
      fail(Fault::conflict, "'{}' is being changed by {}: wait for it, or end it", environment_,
           answer.holder);
    }
    if (!has_told && options.waiting) options.waiting(answer.holder);
    has_told = true;
    pause(std::chrono::milliseconds(200), stop);
    if (stop.stop_requested()) throw Cancelled();
  }
  renewal_.start([this, lease = options.lease](const std::stop_token& own) { renew(own, lease); });
}

EnvironmentLock::~EnvironmentLock() {
  renewal_.stop();
  renewal_.join();
  try {
    ledger_.unlock(environment_, epoch_);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): it runs out by itself
  }
}

void EnvironmentLock::renew(const std::stop_token& stop, std::chrono::milliseconds lease) {
  while (!stop.stop_requested()) {
    pause(lease / 3, stop);
    try {
      if (!stop.stop_requested() && !ledger_.renew_lock(environment_, epoch_, lease)) return;
    } catch (
        const Error&) {  // NOLINT(bugprone-empty-catch): a full disk now may be none at the next attempt
    }
  }
}

}  // namespace slipway::ledger
