// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "deploy/settings.hpp"
#include "oci/registry_client.hpp"
#include "workflow/action.hpp"

namespace slipway::container {
class Runtime;
}
namespace slipway::ledger {
class Ledger;
}
namespace slipway::oci {
class BlobStore;
class LayerCache;
}  // namespace slipway::oci

namespace slipway::actions {

/// What the built-in actions work with. Everything borrowed outlives the catalog.
struct Dependencies {
  std::filesystem::path
      state;              ///< STATE: caches in STATE/cache, artifacts in STATE/runs/ID/artifacts
  oci::BlobStore& store;  ///< the local image store
  oci::LayerCache& layers;
  container::Runtime& runtime;       ///< runs RUN steps
  ledger::Ledger* ledger = nullptr;  ///< takes releases; null: none are recorded
  /// How registries are reached besides ActionContext::route (base images: a local mirror of Docker Hub).
  std::vector<oci::RegistryEndpoint> endpoints;
  /// What the run's tests ended with ("success", …) when a job of it deploys; may be empty: not known.
  std::function<std::string(const std::string& run_id)> test_verdict;
  /// What slipway.yml asks of a release to an environment; may be empty: nothing.
  std::function<deploy::Protection(const std::string& environment)> protection = {};
  Log& log;
};

/// The official actions of the path from commit to service: checkout, setup-node, setup-python, cache (with restore and save),
/// upload-artifact, download-artifact, configure-aws-credentials, amazon-ecr-login, docker's setup-buildx, setup-qemu, login,
/// metadata and build-push, amazon-ecs-render- and -deploy-task-definition, slack-github-action. Same inputs, outputs and
/// effects as the official ones; an input whose effect is not built yet is refused by name instead of being passed over.
std::unique_ptr<workflow::ActionCatalog> make_catalog(const Dependencies& dependencies);

}  // namespace slipway::actions
