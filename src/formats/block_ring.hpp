// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/guarded.hpp"
#include "base/task_group.hpp"

namespace slipway::formats {

/// Blocks that one thread fills and writes out in their order, while a pool packs those between. Blocks are used again: fresh pages cost
/// more than the compression of well-compressible data.
///   threads  current(), pass_on() and finish() belong to one; `pack` runs on any, `put` on that one
template <typename Block>
class BlockRing final {
 public:
  /// `threads` 1: packs in pass_on(). `put` empties the block for its next use.
  BlockRing(std::size_t threads, std::function<void(Block&)> pack, std::function<void(Block&)> put)
      : threads_(threads), pack_(std::move(pack)), put_(std::move(put)), places_(threads + 2) {}

  /// The block that is being filled.
  Block& current() { return places_[filling_].block; }

  /// The current block is full: the pool, which starts with the first one, packs it. Waits when all blocks are on their way.
  ///   throws  what `pack` or `put` threw
  void pass_on() {
    if (threads_ == 1) {
      pack_(current());
      return put_(current());
    }
    if (!pool_) {
      pool_.emplace(std::stop_token{});
      for (std::size_t i = 0; i < threads_; ++i)
        pool_->start([this](const std::stop_token& stop) { work(stop); });
    }
    waiting_.with([&](auto& queue) { queue.push_back(&places_[filling_]); });
    filling_ = (filling_ + 1) % places_.size();
    ++on_their_way_;
    while (on_their_way_ > 0 && (on_their_way_ == places_.size() || is_done(places_[oldest_])))
      put_oldest();
  }

  /// Packs the current block here, with the pool busy on those before it, and puts all.
  void finish() {
    pack_(current());
    while (on_their_way_ > 0) put_oldest();
    put_(current());
  }

 private:
  struct Place {
    Block block;
    bool is_done = false;  // guarded by waiting_
  };

  void work(const std::stop_token& stop) {
    for (;;) {
      Place* place = nullptr;
      bool met = waiting_.wait(
          stop, Deadline::never(), [](const auto& queue) { return !queue.empty(); },
          [&](auto& queue) {
            place = queue.front();
            queue.pop_front();
          });
      if (!met) return;
      pack_(place->block);
      waiting_.with([&](auto&) { place->is_done = true; });
    }
  }

  bool is_done(const Place& place) {
    return waiting_.read([&](const auto&) { return place.is_done; });
  }

  void put_oldest() {
    Place& place = places_[oldest_];
    waiting_.wait(
        pool_->token(), Deadline::never(), [&](const auto&) { return place.is_done; },
        [](auto&) {});
    if (pool_->token().stop_requested()) pool_->join();  // throws what stopped it
    put_(place.block);
    place.is_done = false;
    oldest_ = (oldest_ + 1) % places_.size();
    --on_their_way_;
  }

  std::size_t threads_;
  std::function<void(Block&)> pack_;
  std::function<void(Block&)> put_;
  std::vector<Place> places_;  // they go around: from oldest_ to filling_ they are on their way
  std::size_t filling_ = 0;
  std::size_t oldest_ = 0;
  std::size_t on_their_way_ = 0;         // in the pool, or done and not put
  Guarded<std::deque<Place*>> waiting_;  // to be packed
  std::optional<TaskGroup> pool_;        // last: its threads use what is above
};

}  // namespace slipway::formats
