// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "container/network.hpp"
#include "container/runtime.hpp"
#include "workflow/image_source.hpp"
#include "workflow/job_machine.hpp"
#include "workflow/service_host.hpp"

namespace slipway::workflow {

/// A job in a container of an image: `container:`, or a label's image.
struct ImageMachineOrder {
  container::Runtime& runtime;
  container::Network& network;
  ImageSource& images;
  MachineOrder job;
  ContainerOrder container;
  std::string id;  ///< of the container
  std::filesystem::path tool_cache;
  std::string trusted_certificates;        ///< PEM; may be empty
  std::map<std::string, std::string> env;  ///< proxies and their like
  bool is_job_container = true;            ///< false for a label's image: shells as on a host
};

/// Starts the container; steps run in it, services beside it under their names.
std::unique_ptr<JobMachine> make_image_machine(const ImageMachineOrder& order,
                                               std::unique_ptr<ServiceHost> services,
                                               const OutputSink& sink, std::stop_token stop);

/// Runs a container of an image to its end with the job's directories where docker actions look for them.
///   paths, outside  of the job's machine
os::Exit run_action_container(container::Runtime& runtime, ImageSource& images,
                              const ContainerOrder& order,
                              const std::vector<std::string>& entrypoint,
                              const std::vector<std::string>& args, const std::string& id,
                              const std::filesystem::path& directory,
                              const std::filesystem::path& netns, const JobMachine& machine,
                              const OutputSink& sink, std::stop_token stop);

}  // namespace slipway::workflow
