// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <exception>
#include <functional>
#include <list>
#include <mutex>
#include <stop_token>
#include <thread>

namespace slipway {

/// Threads that end before it does. The first exception stops the siblings and comes out of join().
///   threads   start() may be called from any thread, also from inside a task
class TaskGroup final {
 public:
  /// `outer` stopping stops every task of the group.
  explicit TaskGroup(std::stop_token outer);
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  /// Asks all tasks to stop and waits for them; exceptions not joined are dropped.
  ~TaskGroup();

  /// Runs `task` on a thread of its own.
  void start(std::function<void(std::stop_token)> task);
  /// Asks every task to stop; does not wait.
  void stop() { source_.request_stop(); }
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
  /// Waits for all tasks, also those started meanwhile; throws the first exception that a task ended with.
  void join();

 private:
  struct Task {
    std::thread thread;
    bool done = false;  // guarded by mutex_
  };
  void run(Task& task, const std::function<void(std::stop_token)>& work);
  void reap_done();

  std::stop_source source_;
  std::stop_callback<std::function<void()>> outer_;
  std::mutex mutex_;
  std::list<Task> tasks_;           // guarded by mutex_
  std::exception_ptr first_error_;  // guarded by mutex_
};

}  // namespace slipway
