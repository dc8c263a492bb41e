// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace slipway {

/// A shared library that is loaded when it is needed first instead of at the start: some bring dozens of others along, which is most of
/// the time that a short command takes. It stays loaded until the process ends.
class Library final {
 public:
  /// `name` as the linker has it: "libcurl.so.4". throws Error{unavailable} with the loader's reason
  explicit Library(const char* name);

  /// The function of that name; `Function` is a pointer type. throws Error{unavailable} when there is none
  template <typename Function>
  [[nodiscard]] Function find(const char* symbol) const {
    return reinterpret_cast<Function>(address(symbol));
  }

 private:
  [[nodiscard]] void* address(const char* symbol) const;

  const char* name_;
  void* handle_;
};

}  // namespace slipway
