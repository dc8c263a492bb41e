// SPDX-License-Identifier: Apache-2.0
#include <condition_variable>
#include <mutex>
#include <optional>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "cli/registry_access.hpp"
#include "cli/verbs.hpp"
#include "formats/json.hpp"
#include "net/http_server.hpp"
#include "net/stream.hpp"
#include "net/tls.hpp"
#include "net/url.hpp"
#include "oci/htpasswd.hpp"
#include "oci/pull_through.hpp"
#include "oci/registry_server.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace slipway::cli {
namespace {

constexpr auto kGarbageSpan = std::chrono::hours(1);    // between collections
constexpr auto kGarbageGrace = std::chrono::hours(24);  // for blobs that no manifest names

// Asks `inner` who may do what, and the mirrored registry for what is missing.
class MirrorPolicy final : public oci::RegistryPolicy {
 public:
  MirrorPolicy(oci::RegistryPolicy& inner, oci::PullThrough& mirror)
      : inner_(inner), mirror_(mirror) {}
  std::optional<net::HttpResponse> authorise(const net::ServerRequest& request,
                                             oci::RegistryAction action,
                                             std::string_view repository) override {
    // containerd says by 'ns' of which registry it wants the image. source OCI distribution-spec, "Registry Proxying"
    auto wanted = net::query_value(request.query, "ns");
    if (wanted && *wanted != mirror_.upstream()) {
      return oci::registry_error(404, "NAME_UNKNOWN",
                                 fmt::format("this is a mirror of {}", mirror_.upstream()));
    }
    return inner_.authorise(request, action, repository);
  }
  void wants_manifest(std::string_view repository, std::string_view tag_or_digest,
                      const std::stop_token& stop) override {
    mirror_.bring_manifest(repository, tag_or_digest, stop);
  }
  void wants_blob(std::string_view repository, const oci::Digest& digest,
                  const std::stop_token& stop) override {
    mirror_.bring_blob(repository, digest, stop);
  }
  void wants_referrers(std::string_view repository, const oci::Digest& subject,
                       const std::stop_token& stop) override {
    mirror_.bring_referrers(repository, subject, stop);
  }
  std::optional<std::vector<std::string>> known_tags(std::string_view repository,
                                                     const std::stop_token& stop) override {
    return mirror_.tags(repository, stop);
  }

