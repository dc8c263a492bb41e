// SPDX-License-Identifier: Apache-2.0
#include "cli/job_images.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"
#include "formats/time.hpp"
#include "image/build.hpp"

namespace slipway::cli {
namespace {

workflow::ReadyImage ready(const oci::StoredImage& image,
                           std::vector<std::filesystem::path> layers) {
  const auto& config = image.config.config;
  workflow::ReadyImage result{.layers = std::move(layers),
                              .entrypoint = config.entrypoint.value_or(std::vector<std::string>{}),
                              .command = config.cmd.value_or(std::vector<std::string>{}),
                              .env = {},
                              .user = config.user,
                              .workdir = config.working_dir,
                              .volumes = config.volumes,
                              .health_test = {}};
  for (const auto& entry : config.env) {
    auto equals = entry.find('=');
    result.env[entry.substr(0, equals)] =
        equals == std::string::npos ? "" : entry.substr(equals + 1);
  }
  if (config.healthcheck && !config.healthcheck->test.empty() &&
      config.healthcheck->test.front() != "NONE") {
    result.health_test = config.healthcheck->test;
  }
  return result;
}

}  // namespace

workflow::ReadyImage StoreImages::fetch(const std::string& text,
                                        const std::optional<workflow::RegistryLogin>& login,
                                        const workflow::OutputSink& sink, std::stop_token stop) {
  auto reference = oci::Reference::parse(text);
  return while_doing(fmt::format("image {}", reference.familiar()), [&] {
    auto lease = store_.lease();
    auto image = oci::find_image(store_, reference.str(), oci::Platform::host());
    if (!image) {
      sink(fmt::format("Pulling {}\n", reference.familiar()));
      auto credentials = oci::docker_config_credentials();
      if (login) {
        credentials = oci::first_of(
            [&](const std::string& host) -> std::optional<oci::Credentials> {
              if (host != reference.host) return std::nullopt;
              return oci::Credentials{
                  .username = login->username, .password = login->password, .identity_token = {}};
            },
            credentials);
      }
      oci::RegistryClient client({.credentials = credentials}, log_);
      client.pull(reference, store_, {.unpack_into = &layers_}, stop);
      image = oci::find_image(store_, reference.str(), oci::Platform::host());
      if (!image) fail(Fault::not_found, "the registry has no image for this platform");
    }
    return ready(*image, layers_.unpack(image->manifest, image->config, store_, stop));
  });
}

workflow::ReadyImage StoreImages::build(const std::filesystem::path& dockerfile,
                                        const workflow::OutputSink& sink, std::stop_token stop) {
  return while_doing(fmt::format("building '{}'", dockerfile.filename().string()), [&] {
    auto lease = store_.lease();
    oci::RegistryClient client({.credentials = oci::docker_config_credentials()}, log_);
    image::BuildEnvironment environment{.state = state_,
                                        .store = store_,
                                        .layers = layers_,
                                        .registry = client,
                                        .runtime = runtime_,
                                        .log = log_};
    image::BuildRequest request{.context = dockerfile.parent_path(), .dockerfile = dockerfile};
    auto name =
        "localhost/slipway-action:" + formats::sha256_hex(dockerfile.string()).substr(0, 16);
    request.tags = {name};
    auto show = [&](const image::Progress& progress) {
      using Kind = image::Progress::Kind;
      if (progress.kind == Kind::output)
        return sink(progress.name.ends_with('\n') ? progress.name : progress.name + "\n");
      if (progress.kind == Kind::started || progress.kind == Kind::failed ||
          progress.kind == Kind::cached) {
        sink(fmt::format("#{} {}{}\n", progress.step,
                         progress.kind == Kind::cached ? "CACHED " : "", progress.name));
      }
    };
    image::build(request, environment, show, stop);
    auto image = oci::find_image(store_, oci::Reference::parse(name).str(), oci::Platform::host());
    if (!image) fail(Fault::failed, "the build left no image");
    return ready(*image, layers_.unpack(image->manifest, image->config, store_, stop));
  });
}

}  // namespace slipway::cli
