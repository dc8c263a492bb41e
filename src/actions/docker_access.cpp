// SPDX-License-Identifier: Apache-2.0
#include "actions/docker_access.hpp"

#include "actions/aws_access.hpp"
#include "aws/client.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"

namespace slipway::actions {

using formats::Json;

std::filesystem::path docker_config(workflow::ActionContext& context) {
  std::string path = context.env_or("DOCKER_CONFIG");
  if (path.empty()) path = context.env_or("HOME", context.machine().paths().home) + "/.docker";
  return job_file(context, path);
}

std::string registry_host(std::string_view registry) {
  for (std::string_view scheme : {"https://", "http://"}) {
    if (registry.starts_with(scheme)) registry.remove_prefix(scheme.size());
  }
  registry = registry.substr(0, registry.find('/'));
  if (registry.empty() || registry == "index.docker.io" || registry == "registry-1.docker.io")
    return "docker.io";
  return std::string(registry);
}

std::optional<EcrHost> parse_ecr_host(std::string_view host) {
  auto parts = split(host, '.');
  if (parts.size() < 5 || parts[0].size() != 12 ||
      parts[0].find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  if (parts[1] == "dkr" && parts[2] == "ecr" && parts.size() >= 6 && parts[4] == "amazonaws")
    return EcrHost{parts[0], parts[3]};
  if (parts[1] == "dkr-ecr" && parts[3] == "on" && parts[4] == "aws")
    return EcrHost{parts[0], parts[2]};
  return std::nullopt;
}

std::unique_ptr<oci::RegistryClient> registry_client(workflow::ActionContext& context,
                                                     const Dependencies& dependencies,
                                                     const std::vector<std::string>& hosts) {
  oci::RegistryClientOptions options{.credentials =
                                         oci::docker_config_credentials(docker_config(context))};
  auto add = [&](const std::string& pattern, const std::string& host) {
    auto route = context.route(host);
    if (!route) return;
    auto target = route->find(':') == std::string::npos ? *route + ":443" : *route;
    options.endpoints.push_back(
        {.pattern = pattern, .connect_to = target, .ca_file = context.ca_bundle().string()});
  };
  for (const auto& host : hosts) add(host, host);
  add("*.dkr.ecr.*.amazonaws.com", "123456789012.dkr.ecr.us-east-1.amazonaws.com");
  options.endpoints.insert(options.endpoints.end(), dependencies.endpoints.begin(),
                           dependencies.endpoints.end());
  return std::make_unique<oci::RegistryClient>(std::move(options), dependencies.log);
}

std::vector<EcrLogin> ecr_logins(workflow::ActionContext& context,
                                 const std::vector<std::string>& accounts,
                                 const std::string& region) {
  aws::Client client(aws_config(context, region));
  Json input = Json::object();
  if (!accounts.empty()) {
    Json ids = Json::array();
    for (const auto& account : accounts) ids.push_back(account);
    input["registryIds"] = std::move(ids);
  }
  auto answer = client.call("ecr", "GetAuthorizationToken", input, context.stop());
  if (const auto* error = answer.error())
    fail(Fault::denied, "Could not get an authorization token from ECR: {} ({})", error->message,
         error->code);
  std::vector<EcrLogin> logins;
  for (const auto& data : answer.value().get_array("authorizationData")) {
    auto token = data.get_string("authorizationToken");
    auto pair = unbase64(token);
    auto colon = pair ? pair->find(':') : std::string::npos;
    if (!pair || colon == std::string::npos)
      fail(Fault::failed, "ECR's authorization token is no base64 of user:password");
    EcrLogin login{.endpoint = data.get_string("proxyEndpoint"),
                   .host = registry_host(data.get_string("proxyEndpoint")),
                   .credentials = {.username = pair->substr(0, colon),
                                   .password = pair->substr(colon + 1),
                                   .identity_token = {}}};
    context.mask(token);
    context.mask(login.credentials.password);
    logins.push_back(std::move(login));
  }
  if (logins.empty()) fail(Fault::denied, "Amazon ECR authorization token returned no data");
  return logins;
}

}  // namespace slipway::actions
