// SPDX-License-Identifier: Apache-2.0
#include "image/build_options.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
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
    fields.emplace_back(to_lower(trim(part.substr(0, equals))), equals == std::string::npos ? "" : part.substr(equals + 1));
  }
  return fields;
}

bool is_true(const std::string& value) { return value == "true" || value == "1" || value.empty(); }

}  // namespace

void add_pair(std::map<std::string, std::string>& pairs, std::string_view option, std::string_view text) {
  auto equals = text.find('=');
  if (equals == 0 || text.empty()) fail(Fault::bad_input, "{} '{}' is not KEY=VALUE", option, text);
  pairs[std::string(text.substr(0, equals))] = equals == std::string_view::npos ? "" : std::string(text.substr(equals + 1));
}

void add_build_arg(BuildRequest& request, std::string_view text, const BuildFlags& flags) {
  if (text.find('=') != std::string_view::npos) return add_pair(request.build_args, "--build-arg", text);
  if (auto value = flags.environment(std::string(text))) request.build_args[std::string(text)] = *value;
}

void add_secret(BuildRequest& request, std::string_view text, const BuildFlags& flags) {
  std::string id;
  std::string file;
  std::string variable;
  std::string type;
  for (const auto& [key, value] : fields_of(text)) {
    if (key == "id") id = value;
    else if (key == "src" || key == "source") file = value;
    else if (key == "env") variable = value;
    else if (key == "type") type = value;
    else fail(Fault::bad_input, "--secret: unexpected key '{}' in '{}'", key, text);
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
  if (equals == std::string_view::npos || equals == 0) fail(Fault::bad_input, "--build-context '{}' is not NAME=PATH", text);
  std::string name(text.substr(0, equals));
  std::string value(text.substr(equals + 1));
  if (value.starts_with("docker-image://")) {
    request.contexts[name] = value;
    return;
  }
  if (value.find("://") != std::string::npos) {
    fail(Fault::unsupported, "'--build-context {}' is not supported yet: give a directory or docker-image://REF", text);
  }
  fs::path path = absolute(flags, value).lexically_normal();
  std::error_code problem;
  if (!fs::is_directory(path, problem)) fail(Fault::bad_input, "--build-context {}: there is no directory '{}'", name, path.string());
  request.contexts[name] = path.string();
}

void add_ssh(BuildRequest& request, std::string_view text, const BuildFlags& flags) {
  auto equals = text.find('=');
  if (text.substr(0, equals) != "default") fail(Fault::unsupported, "'--ssh {}' is not supported yet: only 'default' is", text);
  request.ssh_agent_socket =
      equals == std::string_view::npos ? flags.environment("SSH_AUTH_SOCK").value_or("") : absolute(flags, text.substr(equals + 1)).string();
  if (request.ssh_agent_socket.empty()) fail(Fault::bad_input, "--ssh default: SSH_AUTH_SOCK is not set");
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
          {"image", Output::Kind::store}, {"registry", Output::Kind::registry}, {"oci", Output::Kind::oci},
          {"docker", Output::Kind::docker}, {"tar", Output::Kind::tar}, {"local", Output::Kind::local}};
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
      if (value == "gzip") request.compression = Compression::gzip;
      else if (value == "zstd") request.compression = Compression::zstd;
      else if (value == "uncompressed") request.compression = Compression::none;
      else fail(Fault::unsupported, "compression '{}' is not supported yet: it is gzip, zstd or uncompressed", value);
    } else if (key == "rewrite-timestamp") {
      request.rewrite_timestamp = is_true(value);
    } else if (key != "oci-mediatypes" && key != "force-compression" && key != "compression-level" && key != "store") {
      fail(Fault::bad_input, "--output: unexpected key '{}' in '{}'", key, text);
    }
  }
  if (is_directory) output.dest += "/";
  for (const auto& name : output.names) {
    if (output.kind == Output::Kind::store) request.tags.push_back(name);
  }
  request.outputs.push_back(std::move(output));
}

}  // namespace slipway::image
