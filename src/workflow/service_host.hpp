// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "container/network.hpp"
#include "container/runtime.hpp"
#include "workflow/container_options.hpp"
#include "workflow/image_source.hpp"
#include "workflow/job_machine.hpp"

namespace slipway::workflow {

/// The spec of a container made of an image and what a workflow says about it.
///   upper, work  directories for its changes
container::ContainerSpec spec_of(const ContainerOrder& order, const ReadyImage& image,
                                 const ContainerOptions& options, const std::string& id,
                                 const std::filesystem::path& directory);

/// Runs one job's services: containers on the job's network that end with the object.
///   threads  several services may be started at a time
class ServiceHost final {
 public:
  /// `directory`  exists, the job's; `prefix` makes the containers' ids unique on this machine
  ServiceHost(container::Runtime& runtime, container::Network& network, ImageSource& images,
              std::filesystem::path directory, std::string prefix);
  ServiceHost(const ServiceHost&) = delete;
  ServiceHost& operator=(const ServiceHost&) = delete;
  ~ServiceHost();

  /// Takes an address for a service before it is started, so that others can know it.
  std::string reserve(const std::string& service);
  /// Starts a service and waits until it is healthy; its ports are published inside `netns` (empty: on this machine).
  RunningService start(const ContainerOrder& order, const std::filesystem::path& netns,
                       const OutputSink& sink, std::stop_token stop);

 private:
  struct Running {
    std::string id;
    std::string endpoint;
    Guarded<std::string> output;  // its last lines
    Guarded<std::optional<container::ContainerExit>> exit;
  };
  void wait_until_healthy(Running& service, const ContainerOrder& order, const HealthCheck& health,
                          const std::set<std::uint16_t>& ports,
                          const container::ContainerSpec& spec, std::stop_token stop);
  std::map<std::string, std::string> publish(const std::string& key,
                                             const std::vector<PortMapping>& ports,
                                             const std::string& address,
                                             const std::filesystem::path& netns);
  std::uint16_t free_port(std::uint16_t wanted);

  container::Runtime& runtime_;
  container::Network& network_;
  ImageSource& images_;
  std::filesystem::path directory_;
  std::string prefix_;
  std::mutex mutex_;                    // guards the four below
  std::list<Running> services_;         // stable addresses: their threads write into them
  std::vector<std::string> published_;  // keys
  std::vector<std::string> attached_;
  std::set<std::uint16_t> taken_;
  std::stop_source stop_;
  std::unique_ptr<TaskGroup> group_;
};

}  // namespace slipway::workflow