 private:
  oci::RegistryPolicy& inner_;
  oci::PullThrough& mirror_;
};

std::uint64_t size_of(std::string_view text) {
  auto digits = text.find_first_not_of("0123456789");
  auto count = to_integer(text.substr(0, digits));
  std::string unit = to_lower(digits == std::string_view::npos ? "" : trim(text.substr(digits)));
  if (unit.ends_with('b')) unit.pop_back();
  auto power = std::string_view("kmgt").find(unit);
  if (!count || *count < 0 || unit.size() > 1 ||
      (!unit.empty() && power == std::string_view::npos)) {
    fail(Fault::bad_input, "'{}' is not a size such as 500MB or 10GB", text);
  }
  auto size = static_cast<std::uint64_t>(*count);
  for (std::size_t i = 0; !unit.empty() && i <= power; ++i) {
    if (__builtin_mul_overflow(size, 1000, &size))
      fail(Fault::bad_input, "'{}' is more than any disk holds", text);
  }
  return size;
}

std::filesystem::path absolute(const Surroundings& around, const std::filesystem::path& path) {
  return path.is_absolute() ? path : around.cwd / path;
}

void collect_now_and_then(oci::RegistryStore& store, Log& log, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  while (!wake.wait_for(lock, stop, kGarbageSpan, [] { return false; }) && !stop.stop_requested()) {
    try {
      auto gone = store.collect_garbage(kGarbageGrace);
      if (gone.blobs + gone.uploads > 0)
        log.info(
            "registry: {} blobs that no manifest names and {} unfinished uploads are gone, {} "
            "bytes",
            gone.blobs, gone.uploads, gone.bytes);
    } catch (const Error& error) {  // a full disk, say: no reason to stop serving
      log.error("registry: removing what nothing needs: {}", error.what());
    }
  }
}

int serve(const Invocation& call, Surroundings& around) {
  auto root = absolute(around, call.value_or("--root", (around.state / "registry").string()));
  std::unique_ptr<oci::RegistryPolicy> users = std::make_unique<oci::OpenPolicy>();
  if (auto file = call.value("--htpasswd")) {
    auto text = os::read_file_if_exists(absolute(around, *file));
    if (!text) fail(Fault::bad_input, "--htpasswd: there is no file '{}'", *file);
    users = std::make_unique<oci::HtpasswdPolicy>(*text, *file);
  }
  std::optional<net::TlsServer> tls;
  if (call.has("--tls-cert") != call.has("--tls-key"))
    fail(Fault::bad_input, "--tls-cert and --tls-key belong together");
  if (auto certificate = call.value("--tls-cert")) {
    tls.emplace(absolute(around, *certificate).string(),
                absolute(around, *call.value("--tls-key")).string());
  }
  os::make_dirs(root);
  oci::RegistryStore store(root);
  auto client = make_registry_client(around);
  oci::PullThrough mirror(call.value_or("--proxy", ""), *client, store, around.log);
  MirrorPolicy mirrored(*users, mirror);
  bool is_mirror = call.has("--proxy");
  oci::RegistryServerOptions options{.read_only = call.has("--read-only") || is_mirror,
                                     .allows_delete = true};
  if (is_mirror && call.has("--quota"))
    fail(Fault::bad_input, "--quota limits pushes, and a mirror (--proxy) takes none");
  if (auto quota = call.value("--quota")) options.most_total_bytes = size_of(*quota);
  oci::RegistryPolicy& policy = is_mirror ? static_cast<oci::RegistryPolicy&>(mirrored) : *users;
  oci::RegistryServer registry(store, policy, around.log, options);
  // A request has its connection, a file and, in a mirror, a connection to the other registry.
  const std::size_t connections = std::clamp<std::size_t>(
      os::raise_descriptor_limit() / 4, 16, net::HttpServerOptions{}.most_connections);
  std::vector<net::Listener> listeners;
  listeners.push_back({.socket = net::listen_tcp(call.value_or("--listen", "127.0.0.1:5000")),
                       .tls = tls ? &*tls : nullptr});
  const std::string address = net::local_address(listeners[0].socket);
  net::HttpServer server(std::move(listeners),
                         [&](net::ServerRequest& request, net::ResponseWriter& response) {
                           if (oci::RegistryServer::is_registry_path(request.path))
                             return registry.handle(request, response);
                           response.send(net::text_response(404, "this is a registry: /v2/\n"));
                         },
                         around.log, {.most_connections = connections});
  print(
      fmt::format("registry on {}{}, data in {}\n", tls ? "https://" : "", address, root.string()));
  TaskGroup group(around.stop);
  group.start([&](const std::stop_token& stop) { collect_now_and_then(store, around.log, stop); });
  group.start([&](const std::stop_token& stop) { server.run(stop); });
  try {
    group.join();
  } catch (const Cancelled&) {  // NOLINT(bugprone-empty-catch): how it ends
  }
  return 0;
}

int collect(const Invocation& call, Surroundings& around) {
  auto root = absolute(around, call.value_or("--root", (around.state / "registry").string()));
  if (!std::filesystem::exists(root / "registry.db"))
    fail(Fault::not_found, "there is no registry in '{}'", root.string());
  oci::RegistryStore store(root);
  auto gone = store.collect_garbage(std::chrono::seconds(0));
  if (around.json) {
    print(formats::Json::object(
              {{"blobs", gone.blobs}, {"bytes", gone.bytes}, {"uploads", gone.uploads}})
              .dump() +
          "\n");
    return 0;
  }
  print(fmt::format("{} blobs, {} bytes, {} unfinished uploads removed\n", gone.blobs, gone.bytes,
                    gone.uploads));
  return 0;
}

int registry(const Invocation& call, Surroundings& around) {
  std::string what = call.arguments.empty() ? "" : call.arguments[0];
  if (what == "serve") return serve(call, around);
  if (what == "gc") return collect(call, around);
  fail(Fault::bad_input, "it is 'slipway registry serve' or 'slipway registry gc'");
}

}  // namespace

Verb registry_verb() {
  using Kind = Option::Kind;
  return {.name = "registry",
          .usage = "serve|gc [--listen ADDRESS] [--root DIR] [options]",
          .summary = "a plain OCI registry on its own",
          .options = {{"--listen", Kind::value, "ADDRESS",
                       "where to listen (127.0.0.1:5000; port 0: any)"},
                      {"--root", Kind::value, "DIR", "where the data is (STATE/registry)"},
                      {"--htpasswd", Kind::value, "FILE",
                       "users and hashed passwords; without it everybody may do everything"},
                      {"--read-only", Kind::flag, "", "refuse pushes and deletes"},
                      {"--proxy", Kind::value, "HOST",
                       "be a mirror of this registry: fetch what is missing"},
                      {"--quota", Kind::value, "SIZE", "refuse pushes past this many bytes"},
                      {"--tls-cert", Kind::value, "FILE",
                       "serve https with this certificate (PEM, chain behind it)"},
                      {"--tls-key", Kind::value, "FILE", "its key (PEM)"}},
          .min_arguments = 1,
          .max_arguments = 1,
          .run = registry};
}

}  // namespace slipway::cli
