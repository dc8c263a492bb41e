// SPDX-License-Identifier: Apache-2.0
#include "actions/docker_tool.hpp"

#include <fcntl.h>

#include "actions/aws_access.hpp"
#include "actions/builtin.hpp"
#include "actions/docker_access.hpp"
#include "actions/docker_flags.hpp"
#include "actions/tool_context.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/io.hpp"
#include "oci/layout.hpp"
#include "oci/reference.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace slipway::actions {
namespace {

using formats::Json;
using Words = std::span<const std::string>;

// What the client library of docker's own actions reads versions from; the builder has the features of these.
constexpr std::string_view kDockerVersion = "27.3.1";
constexpr std::string_view kBuildxVersion = "v0.19.0";
constexpr std::string_view kBuildKitVersion = "v0.17.0";

// Flags of `docker build` and the input of docker/build-push-action that means the same.
struct BuildFlag {
  DockerFlag flag;
  const char* input;  // nullptr: steers a daemon, has no effect here
};
constexpr BuildFlag kBuildFlags[] = {
    {{"--add-host"}, "add-hosts"},
    {{"--allow"}, "allow"},
    {{"--annotation"}, "annotations"},
    {{"--attest"}, nullptr},
    {{"--build-arg"}, "build-args"},
    {{"--build-context"}, "build-contexts"},
    {{"--cache-from"}, "cache-from"},
    {{"--cache-to"}, "cache-to"},
    {{"--call"}, "call"},
    {{"--cgroup-parent"}, "cgroup-parent"},
    {{"--file", 'f'}, "file"},
    {{"--label"}, "labels"},
    {{"--load", 0, false}, "load"},
    {{"--network"}, "network"},
    {{"--no-cache", 0, false}, "no-cache"},
    {{"--no-cache-filter"}, "no-cache-filters"},
    {{"--output", 'o'}, "outputs"},
    {{"--platform"}, "platforms"},
    {{"--provenance"}, "provenance"},
    {{"--pull", 0, false}, "pull"},
    {{"--push", 0, false}, "push"},
    {{"--sbom"}, "sbom"},
    {{"--shm-size"}, "shm-size"},
    {{"--ssh"}, "ssh"},
    {{"--tag", 't'}, "tags"},
    {{"--target"}, "target"},
    {{"--ulimit"}, "ulimit"},
    {{"--secret"}, nullptr},
    {{"--iidfile"}, nullptr},
    {{"--metadata-file"}, nullptr},
    {{"--quiet", 'q', false}, nullptr},
    {{"--progress"}, nullptr},
    {{"--builder"}, nullptr},
    {{"--debug", 'D', false}, nullptr},
    {{"--rm", 0, false}, nullptr},
    {{"--force-rm", 0, false}, nullptr},
    {{"--compress", 0, false}, nullptr},
};

// "id=N,src=PATH" or "id=N,env=NAME" as a line of secret-files or secret-envs.
void add_secret(std::map<std::string, std::string>& inputs, const std::string& text) {
  std::string id;
  std::string file;
  std::string variable;
  for (const auto& field : split(text, ',')) {
    auto at = field.find('=');
    auto name = field.substr(0, at);
    auto value = at == std::string::npos ? "" : field.substr(at + 1);
    if (name == "id") id = value;
    if (name == "src" || name == "source") file = value;
    if (name == "env") variable = value;
  }
  if (id.empty()) fail(Fault::bad_input, "--secret '{}' has no id", text);
  if (!file.empty()) {
    inputs["secret-files"] += fmt::format("{}={}\n", id, file);
  } else {
    inputs["secret-envs"] += fmt::format("{}={}\n", id, variable.empty() ? id : variable);
  }
}

// "type=provenance,mode=max" is --provenance=mode=max, "type=sbom" is --sbom=true.
void add_attestation(std::map<std::string, std::string>& inputs, const std::string& text) {
  for (std::string_view kind : {"provenance", "sbom"}) {
    auto prefix = fmt::format("type={}", kind);
    if (text != prefix && !text.starts_with(prefix + ",")) continue;
    inputs[std::string(kind)] = text == prefix ? "true" : text.substr(prefix.size() + 1);
    return;
  }
  fail(Fault::bad_input, "--attest '{}' is neither type=provenance nor type=sbom", text);
}

class DockerTool final : public workflow::JobTool {
 public:
  explicit DockerTool(const Dependencies& dependencies)
      : dependencies_(dependencies), build_push_(make_build_push(dependencies_)) {}
  [[nodiscard]] std::string name() const override { return "docker"; }

