// SPDX-License-Identifier: Apache-2.0
#include "cli/aws_access.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::cli {
namespace {

std::string text_of(const std::map<std::string, std::string>& environment, const char* variable,
                    const std::filesystem::path& otherwise) {
  auto it = environment.find(variable);
  return os::read_file_if_exists(it == environment.end() ? otherwise
                                                         : std::filesystem::path(it->second))
      .value_or("");
}

aws::Config read_named(const std::map<std::string, std::string>& environment) {
  std::filesystem::path home = environment.contains("HOME") ? environment.at("HOME") : "/";
  return aws::read_config(
      environment, text_of(environment, "AWS_SHARED_CREDENTIALS_FILE", home / ".aws/credentials"),
      text_of(environment, "AWS_CONFIG_FILE", home / ".aws/config"));
}

}  // namespace

std::optional<formats::Json> local_cloud(const std::filesystem::path& state) {
  auto text = os::read_file_if_exists(state / "cloud/env.json");
  return text ? std::optional(formats::parse_json(*text, "cloud/env.json")) : std::nullopt;
}

std::optional<CloudProcess> cloud_process(const std::filesystem::path& state) {
  auto text = os::read_file_if_exists(state / "cloud/cloud.pid");
  if (!text) return std::nullopt;
  auto words = split(trim(*text), ' ');
  auto pid = to_integer(words[0]);
  auto ticks = words.size() > 1 ? to_integer(words[1]) : std::nullopt;
  if (!pid || !ticks) return std::nullopt;
  CloudProcess found{static_cast<pid_t>(*pid), static_cast<unsigned long long>(*ticks)};
  return os::is_alive(found.pid, found.ticks) ? std::optional(found) : std::nullopt;
}

aws::Config local_access(const formats::Json& env) {
  return aws::read_config({{"AWS_ENDPOINT_URL", env.get_string("url")},
                           {"AWS_REGION", env.get_string("region")},
                           {"AWS_ACCESS_KEY_ID", env.get_string("access_key_id")},
                           {"AWS_SECRET_ACCESS_KEY", env.get_string("secret_access_key")}});
}

aws::Config aws_access(const std::filesystem::path& state) {
  auto environment = os::environment();
  bool is_named = environment.contains("AWS_ENDPOINT_URL") ||
                  environment.contains("AWS_ACCESS_KEY_ID") || environment.contains("AWS_PROFILE");
  if (!is_named) {
    if (auto env = local_cloud(state)) return local_access(*env);
  }
  auto config = read_named(environment);
  // A profile's keys are renewed by whoever made them (aws sso login, a credentials helper): the files are read again.
  config.renewed = [environment] { return read_named(environment).credentials; };
  if (!config.credentials) {
    fail(Fault::bad_input,
         "no AWS to ask: the local one does not run (slipway up, or slipway cloud start), and "
         "there are no AWS credentials in the environment");
  }
  return config;
}

}  // namespace slipway::cli
