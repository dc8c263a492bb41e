// SPDX-License-Identifier: Apache-2.0
#include "image/build_options.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "image/add_source.hpp"
#include "image/commands.hpp"
#include "image/ssh_agents.hpp"
#include "os/file.hpp"

namespace slipway::image {
namespace {

namespace fs = std::filesystem;

fs::path absolute(const BuildFlags& flags, std::string_view path) {
  fs::path given(path);
  if (flags.locate) return flags.locate(given.string());
  return given.is_absolute() ? given : flags.cwd / given;
}

// "a=b,c" -> {{a, b}, {c, ""}}; a field in double quotes may hold commas.
std::vector<std::pair<std::string, std::string>> fields_of(std::string_view text) {
  std::vector<std::string> parts{""};
  bool quoted = false;
  for (char c : text) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& part : parts) {
    auto equals = part.find('=');
    fields.emplace_back(to_lower(trim(part.substr(0, equals))),
                        equals == std::string::npos ? "" : part.substr(equals + 1));
  }
  return fields;
}

int level_of(const std::string& text) {
  auto level = to_integer(text);
  if (!level || *level < 0 || *level > 22)
    fail(Fault::bad_input,
         "compression-level '{}' is none: it is 0 to 9 for gzip, 1 to 22 for zstd", text);
  return static_cast<int>(*level);
}

bool is_true(const std::string& value) { return value == "true" || value == "1" || value.empty(); }

}  // namespace

void add_pair(std::map<std::string, std::string>& pairs, std::string_view option,
              std::string_view text) {
  auto equals = text.find('=');
  if (equals == 0 || text.empty()) fail(Fault::bad_input, "{} '{}' is not KEY=VALUE", option, text);
  pairs[std::string(text.substr(0, equals))] =
      equals == std::string_view::npos ? "" : std::string(text.substr(equals + 1));
}

void add_build_arg(BuildRequest& request, std::string_view text, const BuildFlags& flags) {
  if (text.find('=') != std::string_view::npos)
    return add_pair(request.build_args, "--build-arg", text);
  if (auto value = flags.environment(std::string(text)))
    request.build_args[std::string(text)] = *value;
}

void add_secret(BuildRequest& request, std::string_view text, const BuildFlags& flags) {
  std::string id;
  std::string file;
  std::string variable;
  std::string type;
  for (const auto& [key, value] : fields_of(text)) {
    if (key == "id")
      id = value;
    else if (key == "src" || key == "source")
      file = value;
    else if (key == "env")
      variable = value;
    else if (key == "type")
      type = value;
    else
      fail(Fault::bad_input, "--secret: unexpected key '{}' in '{}'", key, text);
  }
  if (id.empty()) fail(Fault::bad_input, "--secret '{}' has no id", text);
  if (type == "env" && variable.empty()) variable = file.empty() ? id : file;
  std::optional<std::string> value;
  if (!variable.empty()) {
    value = flags.environment(variable);
    if (!value) fail(Fault::bad_input, "--secret id={}: the variable {} is not set", id, variable);
  } else if (file.empty()) {
    value = flags.environment(id);
  }
  if (!value) {
    fs::path path = absolute(flags, file.empty() ? id : file);
    value = os::read_file_if_exists(path);
    if (!value) fail(Fault::bad_input, "--secret id={}: there is no file '{}'", id, path.string());
  }
  request.secrets.push_back({id, std::move(*value)});
}

void add_build_context(BuildRequest& request, std::string_view text, const BuildFlags& flags) {
  auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    fail(Fault::bad_input, "--build-context '{}' is not NAME=PATH", text);
  std::string name(text.substr(0, equals));
  std::string value(text.substr(equals + 1));
  if (value.starts_with("docker-image://")) {
    request.contexts[name] = value;
    return;
  }
  if (value.starts_with("oci-layout://")) {
    request.contexts[name] = "oci-layout://" + absolute(flags, value.substr(13)).string();
    return;
  }
  if (is_remote_source(value)) {
    request.contexts[name] = value;
    return;
  }
  if (value.find("://") != std::string::npos) {
    fail(Fault::unsupported,
         "'--build-context {}' is not supported yet: give a directory or docker-image://REF", text);
  }
  fs::path path = absolute(flags, value).lexically_normal();
  std::error_code problem;
  if (!fs::is_directory(path, problem))
    fail(Fault::bad_input, "--build-context {}: there is no directory '{}'", name, path.string());
  request.contexts[name] = path.string();
}