  int run(workflow::ToolCall& call) override {
    Words words(call.argv);
    words = words.subspan(1);
    while (!words.empty() && (words[0] == "-D" || words[0] == "--debug")) words = words.subspan(1);
    if (words.empty() || words[0] == "--help" || words[0] == "help")
      return say(call,
                 "docker, as slipway answers it in jobs: build, buildx, login, logout, push, pull, "
                 "tag, images, rmi, inspect, save, load, version, info\n");
    if (words[0] == "--version" || words[0] == "-v")
      return say(call, fmt::format("Docker version {}, build slipway\n", kDockerVersion));
    std::string command = words[0];
    words = words.subspan(1);
    if ((command == "image" || command == "builder" || command == "system") && !words.empty()) {
      command = words[0];
      words = words.subspan(1);
    }
    if (command == "buildx") return buildx(call, words);
    using Handler = int (DockerTool::*)(workflow::ToolCall&, Words) const;
    static const std::map<std::string, Handler, std::less<>> kCommands = {
        {"build", &DockerTool::build},     {"login", &DockerTool::login},
        {"logout", &DockerTool::logout},   {"push", &DockerTool::push},
        {"pull", &DockerTool::pull},       {"tag", &DockerTool::tag},
        {"images", &DockerTool::images},   {"ls", &DockerTool::images},
        {"rmi", &DockerTool::remove},      {"rm", &DockerTool::remove},
        {"save", &DockerTool::save},       {"load", &DockerTool::load},
        {"inspect", &DockerTool::inspect}, {"version", &DockerTool::version},
        {"info", &DockerTool::info},       {"context", &DockerTool::contexts}};
    auto found = kCommands.find(command);
    if (found == kCommands.end()) {
      fail(Fault::unsupported,
           "'{}' is not supported yet: in slipway's jobs docker builds, tags, pushes and pulls; "
           "containers are "
           "started by 'services:' and 'container:'",
           command);
    }
    return (this->*found->second)(call, words);
  }

 private:
  static int say(workflow::ToolCall& call, std::string_view text) {
    os::write_all(call.out, text);
    return 0;
  }

  int buildx(workflow::ToolCall& call, Words words) const {
    std::string command = words.empty() ? "version" : words[0];
    if (!words.empty()) words = words.subspan(1);
    if (command == "build" || command == "b") return build(call, words);
    if (command == "version")
      return say(call, fmt::format("github.com/docker/buildx {} slipway\n", kBuildxVersion));
    // There is one builder, slipway itself, under whatever name it is given.
    static constexpr DockerFlag kFlags[] = {{"--name"},
                                            {"--driver"},
                                            {"--driver-opt"},
                                            {"--buildkitd-flags"},
                                            {"--buildkitd-config"},
                                            {"--config"},
                                            {"--platform"},
                                            {"--node"},
                                            {"--builder"},
                                            {"--format"},
                                            {"--use", 0, false},
                                            {"--append", 0, false},
                                            {"--bootstrap", 0, false},
                                            {"--default", 0, false},
                                            {"--keep-state", 0, false},
                                            {"--keep-daemon", 0, false},
                                            {"--force", 'f', false},
                                            {"--all-inactive", 0, false},
                                            {"--all", 'a', false}};
    auto read = read_docker_words(words, kFlags, "docker buildx " + command);
    auto builder = read.last("--name").value_or(
        read.last("--builder").value_or(read.arguments.empty() ? "slipway" : read.arguments[0]));
    if (command == "create" || command == "use" || command == "rm" || command == "stop" ||
        command == "install")
      return say(call, builder + "\n");
    if (command == "inspect") {
      return say(
          call, fmt::format("Name:          {0}\nDriver:        docker-container\nLast Activity: "
                            "2006-01-02 15:04:05 +0000 UTC\n\nNodes:\nName:                  {0}0\n"
                            "Endpoint:              slipway\nStatus:                "
                            "running\nBuildKit version:      {1}\nPlatforms:             {2}\n",
                            builder, kBuildKitVersion, oci::Platform::host().str()));
    }
    if (command == "ls") {
      if (read.last("--format"))
        return say(
            call,
            Json::object({{"Name", "slipway"}, {"Driver", "docker-container"}, {"Current", true}})
                    .dump() +
                "\n");
      return say(
          call, fmt::format(
                    "NAME/NODE     DRIVER/ENDPOINT     STATUS    BUILDKIT   PLATFORMS\nslipway*    "
                    "  docker-container\n \\_ slipway0   \\_ slipway          running   {}    {}\n",
                    kBuildKitVersion, oci::Platform::host().str()));
    }
    fail(Fault::unsupported, "'buildx {}' is not supported yet", command);
  }

