// SPDX-License-Identifier: Apache-2.0
#include "cloud/cloud.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "cloud/autoscaling/autoscaling.hpp"
#include "cloud/cloudwatch/cloudwatch.hpp"
#include "cloud/discovery/discovery.hpp"
#include "cloud/ec2/ec2.hpp"
#include "cloud/ec2/security_groups.hpp"
#include "cloud/ecr/ecr.hpp"
#include "cloud/ecr/registry.hpp"
#include "cloud/ecr/service.hpp"
#include "cloud/front_door.hpp"
#include "cloud/iam/iam.hpp"
#include "cloud/issuer.hpp"
#include "cloud/logs/logs.hpp"
#include "cloud/names.hpp"
#include "cloud/rds/rds.hpp"
#include "cloud/s3/door.hpp"
#include "cloud/secrets/secrets.hpp"
#include "cloud/ssm/ssm.hpp"
#include "cloud/state.hpp"
#include "cloud/sts/sts.hpp"
#include "container/dns_server.hpp"
#include "net/http_server.hpp"
#include "net/tls.hpp"
#include "net/websocket.hpp"
#include "oci/registry_server.hpp"
#include "os/file.hpp"

namespace slipway::cloud {
namespace {

constexpr std::string_view kAuthority = "Slipway local AWS";
const std::vector<std::string> kNames = {
    "*.amazonaws.com", "*.on.aws", "token.actions.githubusercontent.com", "localhost", "127.0.0.1"};

Json to_json(const Endpoint& endpoint) {
  return Json::object({{"url", endpoint.url},
                       {"account", endpoint.account},
                       {"region", endpoint.region},
                       {"access_key_id", endpoint.access_key_id},
                       {"secret_access_key", endpoint.secret_access_key},
                       {"ca_file", endpoint.ca_file},
                       {"gateway", endpoint.gateway},
                       {"tls_port", endpoint.tls_port}});
}

}  // namespace

struct Cloud::Parts {
  Parts(CloudOptions given, Log& to)
      : options(std::move(given)),
        log(to),
        directory(options.state / "cloud"),
        state((os::make_dirs(directory), directory / "state.db")),
        authoriser(state),
        sessions(state),
        log_store(state),
        registries(directory / "registry"),
        tokens(state),
        issuer(options.state),
        authority(net::CertificateAuthority::load_or_create(directory / "ca", kAuthority)),
        tls(authority, kNames),
        objects(state, directory / "s3"),
        metrics(state),
        alarms(state, metrics),
        discovery(state, names),
        security(state, options, log),
        surroundings{options, state,   authoriser, sessions,  log_store, registries, tokens,
                     objects, metrics, alarms,     discovery, security,  names,      log},
        s3_door(surroundings, objects),
        door({options.account, options.region, directory / "faults.json"}, sessions, authoriser,
             log),
        registry(registries, state, tokens, authoriser, Scope{options.account, options.region},
                 log) {
    own(sts::make_sts(
        state, sessions, [this](const std::string& name) { return issuer.key_set(name); }, log));
    own(iam::make_iam(state, sessions));
    own(ecr::make_ecr(state, registries, tokens, authoriser));
    own(secrets::make_secrets(state));
    own(ssm::make_ssm(state));
    own(logs::make_logs(state, log_store));
    own(cloudwatch::make_cloudwatch(metrics, alarms));
    own(discovery::make_discovery(state, discovery));
    own(ec2::make_ec2(surroundings));
    own(rds::make_rds(surroundings));
    own(autoscaling::make_autoscaling(state));
    own(trail::make_trail(door.trail()));
  }

