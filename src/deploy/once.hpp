// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/error.hpp"

namespace slipway::deploy {

/// Makes a call that must not be made twice and whose answer may be lost: then what it was to make is looked for, and only where
/// the cloud shows that nothing happened the call is made again.
///   call  returns what was made
///   look  returns an optional of the same
template <typename Call, typename Look>
auto once(Call&& call, Look&& look) {
  try {
    return call();
  } catch (const Error& error) {
    if (error.fault() != Fault::unavailable) throw;
    if (auto found = look()) return *found;
  }
  return call();
}

}  // namespace slipway::deploy
