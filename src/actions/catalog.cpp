// SPDX-License-Identifier: Apache-2.0
#include "actions/catalog.hpp"

#include <map>

#include "actions/builtin.hpp"

namespace slipway::actions {
namespace {

class Catalog final : public workflow::ActionCatalog {
 public:
  explicit Catalog(const Dependencies& dependencies) : dependencies_(dependencies) {
    actions_["actions/checkout"] = make_checkout();
    actions_["actions/setup-node"] = make_setup_node();
    actions_["actions/setup-python"] = make_setup_python();
    actions_["actions/cache"] = make_cache(dependencies_);
    actions_["actions/cache/restore"] = make_cache_restore(dependencies_);
    actions_["actions/cache/save"] = make_cache_save(dependencies_);
    actions_["actions/upload-artifact"] = make_upload_artifact(dependencies_);
    actions_["actions/download-artifact"] = make_download_artifact(dependencies_);
    actions_["aws-actions/configure-aws-credentials"] = make_configure_aws_credentials();
    actions_["aws-actions/amazon-ecr-login"] = make_ecr_login();
    actions_["aws-actions/amazon-ecs-render-task-definition"] = make_ecs_render();
    actions_["aws-actions/amazon-ecs-deploy-task-definition"] = make_ecs_deploy(dependencies_);
    actions_["docker/setup-buildx-action"] = make_setup_buildx();
    actions_["docker/setup-qemu-action"] = make_setup_qemu();
    actions_["docker/login-action"] = make_docker_login(dependencies_);
    actions_["docker/metadata-action"] = make_docker_metadata();
    actions_["docker/build-push-action"] = make_build_push(dependencies_);
    actions_["slackapi/slack-github-action"] = make_slack();
  }
  workflow::Action* find(std::string_view name, std::string_view) override {
    auto found = actions_.find(name);
    return found == actions_.end() ? nullptr : found->second.get();
  }

 private:
  Dependencies dependencies_;  // what the actions hold references to
  std::map<std::string, std::unique_ptr<workflow::Action>, std::less<>> actions_;
};

}  // namespace

std::unique_ptr<workflow::ActionCatalog> make_catalog(const Dependencies& dependencies) {
  return std::make_unique<Catalog>(dependencies);
}

}  // namespace slipway::actions
