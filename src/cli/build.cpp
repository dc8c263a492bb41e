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
#include "image/context_source.hpp"
#include "oci/blob_store.hpp"
#include "oci/unpack.hpp"
#include "os/file.hpp"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;
using formats::Json;

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value =
      std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody sets it while we run
  return value ? std::optional<std::string>(value) : std::nullopt;
}

fs::path absolute(const Surroundings& around, const fs::path& path) {
  return path.is_absolute() ? path : around.cwd / path;
}

image::BuildRequest request_of(const Invocation& call, const Surroundings& around) {
  image::BuildRequest request;
  if (auto file = call.value("--file"); file == "-") {
    request.dockerfile_text = os::read_all(STDIN_FILENO);
  } else if (file) {
    request.dockerfile = *file;
  }
  image::BuildFlags flags{.environment = environment_variable, .cwd = around.cwd};
  request.tags = call.values("--tag");
  for (const auto& text : call.values("--build-arg")) image::add_build_arg(request, text, flags);
  for (const auto& text : call.values("--label")) image::add_pair(request.labels, "--label", text);
  for (const auto& text : call.values("--annotation"))
    image::add_pair(request.annotations, "--annotation", text);
  for (const auto& text : call.values("--build-context"))
    image::add_build_context(request, text, flags);
  for (const auto& text : call.values("--secret")) image::add_secret(request, text, flags);
  for (const auto& text : call.values("--ssh")) image::add_ssh(request, text, flags);
  for (const auto& text : call.values("--output")) image::add_output(request, text, flags);
  for (const auto& text : call.values("--cache-from")) image::add_cache_from(request, text, flags);
  for (const auto& text : call.values("--cache-to")) image::add_cache_to(request, text, flags);
  for (const auto& text : call.values("--attest")) image::add_attestation(request, text);
  if (auto text = call.value("--sbom")) image::set_sbom(request, *text);
  if (auto text = call.value("--provenance")) image::set_provenance(request, *text);
  for (const auto& text : call.values("--ulimit")) image::add_ulimit(request, text);
  if (auto text = call.value("--shm-size")) image::set_shm_size(request, *text);
  for (const auto& text : call.values("--no-cache-filter"))
    image::add_no_cache_stages(request, text);
  for (const auto& text : call.values("--allow")) {
    if (text == "security.insecure")
      request.allow_insecure = true;
    else if (text != "network.host")
      fail(Fault::bad_input, "--allow '{}' is not known: it is security.insecure or network.host",
           text);
  }
  request.target = call.value_or("--target", "");
  request.platform = call.value_or("--platform", "");
  request.network = call.value_or("--network", "host");
  request.add_hosts = call.values("--add-host");
  request.no_cache = call.has("--no-cache");
  request.pull = call.has("--pull");
  image::set_call(request, call.value_or("--call", call.has("--check") ? "check" : "build"));
  request.explain = call.has("--explain");
  if (call.has("--push")) request.outputs.push_back({.kind = image::Output::Kind::registry});
  if (auto epoch = environment_variable("SOURCE_DATE_EPOCH");
      epoch && !request.build_args.contains("SOURCE_DATE_EPOCH")) {
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

int print_findings(const image::BuildResult& result, const Surroundings& around) {
  if (around.json) {
    Json warnings = Json::array();
    for (const auto& finding : result.findings) {
      auto position = [](int line) {
        return Json::object({{"line", static_cast<std::int64_t>(line)}});
      };
      Json ranges = Json::array();
      ranges.push_back(
          Json::object({{"start", position(finding.line)}, {"end", position(finding.last_line)}}));
      Json location = Json::object({{"ranges", ranges}});
      warnings.push_back(Json::object({{"ruleName", finding.rule},
                                       {"description", finding.description},
                                       {"detail", finding.message},
                                       {"url", finding.address},
                                       {"location", location},
                                       {"file", finding.file},
                                       {"line", static_cast<std::int64_t>(finding.line)}}));
    }
    print(Json::object({{"warnings", warnings}}).dump() + "\n");
    return result.findings.empty() ? 0 : 1;
  }
  print(image::print_checks(result.findings));
  return result.findings.empty() ? 0 : 1;
}

void write_files(const Invocation& call, const Surroundings& around,
                 const image::BuildResult& result) {
  if (auto file = call.value("--iidfile"))
    os::write_file(absolute(around, *file), result.config_digest);
  auto file = call.value("--metadata-file");
  if (!file) return;
  Json metadata =
      Json::object({{"containerimage.config.digest", result.config_digest},
                    {"containerimage.descriptor", Json::object({{"mediaType", result.media_type},
                                                                {"digest", result.manifest_digest},
                                                                {"size", result.manifest_size}})},
                    {"containerimage.digest", result.manifest_digest}});
  if (!result.names.empty()) metadata["image.name"] = join(result.names, ",");
  os::write_file(absolute(around, *file), metadata.pretty() + "\n");
}

int run(const Invocation& call, Surroundings& around) {
  auto request = request_of(call, around);
  fs::path images = around.state / "images";
  oci::BlobStore store(images);
  oci::LayerCache layers(images / "layers");
  auto registry = make_registry_client(around);
  auto runtime = container::make_crun_runtime({.state = around.state});
  image::BuildEnvironment environment{images, store, layers, *registry, *runtime, around.log};
  bool is_told = !around.quiet && !request.check_only;
  std::string style = call.value_or("--progress", is_told ? "auto" : "quiet");
  auto progress = make_build_progress(style, around);
  auto lease = store.lease();  // `prune` leaves the contexts that are being fetched alone
  image::FetchedContexts contexts;
  formats::FdReader input(STDIN_FILENO);
  contexts.set_context(request, call.arguments[0], around.cwd, environment, input, around.stop);
  contexts.fetch_named(request, environment, around.stop);
  auto result = image::build(
      request, environment, [&](const image::Progress& event) { progress->show(event); },
      around.stop);
  if (request.check_only) return print_findings(result, around);
  progress->finish(result);
  for (const auto& finding : result.findings) {
    if (!around.quiet && !around.json)
      print_error(fmt::format("warning: {}: {} ({}:{})\n", finding.rule, finding.message,
                              finding.file, finding.line));
  }
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
  return {
      .name = "build",
      .usage = "CONTEXT [-f FILE] [-t NAME]… [options]",
      .summary = "builds an image from a Dockerfile",
      .options = {{"-f,--file", Kind::value, "FILE", "the Dockerfile"},
                  {"-t,--tag", Kind::list, "NAME[:TAG]", "a name for the image"},
                  {"--build-arg", Kind::list, "K=V", "a value for an ARG"},
                  {"--target", Kind::value, "STAGE", "the stage to build"},
                  {"--secret", Kind::list, "id=N,src=FILE", "a secret for RUN --mount=type=secret"},
                  {"--ssh", Kind::list, "default[=SOCKET]",
                   "an ssh agent for RUN --mount=type=ssh"},
                  {"--build-context", Kind::list, "N=PATH", "another context"},
                  {"--cache-from", Kind::list, "SPEC",
                   "steps of other machines: REF, type=local,src=DIR"},
                  {"--cache-to", Kind::list, "SPEC",
                   "type=registry,ref=REF[,mode=max], type=inline, type=local,dest=DIR"},
                  {"--check", Kind::flag, "", "check the Dockerfile, build nothing"},
                  {"--explain", Kind::flag, "", "say for each step why it is run or not"},
                  {"--no-cache", Kind::flag, "", "run every step"},
                  {"--no-cache-filter", Kind::list, "STAGE", "run every step of a stage"},
                  {"--pull", Kind::flag, "", "ask for newer base images"},
                  {"--platform", Kind::value, "OS/ARCH", "what to build for"},
                  {"--label", Kind::list, "K=V", "a label of the image"},
                  {"--annotation", Kind::list, "K=V", "an annotation of the manifest"},
                  {"--push", Kind::flag, "", "push to the registry of each name"},
                  {"--load", Kind::flag, "", "into the local image store (always done)"},
                  {"-o,--output", Kind::list, "SPEC", "type=…,dest=…"},
                  {"--sbom", Kind::choice, "[=BOOL]", "attest the packages in the image (SPDX)"},
                  {"--provenance", Kind::choice, "[=mode=max]", "attest how it was made (SLSA)"},
                  {"--attest", Kind::list, "type=…", "sbom or provenance"},
                  {"--progress", Kind::value, "STYLE", "auto, plain, tty, json, rawjson or quiet"},
                  {"--iidfile", Kind::value, "FILE", "gets the image's id"},
                  {"--metadata-file", Kind::value, "FILE", "gets digests as JSON"},
                  {"--add-host", Kind::list, "NAME:ADDRESS", "a line for /etc/hosts of RUN steps"},
                  {"--network", Kind::value, "MODE", "for RUN steps: host or none"},
                  {"--allow", Kind::list, "WHAT", "security.insecure"},
                  {"--ulimit", Kind::list, "NAME=SOFT[:HARD]", "a limit of RUN steps"},
                  {"--call", Kind::value, "METHOD", "build, or check as --check"},
                  {"--shm-size", Kind::value, "SIZE", "of RUN steps' /dev/shm"}},
      .min_arguments = 1,
      .max_arguments = 1,
      .run = run};
}

}  // namespace slipway::cli
