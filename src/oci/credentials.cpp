// SPDX-License-Identifier: Apache-2.0
#include "oci/credentials.hpp"

#include <unistd.h>

#include <cstdlib>

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::oci {
namespace {

using formats::Json;
namespace fs = std::filesystem;

constexpr const char* kDockerHub =
    "https://index.docker.io/v1/";  // what docker files Docker Hub's login under
constexpr auto kHelperTime = std::chrono::seconds(30);

fs::path config_directory(const fs::path& given) {
  if (!given.empty()) return given;
  auto environment = os::environment();
  if (auto config = environment.find("DOCKER_CONFIG");
      config != environment.end() && !config->second.empty())
    return config->second;
  auto home = environment.find("HOME");
  return home == environment.end() ? fs::path() : fs::path(home->second) / ".docker";
}

// The names under which a host's login may be filed.
std::vector<std::string> keys_of(const std::string& host) {
  if (host == "docker.io")
    return {kDockerHub, "docker.io", "index.docker.io", "registry-1.docker.io",
            "https://index.docker.io/v1"};
  return {host, "https://" + host, "http://" + host, "https://" + host + "/v1/",
          "https://" + host + "/v2/"};
}

bool is_helper_name(std::string_view name) {
  return !name.empty() && name.front() != '-' &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
             std::string_view::npos;
}

std::optional<Credentials> ask_helper(const std::string& name, const std::string& key) {
  if (!is_helper_name(name))
    fail(Fault::bad_input, "'{}' is not the name of a credential helper", name);
  std::string program = "docker-credential-" + name;
  return while_doing(program, [&]() -> std::optional<Credentials> {
    auto answer = os::capture({.argv = {program, "get"}}, {}, Deadline::in(kHelperTime), key);
    if (!answer.exit.ok()) {
      if (answer.out.find("credentials not found") != std::string::npos) return std::nullopt;
      fail(Fault::failed, "{}: {}", os::to_string(answer.exit),
           trim(answer.out.empty() ? answer.err : answer.out));
    }
    Json json = formats::parse_json(answer.out);
    Credentials credentials{json.get_string("Username"), json.get_string("Secret"), ""};
    if (credentials.username == "<token>") return Credentials{"", "", credentials.password};
    if (credentials.username.empty() && credentials.password.empty()) return std::nullopt;
    return credentials;
  });
}

std::optional<Credentials> read_auth(const Json& entry) {
  Credentials credentials{entry.get_string("username"), entry.get_string("password"),
                          entry.get_string("identitytoken")};
  if (std::string auth = entry.get_string("auth"); !auth.empty()) {
    auto decoded = unbase64(auth);
    std::size_t colon = decoded ? decoded->find(':') : std::string::npos;
    if (colon == std::string::npos) fail(Fault::bad_input, "'auth' is not base64 of user:password");
    credentials.username = decoded->substr(0, colon);
    credentials.password = std::string(trim(decoded->substr(colon + 1)));
    while (!credentials.password.empty() && credentials.password.back() == '\0')
      credentials.password.pop_back();
  }
  if (credentials == Credentials{}) return std::nullopt;
  return credentials;
}

std::optional<Credentials> look_up(const fs::path& directory, const std::string& host) {
  if (directory.empty()) return std::nullopt;
  auto text = os::read_file_if_exists(directory / "config.json");
  if (!text || trim(*text).empty()) return std::nullopt;
  Json config = formats::parse_json(*text, (directory / "config.json").string());
  return while_doing(fmt::format("{}: '{}'", (directory / "config.json").string(), host),
                     [&]() -> std::optional<Credentials> {
                       for (const std::string& key : keys_of(host)) {
                         const Json* helpers = config.find("credHelpers");
                         const Json* helper = helpers ? helpers->find(key) : nullptr;
                         if (helper && helper->is_string())
                           return ask_helper(helper->as_string(), key);
                       }
                       if (std::string store = config.get_string("credsStore"); !store.empty()) {
                         if (auto found = ask_helper(store, keys_of(host).front())) return found;
                       }
                       const Json* auths = config.find("auths");
                       for (const std::string& key : keys_of(host)) {
                         const Json* entry = auths ? auths->find(key) : nullptr;
                         if (!entry || !entry->is_object()) continue;
                         if (auto found = read_auth(*entry)) return found;
                       }
                       return std::nullopt;
                     });
}

// Reads config.json, changes it, replaces it.
void change_config(const fs::path& directory, const std::function<void(Json&)>& change) {
  fs::path path = config_directory(directory) / "config.json";
  os::make_dirs(path.parent_path());
  os::FileLock lock = os::FileLock::take(path.parent_path() / ".config.json.lock");
  auto text = os::read_file_if_exists(path);
  Json config =
      text && !trim(*text).empty() ? formats::parse_json(*text, path.string()) : Json::object();
  change(config);
  os::replace_file(path, config.pretty(1) + "\n", 0600);
}

}  // namespace

CredentialProvider docker_config_credentials(fs::path directory) {
  return [directory = config_directory(directory)](const std::string& host) {
    return look_up(directory, host);
  };
}

CredentialProvider first_of(CredentialProvider first, CredentialProvider second) {
  return [first = std::move(first), second = std::move(second)](const std::string& host) {
    auto found = first ? first(host) : std::nullopt;
    return found || !second ? found : second(host);
  };
}

void save_docker_login(const fs::path& directory, const std::string& host,
                       const Credentials& credentials) {
  change_config(directory, [&](Json& config) {
    Json entry = Json::object();
    if (!credentials.identity_token.empty()) {
      entry["auth"] = base64(credentials.username + ":");
      entry["identitytoken"] = credentials.identity_token;
    } else {
      entry["auth"] = base64(credentials.username + ":" + credentials.password);
    }
    config["auths"][keys_of(host).front()] = entry;
  });
}

bool remove_docker_login(const fs::path& directory, const std::string& host) {
  bool removed = false;
  change_config(directory, [&](Json& config) {
    Json* auths = config.find("auths");
    for (const std::string& key : keys_of(host)) removed = (auths && auths->erase(key)) || removed;
  });
  return removed;
}

}  // namespace slipway::oci