  int build(workflow::ToolCall& call, Words words) const {
    std::vector<DockerFlag> flags;
    for (const auto& known : kBuildFlags) flags.push_back(known.flag);
    auto read = read_docker_words(words, flags, "docker build");
    if (read.arguments.size() != 1)
      fail(Fault::bad_input, "'docker build' requires 1 argument: the context");
    std::map<std::string, std::string> inputs{{"context", read.arguments[0]}};
    for (const auto& known : kBuildFlags) {
      if (known.input && !read.all(known.flag.name).empty())
        inputs[known.input] = join(read.all(known.flag.name), "\n");
    }
    for (const auto& secret : read.all("--secret")) add_secret(inputs, secret);
    for (const auto& attestation : read.all("--attest")) add_attestation(inputs, attestation);
    if (inputs["context"] == "-")
      fail(Fault::unsupported, "a context from standard input is not supported yet");
    ToolContext context(call, std::move(inputs));
    build_push_->run(context);
    write(context, read.last("--iidfile"), context.output("imageid"));
    write(context, read.last("--metadata-file"), context.output("metadata"));
    if (read.is_set("--quiet")) context.print(context.output("imageid") + "\n");
    return 0;
  }

  static void write(ToolContext& context, const std::optional<std::string>& path,
                    const std::string& text) {
    if (path) os::write_file(job_file(context, *path), text);
  }

  int login(workflow::ToolCall& call, Words words) const {
    static constexpr DockerFlag kFlags[] = {
        {"--username", 'u'}, {"--password", 'p'}, {"--password-stdin", 0, false}};
    auto read = read_docker_words(words, kFlags, "docker login");
    std::map<std::string, std::string> inputs{{"ecr", "false"},
                                              {"username", read.last("--username").value_or("")},
                                              {"password", read.last("--password").value_or("")}};
    if (read.is_set("--password-stdin")) {
      auto password = os::read_all(call.in);
      while (password.ends_with('\n') || password.ends_with('\r')) password.pop_back();
      inputs["password"] = password;
    }
    if (!read.arguments.empty()) inputs["registry"] = read.arguments[0];
    ToolContext context(call, std::move(inputs));
    make_docker_login(dependencies_)->run(context);
    return 0;
  }

  int logout(workflow::ToolCall& call, Words words) const {
    auto read = read_docker_words(words, {}, "docker logout");
    auto host = registry_host(read.arguments.empty() ? "" : read.arguments[0]);
    ToolContext context(call, {});
    bool was_there = oci::remove_docker_login(docker_config(context), host);
    context.print(was_there ? "Removing login credentials for " + host + "\n"
                            : "Not logged in to " + host + "\n");
    return 0;
  }

  [[nodiscard]] oci::Descriptor find(const std::string& text) const {
    auto name = oci::Digest::try_parse(text) ? text : oci::Reference::parse(text).str();
    auto found = dependencies_.store.resolve(name);
    if (!found) fail(Fault::not_found, "No such image: {}", text);
    return *found;
  }

  static std::string only(const DockerWords& read, std::string_view command) {
    if (read.arguments.size() != 1) fail(Fault::bad_input, "'{}' requires 1 argument", command);
    return read.arguments[0];
  }

  int push(workflow::ToolCall& call, Words words) const {
    static constexpr DockerFlag kFlags[] = {
        {"--all-tags", 'a', false}, {"--quiet", 'q', false}, {"--disable-content-trust", 0, false}};
    auto read = read_docker_words(words, kFlags, "docker push");
    auto text = only(read, "docker push");
    ToolContext context(call, {});
    auto lease = dependencies_.store.lease();
    std::vector<oci::TaggedImage> images;
    if (read.is_set("--all-tags")) {
      auto wanted = oci::Reference::parse(text);
      for (const auto& image : dependencies_.store.tags()) {
        auto reference = oci::Reference::parse(image.name);
        if (reference.host == wanted.host && reference.repository == wanted.repository)
          images.push_back(image);
      }
      if (images.empty())
        fail(Fault::not_found, "An image does not exist locally with the tag: {}", text);
    } else {
      images.push_back({oci::Reference::parse(text).str(), find(text)});
    }
    for (const auto& image : images) {
      auto reference = oci::Reference::parse(image.name);
      context.print(fmt::format("The push refers to repository [{}/{}]\n", reference.host,
                                reference.repository));
      auto sent = registry_client(context, dependencies_, {reference.host})
                      ->push(dependencies_.store, image.target, reference, {}, call.stop);
      context.print(
          fmt::format("{}: digest: {} size: {}\n", reference.tag, sent.digest, sent.size));
    }
    return 0;
  }

