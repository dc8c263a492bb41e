// SPDX-License-Identifier: Apache-2.0
#include "oci/manifest.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

namespace slipway::oci {
namespace {

const std::string kSum = "sha256:" + std::string(64, '1');

std::string descriptor(const std::string& more = "") {
  return R"({"mediaType":"t","digest":")" + kSum + R"(","size":3)" + more + "}";
}
std::string manifest_text(const std::string& more = "") {
  return R"({"schemaVersion":2,"config":)" + descriptor() + R"(,"layers":[)" + descriptor() + "]" +
         more + "}";
}

std::string message_of(const std::string& text) {
  try {
    parse_manifest_or_index(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST_CASE("a manifest is read and printed again") {
  Manifest manifest = parse_manifest(manifest_text(R"(,"annotations":{"a":"b"},"subject":)" +
                                                   descriptor() + R"(,"artifactType":"x/y")"));
  CHECK(manifest.layers.size() == 1);
  CHECK(manifest.layers[0].size == 3);
  CHECK(manifest.annotations == Annotations{{"a", "b"}});
  CHECK(manifest.artifact_type == "x/y");
  CHECK(manifest.subject);
  CHECK(parse_manifest(print(manifest)) == manifest);
}

TEST_CASE("an index is read and printed again") {
  Index index = parse_index(
      R"({"schemaVersion":2,"manifests":[)" +
      descriptor(R"(,"platform":{"os":"linux","architecture":"arm64","variant":"v8"})") + "]}");
  CHECK(index.manifests.at(0).platform->variant == "v8");
  CHECK(parse_index(print(index)) == index);
}

TEST_CASE("a document that is two things at once is refused") {
  CHECK(message_of(manifest_text(R"(,"manifests":[])")).find("may not have both") !=
        std::string::npos);
  CHECK(message_of(R"({"schemaVersion":1,"fsLayers":[]})").find("schema 1") != std::string::npos);
  CHECK_THROWS_AS(parse_manifest_or_index(
                      manifest_text(R"(,"mediaType":"application/vnd.oci.image.manifest.v1+json")"),
                      media_type::kIndex),
                  Error);
}

TEST_CASE("broken manifests name the field") {
  CHECK(message_of(R"({"schemaVersion":2,"layers":[]})").find("'config'") != std::string::npos);
  CHECK(message_of(R"({"schemaVersion":2,"config":{"digest":"sha256:x","size":1},"layers":[]})")
            .find("'config'") != std::string::npos);
  CHECK(message_of(R"({"schemaVersion":2,"config":)" + descriptor() + R"(,"layers":{}})")
            .find("'layers'") != std::string::npos);
  CHECK(message_of(R"({"schemaVersion":2,"config":{"digest":")" + kSum +
                   R"(","size":-1},"layers":[]})")
            .find("negative") != std::string::npos);
  CHECK(message_of("[]") != "accepted");
  CHECK(message_of("{") != "accepted");
  CHECK(message_of(R"({"schemaVersion":2,"manifests":[{}]})") != "accepted");
}

TEST_CASE("a manifest without a type of its own takes the transport's") {
  auto document = parse_manifest_or_index(manifest_text(), media_type::kDockerManifest);
  CHECK(std::get<Manifest>(document).media_type == media_type::kDockerManifest);
}

TEST_CASE("an image configuration is read and printed again") {
  ImageConfig config = parse_image_config(
      R"({"architecture":"amd64","os":"linux","created":"2026-01-01T00:00:00Z","config":{"User":"1000","Env":["A=b"],)"
      R"("Entrypoint":["/x"],"Cmd":null,"ExposedPorts":{"80/tcp":{}},"Volumes":{"/v":{}},"WorkingDir":"/w","Labels":{"l":"m"},)"
      R"("StopSignal":"SIGQUIT","Healthcheck":{"Test":["CMD-SHELL","x"],"Interval":5000000000,"Retries":3},"Shell":["/bin/sh","-c"],)"
      R"("OnBuild":["RUN x"]},"rootfs":{"type":"layers","diff_ids":[")" +
      kSum + R"("]},"history":[{"created_by":"x"},{"created_by":"y","empty_layer":true}]})");
  CHECK(config.config.entrypoint == std::vector<std::string>{"/x"});
  CHECK_FALSE(config.config.cmd);
  CHECK(config.config.exposed_ports == std::vector<std::string>{"80/tcp"});
  CHECK(config.config.healthcheck->interval_ns == 5'000'000'000);
  CHECK(config.history.size() == 2);
  CHECK(config.history[1].empty_layer);
  CHECK(parse_image_config(print(config)) == config);
}

TEST_CASE("an image configuration of nulls is an empty one") {
  ImageConfig config = parse_image_config(
      R"({"architecture":"amd64","os":"linux","config":{"Env":null,"Volumes":null,"Labels":null,"OnBuild":null},)"
      R"("rootfs":{"type":"layers","diff_ids":null},"history":null})");
  CHECK(config.config == RunConfig{});
  CHECK_THROWS_AS(parse_image_config(R"({"rootfs":{"type":"layers","diff_ids":["x"]}})"), Error);
  CHECK_THROWS_AS(parse_image_config(R"({"config":{"Env":"A=b"},"rootfs":{"type":"layers"}})"),
                  Error);
}

TEST_CASE("platforms are normalised and matched") {
  CHECK(Platform::parse("linux/x86_64").str() == "linux/amd64");
  CHECK(Platform::parse("arm64").str() == "linux/arm64");
  CHECK(Platform::parse("linux/arm64/v8") == Platform::parse("aarch64"));
  CHECK(Platform::parse("linux/armhf").str() == "linux/arm/v7");
  CHECK_THROWS_AS(Platform::parse("a/b/c/d"), Error);
  CHECK_THROWS_AS(Platform::parse("linux/"), Error);
  Index index;
  for (const char* name : {"linux/arm/v6", "linux/arm/v7", "linux/amd64", "linux/arm64/v8"}) {
    Descriptor entry;
    entry.platform = Platform::parse(name);
    if (std::string(name) == "linux/arm64/v8") entry.platform->variant = "v8";
    entry.artifact_type = name;
    index.manifests.push_back(entry);
  }
  CHECK(select(index, Platform::parse("linux/arm"))->artifact_type == "linux/arm/v7");
  CHECK(select(index, Platform::parse("linux/arm64"))->artifact_type == "linux/arm64/v8");
  CHECK(select(index, Platform::parse("linux/riscv64")) == nullptr);
}

TEST_CASE("an attestation is not taken for an image") {
  Index index;
  Descriptor attestation;
  attestation.platform = Platform{"unknown", "unknown", "", ""};
  attestation.annotations["vnd.docker.reference.type"] = "attestation-manifest";
  index.manifests.push_back(attestation);
  CHECK(select(index, Platform{"unknown", "unknown", "", ""}) == nullptr);
}

}  // namespace
}  // namespace slipway::oci
