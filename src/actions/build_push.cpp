// SPDX-License-Identifier: Apache-2.0
#include <mutex>

#include "actions/aws_access.hpp"
#include "actions/builtin.hpp"
#include "actions/docker_access.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "formats/time.hpp"
#include "image/build.hpp"
#include "image/build_options.hpp"
#include "image/context_source.hpp"
#include "oci/blob_store.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

// docker/build-push-action: the image is built in this process and pushed with the job's logins. A tag that leads to the same
// digest already is not pushed again, so that a run can be repeated against immutable tags.
namespace slipway::actions {
namespace {

namespace fs = std::filesystem;
using formats::Json;
using workflow::ActionContext;

// "a,b" and lines alike.
std::vector<std::string> words_of(ActionContext& context, std::string_view name) {
  std::vector<std::string> words;
  for (const auto& line : context.list(name)) {
    for (const auto& part : split(line, ',')) {
      if (auto word = trim(part); !word.empty()) words.emplace_back(word);
    }
  }
  return words;
}

// A value in the CSV that docker's actions take: "a,b" in quotes is one.
std::string unquoted(std::string text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    return replace_all(text.substr(1, text.size() - 2), "\"\"", "\"");
  return text;
}

/// The commit of the run as files: what a build without `context` is given instead of a clone from the server.
class CommitFiles {
 public:
  CommitFiles(ActionContext& context) {
    fs::path index = directory_.path() / "index";
    fs::path tree = directory_.path() / "tree";
    os::make_dirs(tree);
    auto env = os::environment();
    env["GIT_INDEX_FILE"] = index.string();
    auto done =
        os::capture({.argv = {"git", "-C", context.source_repository().string(), "-c",
                              "safe.directory=*", "--work-tree=" + tree.string(), "checkout", "-q",
                              "-f", context.github().get_string("sha"), "--", "."},
                     .env = std::move(env)},
                    context.stop(), Deadline::in(std::chrono::minutes(10)));
    if (!done.exit.ok())
      fail(Fault::failed, "taking the commit as the build's context: {}", trim(done.err));
    path_ = tree;
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  os::TempDir directory_;
  fs::path path_;
};

/// Shows a build's progress as buildx's plain output does.
class Shown {
 public:
  explicit Shown(ActionContext& context) : context_(context) {}
  void operator()(const image::Progress& progress) {
    using Kind = image::Progress::Kind;
    auto number = progress.step;
    switch (progress.kind) {
      case Kind::started:
        return say(fmt::format("#{} {}", number, progress.name));
      case Kind::done:
        return say(fmt::format("#{} DONE {}", number, formats::print_duration(progress.took)));
      case Kind::cached:
        return say(fmt::format("#{} {}\n#{} CACHED", number, progress.name, number));
      case Kind::failed:
        return say(fmt::format("#{} ERROR: {}", number, progress.name));
      case Kind::message:
        return say(progress.took.count() > 0 ? fmt::format("{} ({})", progress.name,
                                                           formats::print_duration(progress.took))
                                             : progress.name);
      case Kind::output:
        for (auto line : lines_of(progress.name)) say(fmt::format("#{} {}", number, line));
    }
  }

 private:
  void say(const std::string& text) { context_.log(text); }
  ActionContext& context_;
};

class BuildPush final : public workflow::Action {
 public:
  explicit BuildPush(const Dependencies& dependencies) : dependencies_(dependencies) {}

  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    std::vector<workflow::ActionInput> all = {{"load", "false"},
                                              {"no-cache", "false"},
                                              {"pull", "false"},
                                              {"push", "false"},
                                              {"github-token", "${{ github.token }}"}};
    for (const char* name : {"add-hosts",  "allow",          "annotations",   "attests",
                             "build-args", "build-contexts", "builder",       "cache-from",
                             "cache-to",   "call",           "cgroup-parent", "context",
                             "file",       "labels",         "network",       "no-cache-filters",
                             "outputs",    "platforms",      "provenance",    "sbom",
                             "secrets",    "secret-envs",    "secret-files",  "shm-size",
                             "ssh",        "tags",           "target",        "ulimit"}) {
      all.push_back({name, std::nullopt});
    }
    return all;
  }