void add_ssh(BuildRequest& request, std::string_view text, const BuildFlags& flags) {
  auto equals = text.find('=');
  std::string id(text.substr(0, equals));
  if (id.empty()) fail(Fault::bad_input, "--ssh '{}' has no id", text);
  for (const auto& agent : request.ssh) {
    if (agent.id == id) fail(Fault::bad_input, "--ssh {} is given twice", id);
  }
  if (equals == std::string_view::npos) {
    auto socket = flags.environment("SSH_AUTH_SOCK").value_or("");
    if (socket.empty()) fail(Fault::bad_input, "--ssh {}: SSH_AUTH_SOCK is not set", id);
    request.ssh.push_back({.id = id, .socket = socket, .own = nullptr});
    return;
  }
  std::vector<fs::path> files;
  for (const auto& path : split(text.substr(equals + 1), ','))
    files.push_back(absolute(flags, path));
  std::error_code problem;
  for (const auto& file : files) {
    if (!fs::exists(file, problem))
      fail(Fault::bad_input, "--ssh {}: there is no file '{}'", id, file.string());
  }
  bool is_agent = fs::is_socket(files.front(), problem);
  if (is_agent && files.size() > 1)
    fail(Fault::bad_input, "--ssh {}: an agent's socket stands alone, keys are files", id);
  request.ssh.push_back(is_agent ? SshAgent{.id = id, .socket = files.front().string(), .own = {}}
                                 : agent_with_keys(id, files));
}

void add_output(BuildRequest& request, std::string_view text, const BuildFlags& flags) {
  Output output;
  if (text == "-") {
    request.outputs.push_back({.kind = Output::Kind::tar, .dest = "-"});
    return;
  }
  if (text.find('=') == std::string_view::npos) {
    request.outputs.push_back({.kind = Output::Kind::local, .dest = absolute(flags, text)});
    return;
  }
  bool is_directory = false;
  for (const auto& [key, value] : fields_of(text)) {
    if (key == "type") {
      static constexpr std::pair<std::string_view, Output::Kind> kKinds[] = {
          {"image", Output::Kind::store}, {"registry", Output::Kind::registry},
          {"oci", Output::Kind::oci},     {"docker", Output::Kind::docker},
          {"tar", Output::Kind::tar},     {"local", Output::Kind::local}};
      bool known = false;
      for (const auto& [name, kind] : kKinds) {
        if (value != name) continue;
        output.kind = kind;
        known = true;
      }
      if (!known) fail(Fault::bad_input, "--output: unknown type '{}'", value);
    } else if (key == "dest") {
      output.dest = value == "-" ? fs::path("-") : absolute(flags, value);
    } else if (key == "tar") {
      is_directory = value == "false";
    } else if (key == "name") {
      output.names.push_back(value);
    } else if (key == "push") {
      if (is_true(value)) output.kind = Output::Kind::registry;
    } else if (key == "compression") {
      if (value == "gzip")
        request.compression = Compression::gzip;
      else if (value == "zstd")
        request.compression = Compression::zstd;
      else if (value == "zstd:chunked")
        request.compression = Compression::zstd_chunked;
      else if (value == "uncompressed")
        request.compression = Compression::none;
      else
        fail(
            Fault::unsupported,
            "compression '{}' is not supported yet: it is gzip, zstd, zstd:chunked or uncompressed",
            value);
    } else if (key == "compression-level") {
      request.compression_level = level_of(value);
    } else if (key == "force-compression") {
      request.force_compression = is_true(value);
    } else if (key == "rewrite-timestamp") {
      request.rewrite_timestamp = is_true(value);
    } else if (key != "oci-mediatypes" && key != "store") {
      fail(Fault::bad_input, "--output: unexpected key '{}' in '{}'", key, text);
    }
  }
  if (request.compression == Compression::gzip && request.compression_level > 9)
    fail(Fault::bad_input, "compression-level '{}' is none of gzip's: it is 0 to 9",
         *request.compression_level);
  if (is_directory) output.dest += "/";
  for (const auto& name : output.names) {
    if (output.kind == Output::Kind::store) request.tags.push_back(name);
  }
  request.outputs.push_back(std::move(output));
}

