// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

namespace slipway::workflow {

/// Whether a text is a time of `schedule`: minute, hour, day of the month, month, day of the week, by numbers, names of months
/// and days, `*`, lists, ranges and steps.
///   source  docs.github.com, "Events that trigger workflows", schedule
bool is_cron(std::string_view text);

/// Minutes between two runs that follow each other most closely, as far as the minute field says; 60 when it names one minute.
int shortest_interval(std::string_view cron);

}  // namespace slipway::workflow
