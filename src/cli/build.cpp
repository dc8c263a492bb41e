// SPDX-License-Identifier: Apache-2.0
#include "image/build.hpp"

#include <unistd.h>

#include <cstdlib>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/build_progress.hpp"
#include "cli/registry_access.hpp"
#include "cli/verbs.hpp"
#include "container/crun_runtime.hpp"
#include "formats/json.hpp"
#include "image/build_options.hpp"
#include "oci/blob_store.hpp"
#include "oci/unpack.hpp"
#include "os/file.hpp"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;
using formats::Json;

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody sets it while we run
  return value ? std::optional<std::string>(value) : std::nullopt;
}

fs::path absolute(const Surroundings& around, const fs::path& path) {
  return path.is_absolute() ? path : around.cwd / path;
}

image::BuildRequest request_of(const Invocation& call, const Surroundings& around) {
  image::BuildRequest request;
  request.context = absolute(around, call.arguments[0]).lexically_normal();
  if (auto file = call.value("--file"); file == "-") {
    request.dockerfile_text = os::read_all(STDIN_FILENO);
  } else if (file) {
    request.dockerfile = *file;
  }
  image::BuildFlags flags{.environment = environment_variable, .cwd = around.cwd};
  request.tags = call.values("--tag");
  for (const auto& text : call.values("--build-arg")) image::add_build_arg(request, text, flags);
  for (const auto& text : call.values("--label")) image::add_pair(request.labels, "--label", text);
  for (const auto& text : call.values("--annotation")) image::add_pair(request.annotations, "--annotation", text);
  for (const auto& text : call.values("--build-context")) image::add_build_context(request, text, flags);
  for (const auto& text : call.values("--secret")) image::add_secret(request, text, flags);
  for (const auto& text : call.values("--ssh")) image::add_ssh(request, text, flags);
  for (const auto& text : call.values("--output")) image::add_output(request, text, flags);
  for (const auto& text : call.values("--allow")) {
    if (text == "security.insecure") request.allow_insecure = true;
    else if (text != "network.host") fail(Fault::bad_input, "--allow '{}' is not known: it is security.insecure or network.host", text);
  }
  request.target = call.value_or("--target", "");
  request.platform = call.value_or("--platform", "");
  request.network = call.value_or("--network", "host");
  request.add_hosts = call.values("--add-host");
  request.no_cache = call.has("--no-cache");
  request.pull = call.has("--pull");
  if (call.has("--push")) request.outputs.push_back({.kind = image::Output::Kind::registry});
  if (auto epoch = environment_variable("SOURCE_DATE_EPOCH"); epoch && !request.build_args.contains("SOURCE_DATE_EPOCH")) {
    request.build_args["SOURCE_DATE_EPOCH"] = *epoch;
  }
  return request;
}

Json result_json(const image::BuildResult& result) {
  Json names = Json::array();
  for (const auto& name : result.names) names.push_back(name);
  Json pushed = Json::array();
  for (const auto& name : result.pushed) pushed.push_back(name);
  return Json::object({{"manifest_digest", result.manifest_digest},
                       {"config_digest", result.config_digest},
                       {"names", names},
                       {"pushed", pushed},
                       {"steps", result.steps},
                       {"cached", result.cached}});
}

void write_files(const Invocation& call, const Surroundings& around, const image::BuildResult& result) {
  if (auto file = call.value("--iidfile")) os::write_file(absolute(around, *file), result.config_digest);
  auto file = call.value("--metadata-file");
  if (!file) return;
  Json metadata = Json::object({{"containerimage.config.digest", result.config_digest},
                                {"containerimage.descriptor", Json::object({{"mediaType", result.media_type},
                                                                            {"digest", result.manifest_digest},
                                                                            {"size", result.manifest_size}})},
                                {"containerimage.digest", result.manifest_digest}});
  if (!result.names.empty()) metadata["image.name"] = join(result.names, ",");
  os::write_file(absolute(around, *file), metadata.pretty() + "\n");
}

int run(const Invocation& call, Surroundings& around) {
  for (const char* later : {"--cache-from", "--cache-to", "--sbom", "--provenance", "--ulimit"}) {
    if (call.has(later) && call.value(later) != "false") {
      fail(Fault::unsupported, "'{}' is not supported yet: slipway build leaves it out", later);
    }
  }
  auto request = request_of(call, around);
  fs::path images = around.state / "images";
  oci::BlobStore store(images);
  oci::LayerCache layers(images / "layers");
  auto registry = make_registry_client(around);
  auto runtime = container::make_crun_runtime({.state = around.state});
  image::BuildEnvironment environment{images, store, layers, *registry, *runtime, around.log};
  std::string style = call.value_or("--progress", around.quiet ? "quiet" : "auto");
  auto progress = make_build_progress(style);
  auto result = image::build(request, environment, [&](const image::Progress& event) { progress->show(event); }, around.stop);
  progress->finish(result);
  write_files(call, around, result);
  if (around.json) {
    print(result_json(result).dump() + "\n");
  } else if (!result.config_digest.empty()) {
    print(result.config_digest + "\n");
  }
  return 0;
}

}  // namespace

Verb build_verb() {
  using Kind = Option::Kind;
  return {.name = "build",
          .usage = "CONTEXT [-f FILE] [-t NAME]… [options]",
          .summary = "builds an image from a Dockerfile",
          .options = {{"-f,--file", Kind::value, "FILE", "the Dockerfile"},
                      {"-t,--tag", Kind::list, "NAME[:TAG]", "a name for the image"},
                      {"--build-arg", Kind::list, "K=V", "a value for an ARG"},
                      {"--target", Kind::value, "STAGE", "the stage to build"},
                      {"--secret", Kind::list, "id=N,src=FILE", "a secret for RUN --mount=type=secret"},
                      {"--ssh", Kind::list, "default[=SOCKET]", "an ssh agent for RUN --mount=type=ssh"},
                      {"--build-context", Kind::list, "N=PATH", "another context"},
                      {"--cache-from", Kind::list, "SPEC", "not supported yet"},
                      {"--cache-to", Kind::list, "SPEC", "not supported yet"},
                      {"--no-cache", Kind::flag, "", "run every step"},
                      {"--pull", Kind::flag, "", "ask for newer base images"},
                      {"--platform", Kind::value, "OS/ARCH", "what to build for"},
                      {"--label", Kind::list, "K=V", "a label of the image"},
                      {"--annotation", Kind::list, "K=V", "an annotation of the manifest"},
                      {"--push", Kind::flag, "", "push to the registry of each name"},
                      {"--load", Kind::flag, "", "into the local image store (always done)"},
                      {"-o,--output", Kind::list, "SPEC", "type=…,dest=…"},
                      {"--sbom", Kind::value, "BOOL", "not supported yet"},
                      {"--provenance", Kind::value, "BOOL", "not supported yet"},
                      {"--progress", Kind::value, "STYLE", "auto, plain, json or quiet"},
                      {"--iidfile", Kind::value, "FILE", "gets the image's id"},
                      {"--metadata-file", Kind::value, "FILE", "gets digests as JSON"},
                      {"--add-host", Kind::list, "NAME:ADDRESS", "a line for /etc/hosts of RUN steps"},
                      {"--network", Kind::value, "MODE", "for RUN steps: host or none"},
                      {"--allow", Kind::list, "WHAT", "security.insecure"},
                      {"--ulimit", Kind::list, "SPEC", "not supported yet"}},
          .min_arguments = 1,
          .max_arguments = 1,
          .run = run};
}

}  // namespace slipway::cli