namespace {

CacheSpec read_cache(std::string_view option, std::string_view text, const BuildFlags& flags) {
  CacheSpec spec;
  std::string type = "registry";
  if (text.find('=') == std::string_view::npos) {
    spec.ref = text;
    return spec;
  }
  std::string scope = "buildkit";
  for (const auto& [key, value] : fields_of(text)) {
    if (key == "type")
      type = value;
    else if (key == "ref")
      spec.ref = value;
    else if (key == "scope")
      scope = value;
    else if (key == "url_v2")
      spec.url = value;
    else if (key == "token")
      spec.token = value;
    else if (key == "src" || key == "dest")
      spec.directory = absolute(flags, value);
    else if (key == "mode")
      spec.max = value == "max";
    else if (key == "mounts")
      spec.mounts = is_true(value);
    else if (key == "ignore-error")
      spec.ignore_error = is_true(value);
    // How the blobs are written: always as one image manifest with OCI types, compressed as the image is.
  }
  if (type == "registry") {
    if (spec.ref.empty()) fail(Fault::bad_input, "{} '{}' has no ref", option, text);
  } else if (type == "local") {
    spec.kind = CacheSpec::Kind::local;
    if (spec.directory.empty())
      fail(Fault::bad_input, "{} '{}' has no {}", option, text,
           option == "--cache-to" ? "dest" : "src");
  } else if (type == "inline") {
    if (spec.mounts)
      fail(Fault::bad_input, "{} '{}': an inline cache holds no mounts", option, text);
    spec.kind = CacheSpec::Kind::inline_;
  } else if (type == "gha") {
    spec.kind = CacheSpec::Kind::actions;
    spec.ref = scope;
    if (spec.url.empty()) spec.url = flags.environment("ACTIONS_RESULTS_URL").value_or("");
    if (spec.token.empty()) spec.token = flags.environment("ACTIONS_RUNTIME_TOKEN").value_or("");
  } else {
    fail(Fault::unsupported,
         "'{} type={}' is not supported yet: it is registry, local, inline or gha", option, type);
  }
  return spec;
}

}  // namespace

void add_cache_from(BuildRequest& request, std::string_view text, const BuildFlags& flags) {
  request.cache_from.push_back(read_cache("--cache-from", text, flags));
  if (request.cache_from.back().kind == CacheSpec::Kind::inline_)
    fail(Fault::bad_input, "--cache-from '{}': name the image, type=registry,ref=REF", text);
}

void add_cache_to(BuildRequest& request, std::string_view text, const BuildFlags& flags) {
  request.cache_to.push_back(read_cache("--cache-to", text, flags));
}

void set_provenance(BuildRequest& request, std::string_view text) {
  ProvenanceSpec spec;
  bool wanted = true;
  for (const auto& [key, value] : fields_of(text)) {
    if (key == "true" || key == "1" || key == "type") continue;
    if (key == "false" || key == "0" || (key == "disabled" && is_true(value)))
      wanted = false;
    else if (key == "mode" && (value == "min" || value == "max"))
      spec.max = value == "max";
    else if (key == "version" && (value == "v0.2" || value == "v1"))
      spec.version = value;
    else if (key != "builder-id" && key != "inline-only" && key != "reproducible" &&
             key != "filename" && key != "disabled") {
      fail(Fault::bad_input,
           "--provenance '{}': it is true, false, or mode=min|max[,version=v0.2|v1]", text);
    }
  }
  request.provenance = wanted ? std::optional(spec) : std::nullopt;
}

void set_sbom(BuildRequest& request, std::string_view text) {
  request.sbom =
      text != "false" && text != "0" && text.find("disabled=true") == std::string_view::npos;
}

void add_attestation(BuildRequest& request, std::string_view text) {
  std::string type;
  for (const auto& [key, value] : fields_of(text)) {
    if (key == "type") type = value;
  }
  if (type == "sbom") return set_sbom(request, text);
  if (type == "provenance") return set_provenance(request, text);
  fail(Fault::bad_input, "--attest '{}': its type is sbom or provenance", text);
}

void set_call(BuildRequest& request, std::string_view method) {
  request.check_only = method == "check" || method == "lint";
  if (!request.check_only && method != "build")
    fail(Fault::unsupported, "call '{}' is not supported yet: it is build or check", method);
}

void add_ulimit(BuildRequest& request, std::string_view text) {
  auto equals = text.find('=');
  auto colon = text.find(':');
  auto number = [](std::string_view part) -> std::optional<std::uint64_t> {
    if (part == "-1" || part == "unlimited") return UINT64_MAX;
    auto value = to_integer(part);
    return value && *value >= 0 ? std::optional(static_cast<std::uint64_t>(*value)) : std::nullopt;
  };
  if (equals != std::string_view::npos && equals > 0) {
    auto soft = number(
        text.substr(equals + 1, colon == std::string_view::npos ? colon : colon - equals - 1));
    auto hard = colon == std::string_view::npos ? soft : number(text.substr(colon + 1));
    if (soft && hard && *soft <= *hard) {
      request.ulimits.push_back({std::string(text.substr(0, equals)), *soft, *hard});
      return;
    }
  }
  fail(Fault::bad_input, "--ulimit '{}' is not NAME=SOFT[:HARD]", text);
}

void set_shm_size(BuildRequest& request, std::string_view text) {
  auto size = read_size(text);
  if (!size || *size == 0) fail(Fault::bad_input, "--shm-size '{}' is no size: 64m, 1g", text);
  request.shm_bytes = *size;
}

void add_no_cache_stages(BuildRequest& request, std::string_view text) {
  for (const auto& name : split(text, ',')) {
    if (!trim(name).empty()) request.no_cache_stages.emplace_back(trim(name));
  }
}

}  // namespace slipway::image
