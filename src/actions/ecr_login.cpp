// SPDX-License-Identifier: Apache-2.0
#include "actions/builtin.hpp"
#include "actions/docker_access.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

// aws-actions/amazon-ecr-login: the login goes where docker keeps its own, without a docker.
namespace slipway::actions {
namespace {

using workflow::ActionContext;

// Every run of characters that an output's name may not hold becomes one '_'.
std::string output_suffix(std::string_view host) {
  std::string name;
  for (char c : host) {
    bool fine = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    if (fine) {
      name += c;
    } else if (!name.ends_with('_') || name.empty()) {
      name += '_';
    }
  }
  return name;
}

class EcrLoginAction final : public workflow::Action {
 public:
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    return {{"http-proxy", std::nullopt},
            {"mask-password", "true"},
            {"registries", std::nullopt},
            {"registry-type", "private"},
            {"skip-logout", "false"}};
  }

  void run(ActionContext& context) override {
    if (context.text("registry-type") == "public")
      fail(Fault::unsupported, "registry-type public is not supported yet");
    if (context.text("registry-type") != "private") {
      fail(Fault::bad_input,
           "Invalid input for 'registry-type', possible options are [private, public]");
    }
    std::vector<std::string> accounts;
    for (const auto& account : split(context.text("registries"), ',')) {
      if (!trim(account).empty()) accounts.emplace_back(trim(account));
    }
    auto logins = ecr_logins(context, accounts);
    std::string hosts;
    for (const auto& login : logins) {
      oci::save_docker_login(docker_config(context), login.host, login.credentials);
      context.log(fmt::format("Logging into registry {}", login.host));
      context.set_output("docker_username_" + output_suffix(login.host),
                         login.credentials.username);
      context.set_output("docker_password_" + output_suffix(login.host),
                         login.credentials.password);
      hosts += (hosts.empty() ? "" : ",") + login.host;
    }
    if (logins.size() == 1) context.set_output("registry", logins.front().host);
    context.save_state("registries", hosts);
  }

  [[nodiscard]] bool has_post() const override { return true; }
  void post(ActionContext& context) override {
    if (context.flag("skip-logout", false)) return;
    for (const auto& host : split(context.state("registries").value_or(""), ',')) {
      if (!host.empty() && oci::remove_docker_login(docker_config(context), host))
        context.log("Logging out of registry " + host);
    }
  }
};

}  // namespace

std::unique_ptr<workflow::Action> make_ecr_login() { return std::make_unique<EcrLoginAction>(); }

}  // namespace slipway::actions
