// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/log.hpp"

namespace slipway::container {
class Network;
class Runtime;
}  // namespace slipway::container

namespace slipway::cloud {

class Names;
class State;
class Service;
namespace iam {
class Authoriser;
}
namespace sts {
class Sessions;
}
namespace logs {
class LogStore;
}
namespace s3 {
class Store;
}
namespace cloudwatch {
class Alarms;
class Metrics;
}  // namespace cloudwatch
namespace discovery {
class Registry;
}
namespace ec2 {
class SecurityGroups;
}
namespace ecr {
class Registries;
class Tokens;
}  // namespace ecr

struct CloudOptions {
  std::filesystem::path
      state;  ///< the state directory (--state); the cloud keeps to STATE/cloud, reads STATE/oidc
  std::string listen = "127.0.0.1:4566";  ///< plain HTTP; port 0: the kernel chooses
  bool may_move = false;                  ///< another port when somebody else listens there
  std::string account = "123456789012";   ///< of the root test keys
  std::string region = "us-east-1";       ///< when a call names none
  container::Runtime* runtime =
      nullptr;  ///< borrowed; nullptr: services that run containers say so when asked to
  container::Network* network =
      nullptr;          ///< borrowed; its gateway address also answers on :443 and :80
  std::string gateway;  ///< the network's gateway address; empty: loopback only
};

/// What every service is given. All references outlive the services.
struct Surroundings {
  const CloudOptions& options;
  State& state;
  iam::Authoriser& authoriser;
  sts::Sessions& sessions;
  logs::LogStore& logs;
  ecr::Registries&
      registries;  ///< the stores behind ECR (ecr/ecr.hpp): what a pull inside this process reads
  ecr::Tokens&
      registry_tokens;  ///< passwords for pulling from the registry as a role (ecr/ecr.hpp)
  s3::Store& objects;   ///< S3's buckets and objects (s3/store.hpp)
  cloudwatch::Metrics& metrics;    ///< values (cloudwatch/metrics.hpp)
  cloudwatch::Alarms& alarms;      ///< what deployments watch (cloudwatch/alarms.hpp)
  discovery::Registry& discovery;  ///< Cloud Map's instances (discovery/registry.hpp)
  ec2::SecurityGroups& security;   ///< who may reach whom (ec2/security_groups.hpp)
  Names& names;                    ///< what the network's DNS answers (names.hpp)
  Log& log;
};

/// Services that live in rooms' other folders (ecs, elb) are made by a function each, so that Cloud wires without knowing them.
using MakeService = std::function<std::unique_ptr<Service>(const Surroundings&)>;

/// Where a running cloud answers; also written to STATE/cloud/env.json.
struct Endpoint {
  std::string url;  ///< http://127.0.0.1:4566
  std::string account;
  std::string region;
  std::string access_key_id;  ///< root test keys of the account
  std::string secret_access_key;
  std::string ca_file;  ///< PEM of the local CA
  std::string gateway;  ///< address on which the AWS names answer over TLS :443; empty: none
  int tls_port = 0;     ///< TLS on loopback for the same names
};

/// The local AWS: state, services and front door in one process.
class Cloud final {
 public:
  Cloud(CloudOptions options, Log& log);
  Cloud(const Cloud&) = delete;
  Cloud& operator=(const Cloud&) = delete;
  ~Cloud();
  /// Before run().
  void add(const MakeService& make);
  /// Opens the listeners, writes env.json, runs every service, answers until `stop`; leaves nothing behind but the state.
  ///   ready  called once when it answers
  void run(std::stop_token stop, const std::function<void(const Endpoint&)>& ready = {});

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace slipway::cloud