  void run(ActionContext& context) override {
    std::optional<CommitFiles> commit;
    auto request = request_of(context, commit);
    std::vector<oci::Reference> pushes;
    if (context.flag("push", false)) {
      if (request.tags.empty()) fail(Fault::bad_input, "tag is needed when pushing to registry");
      for (const auto& tag : request.tags) pushes.push_back(oci::Reference::parse(tag));
    }
    std::vector<std::string> hosts;
    for (const auto& reference : pushes) hosts.push_back(reference.host);
    for (const auto* caches : {&request.cache_from, &request.cache_to}) {
      for (const auto& cache : *caches) {
        if (cache.kind == image::CacheSpec::Kind::registry)
          hosts.push_back(oci::Reference::parse(cache.ref).host);
      }
    }
    auto registry = registry_client(context, dependencies_, hosts);
    image::BuildEnvironment environment{.state = dependencies_.state / "images",
                                        .store = dependencies_.store,
                                        .layers = dependencies_.layers,
                                        .registry = *registry,
                                        .runtime = dependencies_.runtime,
                                        .log = dependencies_.log};
    auto lease = dependencies_.store.lease();  // until the image is pushed
    image::FetchedContexts contexts;
    if (request.context.empty()) {
      formats::MemoryReader input("");
      contexts.set_context(request, context.text("context"), {}, environment, input,
                           context.stop());
    }
    contexts.fetch_named(request, environment, context.stop());
    context.group("Building");
    image::BuildResult built;
    try {
      built = image::build(request, environment, Shown(context), context.stop());
    } catch (...) {
      context.end_group();
      throw;
    }
    context.end_group();
    if (request.check_only) {
      context.log(image::print_checks(built.findings));
      if (built.findings.empty()) return;
      fail(Fault::failed, "the Dockerfile's checks found something");
    }
    push(context, *registry, built, pushes);
    publish(context, built);
  }

 private:
  image::BuildRequest request_of(ActionContext& context, std::optional<CommitFiles>& commit) const {
    refuse(context);
    image::BuildRequest request;
    set_context(context, request, commit);
    image::BuildFlags flags{
        .environment = [&context](const std::string& name) -> std::optional<std::string> {
          auto found = context.env().find(name);
          return found == context.env().end() ? std::nullopt : std::optional(found->second);
        },
        .cwd = {},
        .locate = [&context](const std::string& path) { return job_file(context, path); }};
    request.tags = words_of(context, "tags");
    for (const auto& line : context.list("build-args")) image::add_build_arg(request, line, flags);
    for (const auto& line : context.list("labels")) image::add_pair(request.labels, "labels", line);
    for (const auto& line : context.list("annotations")) {
      auto at = line.find(':');  // "manifest:key=value"
      bool has_level = at != std::string::npos && at < line.find('=');
      image::add_pair(request.annotations, "annotations",
                      has_level ? std::string_view(line).substr(at + 1) : line);
    }
    for (const auto& line : context.list("build-contexts"))
      image::add_build_context(request, line, flags);
    for (const auto& line : context.list("ssh")) image::add_ssh(request, line, flags);
    for (const auto& line : context.list("outputs")) image::add_output(request, line, flags);
    for (const auto& line : context.list("ulimit")) image::add_ulimit(request, line);
    for (const auto& line : context.list("no-cache-filters"))
      image::add_no_cache_stages(request, line);
    if (auto size = context.text("shm-size"); !size.empty()) image::set_shm_size(request, size);
    add_caches(context, request, flags);
    for (const auto& line : context.list("attests")) image::add_attestation(request, line);
    if (auto text = context.text("sbom"); !text.empty()) image::set_sbom(request, text);
    if (auto text = context.text("provenance"); !text.empty()) image::set_provenance(request, text);
    add_secrets(context, request, flags);
    if (auto call = context.text("call"); !call.empty()) image::set_call(request, call);
    request.add_hosts = words_of(context, "add-hosts");
    request.target = context.text("target");
    if (auto network = context.text("network"); !network.empty()) request.network = network;
    request.no_cache = context.flag("no-cache", false);
    request.pull = context.flag("pull", false);
    auto allowed = words_of(context, "allow");
    request.allow_insecure =
        std::find(allowed.begin(), allowed.end(), "security.insecure") != allowed.end();
    request.platform = join(words_of(context, "platforms"), ",");
    return request;
  }

  // The builder keeps its own steps from run to run: the job's cache service (type=gha), which is of this machine as well, has nothing to
  // add. What other machines read and write is.
  static void add_caches(ActionContext& context, image::BuildRequest& request,
                         const image::BuildFlags& flags) {
    for (const auto& line : context.list("cache-from")) image::add_cache_from(request, line, flags);
    for (const auto& line : context.list("cache-to")) image::add_cache_to(request, line, flags);
    for (auto* caches : {&request.cache_from, &request.cache_to}) {
      std::erase_if(*caches, [](const image::CacheSpec& cache) {
        return cache.kind == image::CacheSpec::Kind::actions;
      });
    }
  }

  // What would change the result and is not built yet is refused.
  static void refuse(ActionContext& context) {
    if (!context.text("cgroup-parent").empty())
      fail(Fault::unsupported, "the input cgroup-parent is not supported yet");
  }

