// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "cli/verb.hpp"

namespace slipway::cli {

// One function a verb, in the file of its name; main.cpp lists them.
Verb run_verb();
Verb runs_verb();
Verb events_verb();
Verb logs_verb();
Verb version_verb();

}  // namespace slipway::cli