  int pull(workflow::ToolCall& call, Words words) const {
    static constexpr DockerFlag kFlags[] = {{"--platform"}, {"--quiet", 'q', false}};
    auto read = read_docker_words(words, kFlags, "docker pull");
    auto reference = oci::Reference::parse(only(read, "docker pull"));
    ToolContext context(call, {});
    oci::PullOptions options;
    if (auto platform = read.last("--platform")) options.platform = oci::Platform::parse(*platform);
    auto got = registry_client(context, dependencies_, {reference.host})
                   ->pull(reference, dependencies_.store, options, call.stop);
    if (!read.is_set("--quiet"))
      context.print(fmt::format("Digest: {}\nStatus: Downloaded newer image for {}\n", got.digest,
                                reference.familiar()));
    context.print(reference.str() + "\n");
    return 0;
  }

  int tag(workflow::ToolCall& call, Words words) const {
    (void)call;
    auto read = read_docker_words(words, {}, "docker tag");
    if (read.arguments.size() != 2) fail(Fault::bad_input, "'docker tag' requires 2 arguments");
    dependencies_.store.set_tag(oci::Reference::parse(read.arguments[1]).str(),
                                find(read.arguments[0]));
    return 0;
  }

  int images(workflow::ToolCall& call, Words words) const {
    static constexpr DockerFlag kFlags[] = {
        {"--quiet", 'q', false}, {"--all", 'a', false}, {"--no-trunc", 0, false}};
    auto read = read_docker_words(words, kFlags, "docker images");
    std::string text = read.is_set("--quiet")
                           ? ""
                           : fmt::format("{:<50} {:<42} {}\n", "REPOSITORY", "TAG", "IMAGE ID");
    for (const auto& image : dependencies_.store.tags()) {
      auto reference = oci::Reference::parse(image.name);
      auto name = reference.familiar().substr(0, reference.familiar().rfind(':'));
      auto id =
          oci::find_image(dependencies_.store, image.target.digest.str(), oci::Platform::host());
      if (!id) continue;
      auto brief = id->manifest.config.digest.brief();
      text += read.is_set("--quiet")
                  ? fmt::format("{}\n", brief)
                  : fmt::format("{:<50} {:<42} {}\n", name, reference.tag, brief);
    }
    return say(call, text);
  }

  int remove(workflow::ToolCall& call, Words words) const {
    static constexpr DockerFlag kFlags[] = {{"--force", 'f', false}, {"--no-prune", 0, false}};
    auto read = read_docker_words(words, kFlags, "docker rmi");
    for (const auto& text : read.arguments) {
      if (!dependencies_.store.remove_tag(oci::Reference::parse(text).str()) &&
          !read.is_set("--force"))
        fail(Fault::not_found, "No such image: {}", text);
      say(call, "Untagged: " + text + "\n");
    }
    return 0;
  }

  int inspect(workflow::ToolCall& call, Words words) const {
    static constexpr DockerFlag kFlags[] = {{"--format", 'f'}, {"--type"}};
    auto read = read_docker_words(words, kFlags, "docker inspect");
    if (read.last("--format"))
      fail(Fault::unsupported,
           "'inspect --format' is not supported yet: without it the answer is JSON");
    Json all = Json::array();
    for (const auto& text : read.arguments) {
      auto target = find(text);
      auto image = oci::find_image(dependencies_.store, target.digest.str(), oci::Platform::host());
      if (!image) fail(Fault::not_found, "No such image: {}", text);
      auto config = formats::parse_json(dependencies_.store.read(image->manifest.config.digest));
      auto reference = oci::Reference::parse(text);
      all.push_back(Json::object(
          {{"Id", image->manifest.config.digest.str()},
           {"RepoTags", Json::array({Json(reference.familiar())})},
           {"RepoDigests", Json::array({Json(fmt::format("{}/{}@{}", reference.host,
                                                         reference.repository, target.digest))})},
           {"Created", config.get_string("created")},
           {"Architecture", config.get_string("architecture")},
           {"Os", config.get_string("os")},
           {"Config", config.at("config")},
           {"RootFS",
            Json::object({{"Type", "layers"}, {"Layers", config.at("rootfs").at("diff_ids")}})}}));
    }
    return say(call, all.pretty() + "\n");
  }

