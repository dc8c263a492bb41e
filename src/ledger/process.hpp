// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace slipway::ledger {

/// This process as a text by which others can tell whether it lives: host, boot, pid namespace, pid and start time.
std::string this_process();
/// True when it surely does not live any more: of another host or pid namespace nobody knows.
bool has_died(const std::string& process);

}  // namespace slipway::ledger
