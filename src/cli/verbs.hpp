// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "cli/verb.hpp"

namespace slipway::cli {

// One function a verb, in the file of its name; main.cpp lists them.
Verb bootstrap_verb();
Verb build_verb();
Verb cloud_verb();
Verb doctor_verb();
Verb down_verb();
Verb events_verb();
Verb expr_verb();
Verb history_verb();
Verb image_verb();
Verb lint_verb();
Verb logs_verb();
Verb plan_verb();
Verb prune_verb();
Verb registry_verb();
Verb rollback_verb();
Verb run_verb();
Verb runs_verb();
Verb status_verb();
Verb tail_verb();
Verb up_verb();
Verb version_verb();

}  // namespace slipway::cli
