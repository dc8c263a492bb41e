// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "base/task_group.hpp"
#include "container/dns_server.hpp"
#include "container/host_view.hpp"
#include "container/network.hpp"
#include "workflow/host_machine.hpp"
#include "workflow/image_source.hpp"
#include "workflow/job_machine.hpp"

namespace slipway::workflow {

struct JobNetworkOptions {
  std::filesystem::path state;
  std::string name;            ///< "run-12"
  container::NameTable names;  ///< names that are answered here
  std::vector<std::string>
      upstream;  ///< who is asked for all others: the local cloud's DNS; empty: the host's resolvers
};

struct MachineOptions {
  container::RuntimeOptions runtime;
  JobNetworkOptions network;
  bool on_host = false;                             ///< --host
  std::map<std::string, std::string> label_images;  ///< --image LABEL=REF
  std::filesystem::path tool_cache;                 ///< kept from run to run, shared by all jobs
  std::string trusted_certificates;                 ///< PEM; may be empty
};

/// The machines of one run: views of this machine, containers of images, or the machine itself, on a network of the run's own that
/// is gone with this object.
class ContainerMachines final : public MachineFactory {
 public:
  ContainerMachines(MachineOptions options, container::Runtime& runtime, ImageSource& images,
                    Log& log);
  ~ContainerMachines() override;
  std::unique_ptr<JobMachine> make(const MachineOrder& order, const OutputSink& sink,
                                   std::stop_token stop) override;
  /// Where jobs reach servers of ours.
  [[nodiscard]] std::string host_address() const;

 private:
  MachineOptions options_;
  container::Runtime& runtime_;
  ImageSource& images_;
  Log& log_;
  container::Network network_;
  std::unique_ptr<container::DnsServer> dns_;
  TaskGroup servers_;
};

}  // namespace slipway::workflow
