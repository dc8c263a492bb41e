// SPDX-License-Identifier: Apache-2.0
#include "actions/aws_access.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "net/url.hpp"
#include "os/file.hpp"

namespace slipway::actions {
namespace {

namespace fs = std::filesystem;

std::string text_of(workflow::ActionContext& context, const std::string& variable,
                    const std::string& standard) {
  std::string path = context.env_or(variable);
  if (path.empty()) path = context.env_or("HOME", context.machine().paths().home) + standard;
  return os::read_file_if_exists(job_file(context, path)).value_or("");
}

// The path with its links followed as the job follows them: an absolute link of the job's must not lead to a file of the host's.
// What the job changes between this and the use of the path is not seen.
std::string without_links(const workflow::JobMachine& machine, const std::string& path) {
  constexpr int kMostLinks = 40;  // as the kernel
  std::vector<std::string> todo = split(path, '/');
  std::reverse(todo.begin(), todo.end());
  fs::path at = "/";
  for (int links = 0; !todo.empty();) {
    auto part = std::move(todo.back());
    todo.pop_back();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      at = at.parent_path();
      continue;
    }
    std::error_code error;
    auto target = fs::read_symlink(machine.outside((at / part).string()), error);
    if (error) {  // no link, or not there yet
      at /= part;
      continue;
    }
    if (++links > kMostLinks) fail(Fault::bad_input, "too many symbolic links in '{}'", path);
    if (target.is_absolute()) at = "/";
    auto parts = split(target.string(), '/');
    todo.insert(todo.end(), parts.rbegin(), parts.rend());
  }
  return at.string();
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
  return context.machine().outside(without_links(context.machine(), job_path(context, path)));
}

}  // namespace slipway::actions
