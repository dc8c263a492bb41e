// SPDX-License-Identifier: Apache-2.0
#include "actions/builtin.hpp"
#include "actions/docker_access.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "oci/manifest.hpp"

// docker/setup-buildx-action, setup-qemu-action and login-action. The builder is slipway itself, so there is nothing to set up:
// the outputs say so.
namespace slipway::actions {
namespace {

using formats::Json;
using workflow::ActionContext;

class SetupBuildx final : public workflow::Action {
 public:
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    std::vector<workflow::ActionInput> all = {{"driver", "docker-container"},
                                              {"install", "false"},
                                              {"use", "true"},
                                              {"cleanup", "true"},
                                              {"cache-binary", "true"},
                                              {"keep-state", "false"}};
    for (const char* name : {"version", "name", "driver-opts", "buildkitd-flags",
                             "buildkitd-config", "buildkitd-config-inline", "config",
                             "config-inline", "endpoint", "platforms", "append"}) {
      all.push_back({name, std::nullopt});
    }
    return all;
  }

  void run(ActionContext& context) override {
    std::string name = context.text("name").empty() ? "slipway" : context.text("name");
    std::string platform = oci::Platform::host().str();
    Json node = Json::object({{"name", name + "0"},
                              {"endpoint", "slipway://"},
                              {"status", "running"},
                              {"platforms", platform}});
    context.set_output("name", name);
    context.set_output("driver", context.text("driver"));
    context.set_output("platforms", platform);
    context.set_output("nodes", Json::array({node}).pretty());
    context.set_output("endpoint", "slipway://");
    context.set_output("status", "running");
    context.set_output("flags", context.text("buildkitd-flags"));
    context.log(fmt::format("Images are built by slipway itself for {}", platform));
  }
};

class SetupQemu final : public workflow::Action {
 public:
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    return {
        {"image", std::nullopt}, {"platforms", "all"}, {"cache-image", "true"}, {"reset", "false"}};
  }
  void run(ActionContext& context) override {
    context.set_output("platforms", oci::Platform::host().str());
    context.warning(fmt::format("no emulators are installed: images are built for {} only",
                                oci::Platform::host().str()));
  }
};

class DockerLogin final : public workflow::Action {
 public:
  explicit DockerLogin(const Dependencies& dependencies) : dependencies_(dependencies) {}
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    return {{"registry", std::nullopt},
            {"username", std::nullopt},
            {"password", std::nullopt},
            {"scope", std::nullopt},
            {"ecr", "auto"},
            {"logout", "true"},
            {"registry-auth", std::nullopt}};
  }

  void run(ActionContext& context) override {
    if (!context.text("registry-auth").empty())
      fail(Fault::unsupported, "the input registry-auth is not supported yet");
    std::string host = registry_host(context.text("registry"));
    auto ecr = parse_ecr_host(host);
    std::string mode = context.text("ecr");
    bool as_ecr = mode == "true" || (mode == "auto" && ecr.has_value());
    oci::Credentials credentials{.username = context.text("username"),
                                 .password = context.text("password"),
                                 .identity_token = {}};
    if (!credentials.password.empty()) context.mask(credentials.password);
    if (as_ecr) {
      credentials =
          ecr_logins(context, ecr ? std::vector{ecr->account} : std::vector<std::string>{},
                     ecr ? ecr->region : "")
              .front()
              .credentials;
    } else if (credentials.username.empty() || credentials.password.empty()) {
      fail(Fault::bad_input, "{}",
           credentials.username.empty() && credentials.password.empty()
               ? "Username and password required"
           : credentials.username.empty() ? "Username required"
                                          : "Password required");
    }
    check(context, host, credentials);
    oci::save_docker_login(docker_config(context), host, credentials);
    context.save_state("registry", host);
    context.log("Login Succeeded!");
  }

  [[nodiscard]] bool has_post() const override { return true; }
  void post(ActionContext& context) override {
    auto host = context.state("registry").value_or("");
    if (!host.empty() && context.flag("logout", true) &&
        oci::remove_docker_login(docker_config(context), host))
      context.log("Removing login credentials for " + host);
  }

 private:
  // The registry is asked before the login is kept, as `docker login` does.
  void check(ActionContext& context, const std::string& host,
             const oci::Credentials& credentials) const {
    oci::RegistryClientOptions options{
        .credentials = [credentials](const std::string&) { return std::optional(credentials); }};
    if (auto route = context.route(host)) {
      options.endpoints.push_back(
          {.pattern = host,
           .connect_to = route->find(':') == std::string::npos ? *route + ":443" : *route,
           .ca_file = context.ca_bundle().string()});
    }
    options.endpoints.insert(options.endpoints.end(), dependencies_.endpoints.begin(),
                             dependencies_.endpoints.end());
    oci::RegistryClient client(std::move(options), dependencies_.log);
    while_doing(fmt::format("logging into {}", host), [&] { client.ping(host, context.stop()); });
  }

  const Dependencies& dependencies_;
};

}  // namespace

std::unique_ptr<workflow::Action> make_setup_buildx() { return std::make_unique<SetupBuildx>(); }
std::unique_ptr<workflow::Action> make_setup_qemu() { return std::make_unique<SetupQemu>(); }
std::unique_ptr<workflow::Action> make_docker_login(const Dependencies& dependencies) {
  return std::make_unique<DockerLogin>(dependencies);
}

}  // namespace slipway::actions
