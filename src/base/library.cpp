// SPDX-License-Identifier: Apache-2.0
#include "base/library.hpp"

#include <dlfcn.h>

#include "base/error.hpp"

namespace slipway {
namespace {

// NOLINTNEXTLINE(concurrency-mt-unsafe): glibc keeps the text for each thread
const char* reason() { return ::dlerror(); }

}  // namespace

Library::Library(const char* name) : name_(name), handle_(::dlopen(name, RTLD_LAZY | RTLD_LOCAL)) {
  if (handle_ == nullptr) fail(Fault::unavailable, "cannot load {}: {}", name, reason());
}

void* Library::address(const char* symbol) const {
  void* found = ::dlsym(handle_, symbol);
  if (found == nullptr) fail(Fault::unavailable, "{} has no '{}': {}", name_, symbol, reason());
  return found;
}

}  // namespace slipway
