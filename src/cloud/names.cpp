// SPDX-License-Identifier: Apache-2.0
#include "cloud/names.hpp"

namespace slipway::cloud {

void Names::on_change(std::function<void(const Table&)> changed) {
  changed_ = std::move(changed);
  tell();
}

void Names::set(const std::string& name, const std::string& address) {
  {
    std::lock_guard lock(mutex_);
    table_[name] = address;
  }
  tell();
}

void Names::erase(const std::string& name) {
  {
    std::lock_guard lock(mutex_);
    table_.erase(name);
  }
  tell();
}

Names::Table Names::table() const {
  std::lock_guard lock(mutex_);
  return table_;
}

void Names::tell() {
  if (changed_) changed_(table());
}

}  // namespace slipway::cloud