  // Later services use earlier ones (ecs the target groups of elb).
  ~Parts() {
    while (!services.empty()) services.pop_back();
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  void own(std::unique_ptr<Service> service) {
    door.add(*service);
    services.push_back(std::move(service));
  }

  Endpoint open(std::vector<net::Listener>& listeners) {
    Endpoint endpoint{.url = "",
                      .account = options.account,
                      .region = options.region,
                      .access_key_id = "",
                      .secret_access_key = "",
                      .ca_file = directory / "ca" / "ca.crt",
                      .gateway = "",
                      .tls_port = 0};
    listeners.push_back({.socket = options.may_move ? net::listen_tcp_or_near(options.listen)
                                                    : net::listen_tcp(options.listen),
                         .name = "plain",
                         .tls = nullptr});
    auto host = options.listen.substr(0, options.listen.rfind(':'));
    endpoint.url = fmt::format("http://{}:{}", host == "0.0.0.0" ? "127.0.0.1" : host,
                               net::local_port(listeners.back().socket));
    listeners.push_back({.socket = net::listen_tcp("127.0.0.1:0"), .name = "tls", .tls = &tls});
    endpoint.tls_port = net::local_port(listeners.back().socket);
    if (!options.gateway.empty()) {
      listeners.push_back(
          {.socket = net::listen_tcp(options.gateway + ":443"), .name = "gateway", .tls = &tls});
      listeners.push_back(
          {.socket = net::listen_tcp(options.gateway + ":80"), .name = "gateway", .tls = nullptr});
      endpoint.gateway = options.gateway;
    }
    auto keys = sessions.root_keys(options.account, formats::now());
    endpoint.access_key_id = keys.access_key_id;
    endpoint.secret_access_key = keys.secret_access_key;
    return endpoint;
  }

  void handle(net::ServerRequest& request, net::ResponseWriter& response) {
    if (oci::RegistryServer::is_registry_path(request.path))
      return registry.handle(request, response);
    if (Issuer::serves(request.host, request.path))
      return response.send(issuer.handle(request.path));
    if (request.path == "/_slipway/health")
      return response.send(net::text_response(200, "{\"status\":\"ok\"}\n", "application/json"));
    if (net::wants_websocket(request)) return open_channel(request, response);
    if (s3::Door::serves(request)) return s3_door.handle(request, response);
    door.handle(request, response);
  }

  void open_channel(net::ServerRequest& request, net::ResponseWriter& response) {
    for (auto& service : services) {
      if (service->open_channel(request, response)) return;
    }
    response.send(net::text_response(404, "no such channel\n"));
  }

  CloudOptions options;
  Log& log;
  std::filesystem::path directory;
  State state;
  iam::Authoriser authoriser;
  sts::Sessions sessions;
  logs::LogStore log_store;
  ecr::Registries registries;
  ecr::Tokens tokens;
  Names names;
  Issuer issuer;
  net::CertificateAuthority authority;
  net::TlsServer tls;
  s3::Store objects;
  cloudwatch::Metrics metrics;
  cloudwatch::Alarms alarms;
  discovery::Registry discovery;
  ec2::SecurityGroups security;
  Surroundings surroundings;
  s3::Door s3_door;
  FrontDoor door;
  ecr::Registry registry;
  std::vector<std::unique_ptr<Service>> services;
};

Cloud::Cloud(CloudOptions options, Log& log)
    : parts_(std::make_unique<Parts>(std::move(options), log)) {}
Cloud::~Cloud() = default;

void Cloud::add(const MakeService& make) { parts_->own(make(parts_->surroundings)); }

void Cloud::run(std::stop_token stop, const std::function<void(const Endpoint&)>& ready) {
  auto& parts = *parts_;
  parts.sessions.purge(formats::now());
  std::vector<net::Listener> listeners;
  auto endpoint = parts.open(listeners);
  net::HttpServer server(
      std::move(listeners),
      [&](net::ServerRequest& request, net::ResponseWriter& response) {
        parts.handle(request, response);
      },
      parts.log);
  std::optional<container::DnsServer> dns;
  if (!endpoint.gateway.empty()) {
    dns.emplace(endpoint.gateway, 53, container::NameTable{}, std::vector<std::string>{},
                parts.log);
    parts.names.on_change([&](const Names::Table& own) {
      container::NameTable table = own.hosts;
      table.emplace("*.amazonaws.com", endpoint.gateway);
      table.emplace("*.on.aws", endpoint.gateway);
      table.emplace("token.actions.githubusercontent.com", endpoint.gateway);
      dns->set_names(std::move(table), own.zones);
    });
  }
  os::write_file_durably(parts.directory / "env.json", to_json(endpoint).pretty() + "\n", 0600);
  {
    // The door goes first and the services after it: a service's last work may still need its own answers' state, never a caller.
    TaskGroup serving(stop);
    for (auto& service : parts.services) serving.start([&](std::stop_token s) { service->run(s); });
    if (dns) serving.start([&](std::stop_token s) { dns->run(s); });
    serving.start([&](std::stop_token s) { server.run(s); });
    parts.log.info("the local AWS answers at {}", endpoint.url);
    if (ready) ready(endpoint);
    serving.join();
  }
  parts.names.on_change({});
  std::filesystem::remove(parts.directory / "env.json");
}

}  // namespace slipway::cloud
