// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace slipway::cli {

/// A Next.js frontend as it was found.
struct FrontendFound {
  std::string directory;       ///< from the top; "." when it is the top itself
  bool has_lock = false;       ///< package-lock.json
  bool is_standalone = false;  ///< next.config says output: "standalone"
  bool has_public = false;
  bool has_build_script = false;
  bool has_tests = false;  ///< package.json has a script "test"
  std::string health_path = "/";
};

/// A FastAPI or Django backend as it was found.
struct BackendFound {
  enum class Kind { fastapi, django };
  Kind kind = Kind::fastapi;
  std::string directory;
  std::string requirements;  ///< "requirements.txt" or "pyproject.toml"
  std::string entry;         ///< "app.main:app"; Django: the project's package ("shop")
  bool is_factory = false;   ///< entry is a function that makes the app
  std::string health_path;   ///< empty: none was found
  bool has_tests = false;
  bool wants_database = false;  ///< it speaks PostgreSQL, or reads DATABASE_URL
  std::vector<std::string>
      secrets;  ///< variables that are read and look secret, DATABASE_URL left out
  std::vector<std::string> debian;  ///< Debian's packages that fulfil all requirements; empty: pip
};

struct AppFound {
  std::string name;        ///< of the repository, fit for AWS names
  std::string repository;  ///< "owner/name", of origin; empty when there is none
  std::optional<FrontendFound> frontend;
  std::optional<BackendFound> backend;
};

/// Looks for the app in a repository's working tree, at most three folders deep, node_modules and hidden ones left out.
///   frontend, backend  "nextjs", "fastapi", "django", or empty: whatever is there
///   throws             Error{bad_input} when what was asked for, or anything at all, is not there
AppFound find_app(const std::filesystem::path& top, const std::string& repository,
                  const std::string& frontend, const std::string& backend);

/// The requirements that requirements.txt or pyproject.toml ([project], dependencies) lists, as they are written.
std::vector<std::string> requirements_in(std::string_view file, std::string_view text);
/// Debian's packages that fulfil them all; empty when one is not packaged in the version that is asked for.
std::vector<std::string> debian_packages(const std::vector<std::string>& requirements);

struct ScaffoldFile {
  std::string path;  ///< from the top
  std::string text;
};
struct ScaffoldOptions {
  std::string account = "123456789012";
  std::string region = "us-east-1";
};
/// All files that carry the app from commit to service.
std::vector<ScaffoldFile> scaffold(const AppFound& app, const ScaffoldOptions& options);

}  // namespace slipway::cli
