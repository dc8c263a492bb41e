// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/scaffold.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepest = 3;
constexpr std::uintmax_t kLargest = 512 * 1024;

bool is_skipped(const std::string& name) {
  static constexpr std::array<std::string_view, 6> kNames = {
      "node_modules", "venv", "dist", "build", "__pycache__", "site-packages"};
  return name.starts_with('.') || std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

std::string text_of(const fs::path& file) {
  std::error_code none;
  if (!fs::is_regular_file(file, none) || fs::file_size(file, none) > kLargest) return "";
  return os::read_file_if_exists(file).value_or("");
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// `directory` and those below it, nearest first.
std::vector<fs::path> directories_under(const fs::path& directory) {
  std::vector<fs::path> all = {directory};
  for (auto it = fs::recursive_directory_iterator(directory,
                                                  fs::directory_options::skip_permission_denied);
       it != fs::recursive_directory_iterator(); ++it) {
    if (!it->is_directory() || it->is_symlink()) continue;
    if (is_skipped(it->path().filename().string())) {
      it.disable_recursion_pending();
      continue;
    }
    all.push_back(it->path());
    if (it.depth() + 1 >= kDeepest) it.disable_recursion_pending();
  }
  std::sort(all.begin(), all.end(), [](const fs::path& a, const fs::path& b) {
    auto depth = [](const fs::path& path) { return std::distance(path.begin(), path.end()); };
    return depth(a) != depth(b) ? depth(a) < depth(b) : a < b;
  });
  return all;
}

std::string from_top(const fs::path& path, const fs::path& top) {
  return path.lexically_relative(top).string();
}

std::optional<FrontendFound> frontend_in(const fs::path& directory, const fs::path& top) {
  std::string text = text_of(directory / "package.json");
  if (text.empty()) return std::nullopt;
  auto package = while_doing(from_top(directory / "package.json", top),
                             [&] { return formats::parse_json(text); });
  const auto* dependencies = package.find("dependencies");
  if (!dependencies || !dependencies->contains("next")) return std::nullopt;
  FrontendFound found;
  found.directory = from_top(directory, top);
  found.has_lock = fs::exists(directory / "package-lock.json");
  found.has_public = fs::is_directory(directory / "public");
  for (const char* name : {"next.config.js", "next.config.mjs", "next.config.ts"})
    found.is_standalone = found.is_standalone || has(text_of(directory / name), "standalone");
  const auto* scripts = package.find("scripts");
  found.has_build_script = scripts && scripts->contains("build");
  found.has_tests = scripts && scripts->contains("test");
  for (const char* path : {"api/health", "api/healthz", "health", "healthz"}) {
    for (const char* root : {"app", "src/app", "pages", "src/pages"}) {
      auto base = directory / root / path;
      for (const char* end : {"/route.js", "/route.ts", ".js", ".ts", "/page.js", "/page.tsx"}) {
        if (found.health_path == "/" && fs::exists(base.string() + end))
          found.health_path = std::string("/") + path;
      }
    }
  }
  return found;
}

std::vector<fs::path> python_files(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& folder : directories_under(directory)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".py" &&
          !entry.path().filename().string().starts_with("test"))
        files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string module_of(const fs::path& file, const fs::path& directory) {
  std::string name = file.lexically_relative(directory).replace_extension().string();
  return replace_all(name, "/", ".");
}

// The word that begins at `at` going back over white space, "=" and so on: "app = FastAPI(" → "app".
std::string assigned_name(std::string_view line) {
  auto equals = line.find('=');
  if (equals == std::string_view::npos) return "";
  std::string name(trim(line.substr(0, equals)));
  if (auto colon = name.find(':'); colon != std::string::npos)
    name = std::string(trim(std::string_view(name).substr(0, colon)));
  bool is_word = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  });
  return is_word && !line.starts_with(' ') && !line.starts_with('\t') ? name : "";
}

// Names in quotes after `os.environ[`, `os.environ.get(`, `getenv(`.
std::vector<std::string> variables_in(std::string_view text) {
  std::vector<std::string> names;
  for (std::string_view mark : {"environ[", "environ.get(", "getenv(", "env(", "env.str("}) {
    for (auto at = text.find(mark); at != std::string_view::npos; at = text.find(mark, at + 1)) {
      auto rest = text.substr(at + mark.size());
      if (rest.empty() || (rest.front() != '"' && rest.front() != '\'')) continue;
      auto end = rest.find(rest.front(), 1);
      if (end != std::string_view::npos) names.emplace_back(rest.substr(1, end - 1));
    }
  }
  return names;
}