  int save(workflow::ToolCall& call, Words words) const {
    static constexpr DockerFlag kFlags[] = {{"--output", 'o'}};
    auto read = read_docker_words(words, kFlags, "docker save");
    std::vector<oci::TaggedImage> images;
    for (const auto& text : read.arguments)
      images.push_back({oci::Reference::parse(text).str(), find(text)});
    if (images.empty()) fail(Fault::bad_input, "'docker save' requires at least 1 argument");
    ToolContext context(call, {});
    os::Fd file;
    if (auto path = read.last("--output"))
      file = os::open_file(job_file(context, *path).string(), O_WRONLY | O_CREAT | O_TRUNC);
    formats::FdWriter out(file.is_open() ? file.get() : call.out);
    oci::export_docker_archive(dependencies_.store, images, oci::Platform::host(), out, call.stop);
    return 0;
  }

  int load(workflow::ToolCall& call, Words words) const {
    static constexpr DockerFlag kFlags[] = {{"--input", 'i'}, {"--quiet", 'q', false}};
    auto read = read_docker_words(words, kFlags, "docker load");
    ToolContext context(call, {});
    os::Fd file;
    if (auto path = read.last("--input"))
      file = os::open_file(job_file(context, *path).string(), O_RDONLY);
    formats::FdReader in(file.is_open() ? file.get() : call.in);
    for (const auto& image : oci::import_archive(in, dependencies_.store, "", call.stop)) {
      context.print(fmt::format("Loaded image: {}\n",
                                image.name.empty() ? image.target.digest.str()
                                                   : oci::Reference::parse(image.name).familiar()));
    }
    return 0;
  }

  int version(workflow::ToolCall& call, Words words) const {
    static constexpr DockerFlag kFlags[] = {{"--format", 'f'}};
    auto read = read_docker_words(words, kFlags, "docker version");
    if (read.last("--format")) return say(call, fmt::format("{}\n", kDockerVersion));
    return say(call, fmt::format("Client: slipway\n Version:           {0}\n OS/Arch:           "
                                 "{1}\n\nServer: slipway\n Engine:\n  Version:          {0}\n",
                                 kDockerVersion, oci::Platform::host().str()));
  }

  int info(workflow::ToolCall& call, Words words) const {
    static constexpr DockerFlag kFlags[] = {{"--format", 'f'}};
    auto read = read_docker_words(words, kFlags, "docker info");
    auto count = dependencies_.store.tags().size();
    if (read.last("--format"))
      return say(call, Json::object({{"ServerVersion", std::string(kDockerVersion)},
                                     {"Images", static_cast<std::int64_t>(count)},
                                     {"Driver", "overlay2"}})
                               .dump() +
                           "\n");
    return say(call, fmt::format("Client: slipway\n Version:    {0}\n\nServer:\n Images: {1}\n "
                                 "Server Version: {0}\n Storage Driver: overlay2\n",
                                 kDockerVersion, count));
  }

  int contexts(workflow::ToolCall& call, Words words) const {
    static constexpr DockerFlag kFlags[] = {
        {"--format", 'f'}, {"--quiet", 'q', false}, {"--no-trunc", 0, false}};
    auto read = read_docker_words(words, kFlags, "docker context");
    auto command = read.arguments.empty() ? "" : read.arguments[0];
    if (command == "show" || (command == "inspect" && read.last("--format") == "{{.Name}}"))
      return say(call, "default\n");
    if (command == "inspect") {
      Json endpoint =
          Json::object({{"Host", "unix:///run/slipway-tools/docker"}, {"SkipTLSVerify", false}});
      Json context = Json::object({{"Name", "default"},
                                   {"Metadata", Json::object()},
                                   {"Endpoints", Json::object({{"docker", endpoint}})}});
      return say(call, Json::array({context}).dump() + "\n");
    }
    if (command != "ls")
      fail(Fault::unsupported, "'context {}' is not supported yet: there is one context, default",
           command);
    return say(call,
               Json::object({{"Current", true}, {"Name", "default"}, {"DockerEndpoint", "slipway"}})
                       .dump() +
                   "\n");
  }

  Dependencies dependencies_;  // what build_push_ holds a reference to
  std::unique_ptr<workflow::Action> build_push_;
};

}  // namespace

std::unique_ptr<workflow::JobTool> make_docker_tool(const Dependencies& dependencies) {
  return std::make_unique<DockerTool>(dependencies);
}

}  // namespace slipway::actions
