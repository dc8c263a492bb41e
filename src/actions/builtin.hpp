// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "actions/catalog.hpp"
#include "workflow/action.hpp"

// The built-in actions, one file each. `dependencies` outlives what is made.
namespace slipway::actions {

std::unique_ptr<workflow::Action> make_checkout();
std::unique_ptr<workflow::Action> make_setup_node();
std::unique_ptr<workflow::Action> make_setup_python();
std::unique_ptr<workflow::Action> make_cache(const Dependencies& dependencies);
std::unique_ptr<workflow::Action> make_cache_restore(const Dependencies& dependencies);
std::unique_ptr<workflow::Action> make_cache_save(const Dependencies& dependencies);
std::unique_ptr<workflow::Action> make_upload_artifact(const Dependencies& dependencies);
std::unique_ptr<workflow::Action> make_download_artifact(const Dependencies& dependencies);
std::unique_ptr<workflow::Action> make_configure_aws_credentials();
std::unique_ptr<workflow::Action> make_ecr_login();
std::unique_ptr<workflow::Action> make_setup_buildx();
std::unique_ptr<workflow::Action> make_setup_qemu();
std::unique_ptr<workflow::Action> make_docker_login(const Dependencies& dependencies);
std::unique_ptr<workflow::Action> make_docker_metadata();
std::unique_ptr<workflow::Action> make_build_push(const Dependencies& dependencies);
std::unique_ptr<workflow::Action> make_ecs_render();
std::unique_ptr<workflow::Action> make_ecs_deploy(const Dependencies& dependencies);
std::unique_ptr<workflow::Action> make_slack();

}  // namespace slipway::actions