void look_into(BackendFound& found, const fs::path& directory) {
  for (const auto& file : python_files(directory)) {
    std::string text = text_of(file);
    for (const auto& name : variables_in(text)) {
      if (name == "DATABASE_URL") found.wants_database = true;
      bool is_secret = name.ends_with("SECRET_KEY") || name.ends_with("_TOKEN") ||
                       name.ends_with("API_KEY") || name.ends_with("_SECRET");
      if (is_secret &&
          std::find(found.secrets.begin(), found.secrets.end(), name) == found.secrets.end())
        found.secrets.push_back(name);
    }
    if (has(text, "psycopg") && has(text, "import")) found.wants_database = true;
    for (const char* path : {"healthz", "api/health", "health", "livez", "up"}) {
      bool is_route = has(text, fmt::format("\"/{}\"", path)) ||
                      has(text, fmt::format("'/{}'", path)) ||
                      has(text, fmt::format("path(\"{}\"", path)) ||
                      has(text, fmt::format("path('{}'", path)) ||
                      has(text, fmt::format("path(\"{}/\"", path)) ||
                      has(text, fmt::format("path('{}/'", path));
      if (!is_route || !found.health_path.empty()) continue;
      bool has_slash = has(text, fmt::format("path(\"{}/\"", path)) ||
                       has(text, fmt::format("path('{}/'", path));
      found.health_path = fmt::format("/{}{}", path, has_slash ? "/" : "");
    }
    if (found.kind != BackendFound::Kind::fastapi || !found.entry.empty() || !has(text, "FastAPI("))
      continue;
    for (auto line : lines_of(text)) {
      if (line.find("FastAPI(") == std::string_view::npos) continue;
      if (auto name = assigned_name(line); !name.empty())
        found.entry = module_of(file, directory) + ":" + name;
    }
    // No app at the top of a file: a function without arguments that gives one.
    for (auto line : lines_of(text)) {
      auto open = line.find("() -> FastAPI");
      if (!found.entry.empty() || !line.starts_with("def ") || open == std::string_view::npos)
        continue;
      found.entry = module_of(file, directory) + ":" + std::string(line.substr(4, open - 4));
      found.is_factory = true;
    }
  }
}

std::optional<BackendFound> backend_in(const fs::path& directory, const fs::path& top,
                                       const std::string& wanted) {
  BackendFound found;
  std::string declared;
  for (const char* name : {"requirements.txt", "pyproject.toml"}) {
    std::string text = text_of(directory / name);
    if (text.empty()) continue;
    if (found.requirements.empty()) {
      found.requirements = name;
      found.debian = debian_packages(requirements_in(name, text));
    }
    declared += to_lower(text);
  }
  std::string manage = text_of(directory / "manage.py");
  bool is_django = has(manage, "DJANGO_SETTINGS_MODULE");
  if (found.requirements.empty() || (!is_django && !has(declared, "fastapi"))) return std::nullopt;
  if (!wanted.empty() && wanted != (is_django ? "django" : "fastapi")) return std::nullopt;
  found.kind = is_django ? BackendFound::Kind::django : BackendFound::Kind::fastapi;
  found.directory = from_top(directory, top);
  if (is_django) {
    auto at = manage.find("DJANGO_SETTINGS_MODULE");
    auto rest = std::string_view(manage).substr(at + 22);
    auto settings = rest.find(".settings");
    auto quote = settings == std::string_view::npos ? settings : rest.find_last_of("\"'", settings);
    found.entry = quote == std::string_view::npos
                      ? ""
                      : std::string(rest.substr(quote + 1, settings - quote - 1));
  }
  found.wants_database = has(declared, "psycopg") || has(declared, "asyncpg");
  look_into(found, directory);
  for (const auto& folder : directories_under(directory)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      std::string name = entry.path().filename().string();
      found.has_tests = found.has_tests || (name.ends_with(".py") &&
                                            (name.starts_with("test_") || name == "tests.py"));
    }
  }
  return found;
}

std::string aws_name(const std::string& text) {
  std::string name;
  for (char c : to_lower(text)) {
    bool is_fit = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (is_fit) {
      name += c;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  while (name.ends_with('-')) name.pop_back();
  return name.empty() ? "app" : name.substr(0, 20);
}

}  // namespace

AppFound find_app(const fs::path& top, const std::string& repository, const std::string& frontend,
                  const std::string& backend) {
  if (!frontend.empty() && frontend != "nextjs")
    fail(Fault::bad_input, "--frontend takes nextjs, not '{}'", frontend);
  if (!backend.empty() && backend != "fastapi" && backend != "django")
    fail(Fault::bad_input, "--backend takes fastapi or django, not '{}'", backend);
  AppFound app;
  app.repository = repository;
  app.name = aws_name(repository.empty() ? top.filename().string()
                                         : repository.substr(repository.find('/') + 1));
  for (const auto& directory : directories_under(top)) {
    if (!app.frontend) app.frontend = frontend_in(directory, top);
    if (!app.backend) app.backend = backend_in(directory, top, backend);
  }
  if (!frontend.empty() && !app.frontend)
    fail(Fault::bad_input,
         "no Next.js frontend was found: no package.json has a dependency 'next'");
  if (!backend.empty() && !app.backend) {
    fail(Fault::bad_input, "no {} backend was found: {}", backend,
         backend == "django" ? "no manage.py beside a requirements.txt or pyproject.toml"
                             : "no requirements.txt or pyproject.toml names fastapi");
  }
  if (!app.frontend && !app.backend)
    fail(Fault::bad_input,
         "neither a Next.js frontend (package.json with 'next') nor a FastAPI or Django backend "
         "(requirements.txt or pyproject.toml) was found here");
  if (app.backend && app.backend->entry.empty()) {
    fail(Fault::bad_input, "'{}' has no app that could be started: {}", app.backend->directory,
         app.backend->kind == BackendFound::Kind::django ? "manage.py names no settings module"
                                                         : "no file assigns FastAPI(…) to a name");
  }
  return app;
}

}  // namespace slipway::cli
