// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "net/http_client.hpp"
#include "net/http_server.hpp"
#include "oci/registry_exchange.hpp"
#include "oci/registry_server.hpp"
#include "os/file.hpp"

namespace slipway::oci {

struct TestPolicy final : RegistryPolicy {
  std::string password;              // empty: open
  std::set<std::string> unreadable;  // repositories
  bool creates = true;
  bool immutable = false;
  std::optional<net::HttpResponse> authorise(const net::ServerRequest& request,
                                             RegistryAction action,
                                             std::string_view repository) override {
    if (!password.empty()) {
      auto who = basic_credentials(request);
      if (!who) return unauthorized("Basic realm=\"test\"");
      if (who->password != password) return denied("wrong password");
    }
    if (action == RegistryAction::pull && unreadable.contains(std::string(repository)))
      return denied("not for you");
    return std::nullopt;
  }
  bool creates_on_push(std::string_view) override { return creates; }
  bool is_immutable(std::string_view, std::string_view) override { return immutable; }
};

// A registry on a port of its own.
class TestRegistry {
 public:
  explicit TestRegistry(RegistryServerOptions options = {})
      : server_(store, policy, log_, options) {
    std::vector<net::Listener> listeners;
    listeners.push_back({.socket = net::listen_tcp("127.0.0.1:0")});
    http_ = std::make_unique<net::HttpServer>(
        std::move(listeners),
        [this](net::ServerRequest& request, net::ResponseWriter& response) {
          requests++;
          server_.handle(request, response);
        },
        log_);
    host = fmt::format("127.0.0.1:{}", http_->port());
    tasks_.start([this](const std::stop_token& stop) { http_->run(stop); });
  }
  ~TestRegistry() { tasks_.stop(); }

  net::HttpResponse ask(const std::string& method, const std::string& path,
                        const std::string& body = "", net::Headers headers = {}) {
    return client_.request({method, "http://" + host + path, std::move(headers), body}, {},
                           Deadline::in(std::chrono::seconds(20)));
  }
  net::HttpResponse push_blob(const std::string& repository, const std::string& content) {
    net::HttpResponse begun = ask("POST", "/v2/" + repository + "/blobs/uploads/");
    return ask("PUT", begun.headers.get("Location") + "?digest=" + Digest::of(content).str(),
               content);
  }
  // An image of one layer.
  std::string push_image(const std::string& repository, const std::string& tag,
                         const std::string& content) {
    push_blob(repository, content);
    push_blob(repository, "{}");
    Manifest manifest;
    manifest.config = describe("{}", media_type::kConfig);
    manifest.layers = {describe(content, media_type::kLayer)};
    std::string bytes = print(manifest);
    net::HttpResponse put = ask("PUT", "/v2/" + repository + "/manifests/" + tag, bytes,
                                {{"Content-Type", std::string(media_type::kManifest)}});
    CHECK(put.status == 201);
    return Digest::of(bytes).str();
  }

  os::TempDir dir;
  RegistryStore store{dir.path()};
  TestPolicy policy;
  std::string host;
  std::atomic<int> requests = 0;

 private:
  NoLog log_;
  RegistryServer server_;
  net::HttpClient client_;
  std::unique_ptr<net::HttpServer> http_;
  TaskGroup tasks_{{}};
};

}  // namespace slipway::oci
