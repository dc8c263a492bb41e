// SPDX-License-Identifier: Apache-2.0
#include "base/task_group.hpp"

#include <utility>

namespace slipway {

TaskGroup::TaskGroup(std::stop_token outer)
    : outer_(std::move(outer), std::function<void()>([this] { source_.request_stop(); })) {}

TaskGroup::~TaskGroup() {
  source_.request_stop();
  try {
    join();
  } catch (...) {  // NOLINT(bugprone-empty-catch): whoever wanted the exception called join()
  }
}

void TaskGroup::start(std::function<void(std::stop_token)> work) {
  reap_done();
  std::lock_guard lock(mutex_);
  Task& task = tasks_.emplace_back();
  task.thread = std::thread([this, &task, work = std::move(work)] { run(task, work); });
}

void TaskGroup::run(Task& task, const std::function<void(std::stop_token)>& work) {
  std::exception_ptr error;
  try {
    work(source_.get_token());
  } catch (...) {
    error = std::current_exception();
  }
  {
    std::lock_guard lock(mutex_);
    if (error && !first_error_) first_error_ = error;
    task.done = true;
  }
  if (error) source_.request_stop();
}

// Joins the threads that have ended, so that a group that lives long (a server's connections) does not collect them.
void TaskGroup::reap_done() {
  std::list<Task> done;
  {
    std::lock_guard lock(mutex_);
    for (auto it = tasks_.begin(); it != tasks_.end();) {
      auto next = std::next(it);
      if (it->done && it->thread.get_id() != std::this_thread::get_id())
        done.splice(done.end(), tasks_, it);
      it = next;
    }
  }
  for (auto& task : done) task.thread.join();
}

void TaskGroup::join() {
  for (;;) {
    std::list<Task> batch;
    {
      std::lock_guard lock(mutex_);
      batch.splice(batch.end(), tasks_);
    }
    if (batch.empty()) break;
    for (auto& task : batch) task.thread.join();
  }
  std::lock_guard lock(mutex_);
  if (auto error = std::exchange(first_error_, nullptr)) std::rethrow_exception(error);
}

}  // namespace slipway
