// SPDX-License-Identifier: Apache-2.0
#include <condition_variable>
#include <fstream>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "cli/verbs.hpp"
#include "formats/sha256.hpp"
#include "net/http_server.hpp"
#include "net/stream.hpp"
#include "oci/registry_server.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::cli {
namespace {

// Users of a file of lines "user:{PLAIN}password" or "user:{SHA256}hex"; nobody else gets in.
class FilePolicy final : public oci::RegistryPolicy {
 public:
  explicit FilePolicy(const std::filesystem::path& file) {
    const std::string text = os::read_file(file);
    int number = 0;
    for (std::string_view line : lines_of(text)) {
      ++number;
      if (trim(line).empty() || line.starts_with('#')) continue;
      std::size_t colon = line.find(':');
      std::string_view secret = colon == std::string_view::npos ? "" : line.substr(colon + 1);
      constexpr std::string_view kHash = "{SHA256}";
      if (!secret.starts_with(kHash) || secret.size() != kHash.size() + 64) {
        fail(Fault::bad_input, "{}:{}: 'user:{{SHA256}}HEX' is expected, HEX being the password's SHA-256 (printf %s PASSWORD | sha256sum)",
             file.string(), number);
      }
      users_[std::string(line.substr(0, colon))] = secret.substr(kHash.size());
    }
  }
  std::optional<net::HttpResponse> authorise(const net::ServerRequest& request, oci::RegistryAction, std::string_view) override {
    const char* challenge = "Basic realm=\"slipway registry\"";
    auto who = oci::basic_credentials(request);
    if (!who) return oci::unauthorized(challenge);
    auto user = users_.find(who->user);
    // Hashed also for users that do not exist, so that the time does not tell.
    bool fits = formats::equals_in_constant_time(formats::sha256_hex(who->password), user == users_.end() ? "" : user->second);
    if (user == users_.end() || !fits) return oci::unauthorized(challenge, "wrong user or password");
    return std::nullopt;
  }

 private:
  std::map<std::string, std::string> users_;
};

int run(const Invocation& call, Surroundings& around) {
  if (call.arguments.empty() || call.arguments[0] != "serve") fail(Fault::bad_input, "'slipway registry serve' is what there is");
  for (const char* later : {"--tls-cert", "--tls-key"}) {
    if (call.has(later)) fail(Fault::unsupported, "'registry serve {}' is not supported yet: put a TLS proxy before it", later);
  }
  std::filesystem::path root = call.value_or("--root", (around.state / "registry").string());
  if (root.is_relative()) root = around.cwd / root;
  std::unique_ptr<oci::RegistryPolicy> policy = std::make_unique<oci::OpenPolicy>();
  if (auto file = call.value("--htpasswd")) policy = std::make_unique<FilePolicy>(*file);
  os::make_dirs(root);
  oci::RegistryStore store(root);
  oci::RegistryServer registry(store, *policy, around.log, {.read_only = call.has("--read-only"), .allows_delete = true});
  std::vector<net::Listener> listeners;
  listeners.push_back({.socket = net::listen_tcp(call.value_or("--listen", "127.0.0.1:5000"))});
  const std::string address = net::local_address(listeners[0].socket);
  net::HttpServer server(
      std::move(listeners),
      [&](net::ServerRequest& request, net::ResponseWriter& response) {
        if (oci::RegistryServer::is_registry_path(request.path)) return registry.handle(request, response);
        response.send(net::text_response(404, "this is a registry: /v2/\n"));
      },
      around.log);
  print(fmt::format("registry on {}, data in {}\n", address, root.string()));
  server.run(around.stop);
  return 0;
}

}  // namespace

Verb registry_verb() {
  using Kind = Option::Kind;
  return {.name = "registry",
          .usage = "serve [--listen ADDRESS] [--root DIR] [options]",
          .summary = "a plain OCI registry on its own",
          .options = {{"--listen", Kind::value, "ADDRESS", "where to listen (127.0.0.1:5000; port 0: any)"},
                      {"--root", Kind::value, "DIR", "where the data is (STATE/registry)"},
                      {"--htpasswd", Kind::value, "FILE", "users and hashed passwords; without it everybody may do everything"},
                      {"--read-only", Kind::flag, "", "refuse pushes and deletes"},
                      {"--tls-cert", Kind::value, "FILE", "not supported yet"},
                      {"--tls-key", Kind::value, "FILE", "not supported yet"}},
          .min_arguments = 1,
          .max_arguments = 1,
          .run = run};
}

}  // namespace slipway::cli
