// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "cli/verb.hpp"

namespace slipway::cli {

// One function a verb, in the file of its name; main.cpp lists them.
Verb approve_verb();
Verb audit_verb();
Verb bootstrap_verb();
Verb build_verb();
Verb cloud_verb();
Verb deploy_verb();
Verb diff_verb();
Verb doctor_verb();
Verb down_verb();
Verb events_verb();
Verb exec_verb();
Verb expr_verb();
Verb history_verb();
Verb image_verb();
Verb init_verb();
Verb lint_verb();
Verb logs_verb();
Verb plan_verb();
Verb promote_verb();
Verb prune_verb();
Verb registry_verb();
Verb resume_verb();
Verb rollback_verb();
Verb run_verb();
Verb runs_verb();
Verb shell_verb();
Verb status_verb();
Verb tail_verb();
Verb task_verb();
Verb up_verb();
Verb verify_verb();
Verb version_verb();

}  // namespace slipway::cli
