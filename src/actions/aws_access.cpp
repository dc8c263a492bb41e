// SPDX-License-Identifier: Apache-2.0
#include "actions/aws_access.hpp"

#include "base/error.hpp"
#include "net/url.hpp"
#include "os/file.hpp"

namespace slipway::actions {
namespace {

namespace fs = std::filesystem;

std::string text_of(workflow::ActionContext& context, const std::string& variable,
                    const std::string& standard) {
  auto& machine = context.machine();
  std::string path = context.env_or(variable);
  if (path.empty()) path = context.env_or("HOME", machine.paths().home) + standard;
  return os::read_file_if_exists(machine.outside(path)).value_or("");
}

}  // namespace

aws::Config aws_config(workflow::ActionContext& context, const std::string& region) {
  auto config = aws::read_config(
      context.env(), text_of(context, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials"),
      text_of(context, "AWS_CONFIG_FILE", "/.aws/config"));
  if (!region.empty()) config.region = region;
  if (config.region.empty())
    fail(Fault::bad_input,
         "Region is missing: set aws-region in configure-aws-credentials, or AWS_REGION");
  if (!context.ca_bundle().empty()) config.ca_bundle = context.ca_bundle().string();
  for (const char* service : {"sts", "ecs", "ecr", "logs", "iam", "secretsmanager", "codedeploy",
                              "elasticloadbalancing"}) {
    auto url = net::parse_url(aws::endpoint_of(config, service));
    if (!url) continue;
    auto route = context.route(url->host);
    if (!route) continue;
    auto target = *route;
    if (auto parsed = net::parse_host_port(target); parsed && parsed->port == 0)
      target = fmt::format("{}:{}", parsed->host, url->port);
    config.connect_to.emplace_back(fmt::format("{}:{}", url->host, url->port), target);
  }
  return config;
}

std::string job_path(workflow::ActionContext& context, const std::string& path) {
  const auto& paths = context.machine().paths();
  if (path == "~" || path.starts_with("~/"))
    return (fs::path(paths.home) / fs::path(path.substr(path.size() > 1 ? 2 : 1)))
        .lexically_normal();
  return (fs::path(context.working_directory()) / path).lexically_normal();
}

fs::path job_file(workflow::ActionContext& context, const std::string& path) {
  return context.machine().outside(job_path(context, path));
}

}  // namespace slipway::actions