  // The run's own commit by its address, as docker's action names it when it has no `context`.
  static bool is_own_commit(ActionContext& context, std::string_view given) {
    const auto& github = context.github();
    auto url = github.get_string("server_url") + "/" + github.get_string("repository") + ".git";
    if (!given.starts_with(url)) return false;
    auto ref = given.substr(url.size());
    return ref.empty() || ref == "#" + github.get_string("sha") ||
           ref == "#" + github.get_string("ref");
  }

  static void set_context(ActionContext& context, image::BuildRequest& request,
                          std::optional<CommitFiles>& commit) {
    std::string given = context.text("context");
    std::string file = context.text("file");
    constexpr std::string_view kDefault = "{{defaultContext}}";
    if (given.empty() || given.starts_with(kDefault) || is_own_commit(context, given)) {
      commit.emplace(context);
      bool names_a_part = given.starts_with(kDefault) && given.size() > kDefault.size();
      std::string below =
          names_a_part ? given.substr(kDefault.size() + 1) : "";  // "{{defaultContext}}:sub"
      request.context = below.empty() ? commit->path() : commit->path() / below;
      if (!file.empty()) request.dockerfile = request.context / file;
      return;
    }
    if (given.find("://") != std::string::npos || given.starts_with("git@")) {
      if (fs::path(file).is_absolute())
        fail(Fault::bad_input, "file: '{}' is not within the context {}", file, given);
      if (!file.empty()) request.dockerfile = file;
      return;  // brought here by run()
    }
    request.context = job_file(context, given);
    if (!file.empty()) request.dockerfile = job_file(context, file);
  }

  static void add_secrets(ActionContext& context, image::BuildRequest& request,
                          const image::BuildFlags& flags) {
    auto pair = [](const std::string& line, std::string_view input) {
      std::string text = unquoted(line);
      auto at = text.find('=');
      if (at == std::string::npos || at == 0)
        fail(Fault::bad_input, "{} is not a secret: {} has lines of the form id=value",
             line.substr(0, at), input);
      return std::pair(text.substr(0, at), text.substr(at + 1));
    };
    for (const auto& line : context.list("secrets")) {
      auto [id, value] = pair(line, "secrets");
      request.secrets.push_back({id, value});
    }
    for (const auto& line : context.list("secret-envs")) {
      auto [id, variable] = pair(line, "secret-envs");
      image::add_secret(request, fmt::format("id={},env={}", id, variable), flags);
    }
    for (const auto& line : context.list("secret-files")) {
      auto [id, path] = pair(line, "secret-files");
      request.secrets.push_back({id, os::read_file(job_file(context, path))});
    }
  }

  void push(ActionContext& context, oci::RegistryClient& registry, image::BuildResult& built,
            const std::vector<oci::Reference>& references) const {
    if (references.empty()) return;
    auto digest = oci::Digest::parse(built.manifest_digest);
    oci::Descriptor image{
        .media_type = built.media_type, .digest = digest, .size = built.manifest_size};
    for (const auto& reference : references) {
      auto began = std::chrono::steady_clock::now();
      while_doing(fmt::format("pushing {}", reference), [&] {
        auto present = registry.resolve(reference, context.stop());
        if (present && present->digest == digest) {
          context.log(fmt::format("{} is {} already", reference, built.manifest_digest));
          return;
        }
        registry.push(dependencies_.store, image, reference, {}, context.stop());
        auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - began);
        context.log(fmt::format("pushed {}@{} ({})", reference, built.manifest_digest,
                                formats::print_duration(took)));
      });
      built.pushed.push_back(reference.str());
    }
  }

  static void publish(ActionContext& context, const image::BuildResult& built) {
    Json metadata = Json::object({{"containerimage.config.digest", built.config_digest},
                                  {"containerimage.digest", built.manifest_digest}});
    metadata["containerimage.descriptor"] = Json::object({{"mediaType", built.media_type},
                                                          {"digest", built.manifest_digest},
                                                          {"size", built.manifest_size}});
    if (!built.names.empty()) metadata["image.name"] = join(built.names, ",");
    context.group("ImageID");
    context.log(built.config_digest);
    context.end_group();
    context.group("Digest");
    context.log(built.manifest_digest);
    context.end_group();
    context.set_output("imageid", built.config_digest);
    context.set_output("digest", built.manifest_digest);
    context.set_output("metadata", metadata.pretty());
    context.log(fmt::format("{} of {} steps came from the cache", built.cached, built.steps));
  }

  const Dependencies& dependencies_;
};

}  // namespace

std::unique_ptr<workflow::Action> make_build_push(const Dependencies& dependencies) {
  return std::make_unique<BuildPush>(dependencies);
}

}  // namespace slipway::actions
