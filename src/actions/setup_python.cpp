// SPDX-License-Identifier: Apache-2.0
#include "actions/aws_access.hpp"
#include "actions/builtin.hpp"
#include "actions/setup_language.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

// actions/setup-python: the Python that the machine or its tool cache has; nothing is downloaded.
namespace slipway::actions {
namespace {

using workflow::ActionContext;

std::string python_version_in(ActionContext& context, const std::string& name) {
  auto text = os::read_file_if_exists(job_file(context, name));
  if (!text)
    fail(Fault::not_found, "The specified python version file at: {} doesn't exist.",
         job_path(context, name));
  for (auto line : lines_of(*text)) {
    auto word = trim(line.substr(0, line.find('#')));
    if (name.ends_with(".toml")) {
      if (!word.starts_with("requires-python")) continue;
      auto begin = word.find('"');
      auto end = word.rfind('"');
      if (begin == std::string_view::npos || end <= begin) continue;
      return std::string(word.substr(begin + 1, end - begin - 1));
    }
    if (word.starts_with("python ")) word = trim(word.substr(7));  // .tool-versions
    if (!word.empty()) return std::string(word);
  }
  fail(Fault::bad_input, "'{}' names no version", name);
}

class SetupPython final : public workflow::Action {
 public:
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    return {{"python-version", std::nullopt},
            {"python-version-file", std::nullopt},
            {"cache", std::nullopt},
            {"architecture", std::nullopt},
            {"check-latest", "false"},
            {"token", std::nullopt},
            {"cache-dependency-path", std::nullopt},
            {"update-environment", "true"},
            {"allow-prereleases", "false"},
            {"freethreaded", "false"},
            {"pip-version", std::nullopt},
            {"pip-install", std::nullopt}};
  }

  [[nodiscard]] bool is_apart_from_services() const override { return true; }
  void run(ActionContext& context) override {
    auto wanted = context.list("python-version");
    if (wanted.empty() && !context.text("python-version-file").empty())
      wanted = {python_version_in(context, context.text("python-version-file"))};
    if (wanted.empty()) wanted = {"*"};
    Installed found;
    for (const auto& version : wanted)
      found = use(context, version);  // the last one named is the first in PATH
    context.set_output("python-version", found.version);
    context.set_output("python-path", found.program);
    context.set_output("cache-hit", "false");
    if (auto packages = context.text("pip-install"); !packages.empty())
      install(context, found, packages);
  }

 private:
  static Installed use(ActionContext& context, const std::string& version) {
    if (version.starts_with("pypy") || version.starts_with("graalpy")) {
      fail(Fault::unsupported,
           "'{}' is not supported yet: only CPython is looked for on the machine", version);
    }
    // Debian's interpreter stands beside one that a version manager put in front of it.
    Language language{.name = "Python",
                      .tool = "Python",
                      .program = "python3",
                      .candidates = {"/usr/local/bin/python3", "/usr/bin/python3", "python"}};
    for (int minor = 14; minor >= 8; --minor)
      language.candidates.push_back(fmt::format("python3.{}", minor));
    auto found = find_language(context, language, version == "3.x" ? "3" : version);
    if (context.flag("update-environment", true)) {
      if (context.machine().find_program("python3", context.env_or("PATH")) != found.program)
        context.add_path(found.directory);
      name_python(context, found);
      auto root = std::filesystem::path(found.directory).parent_path().string();
      for (const char* name :
           {"pythonLocation", "Python_ROOT_DIR", "Python2_ROOT_DIR", "Python3_ROOT_DIR"})
        context.set_env(name, root);
    }
    context.log(
        fmt::format("Python {} ({}) satisfies '{}'", found.version, found.program, version));
    return found;
  }

  // Debian's interpreter is called python3 only: the action promises `python`.
  static void name_python(ActionContext& context, const Installed& found) {
    if (context.machine().find_program("python", context.env_or("PATH"))) return;
    std::string directory =
        fmt::format("{}/python-{}", context.machine().paths().temp, found.version);
    std::filesystem::path outside = context.machine().outside(directory);
    std::filesystem::create_directories(outside);
    if (!std::filesystem::is_symlink(outside / "python"))
      std::filesystem::create_symlink(found.program, outside / "python");
    context.add_path(directory);
  }

  static void install(ActionContext& context, const Installed& python,
                      const std::string& packages) {
    std::vector<std::string> argv = {python.program, "-m", "pip", "install"};
    for (auto& word : split(packages, ' ')) {
      if (!word.empty()) argv.push_back(std::move(word));
    }
    if (auto exit = context.run(argv); !exit.ok())
      fail(Fault::failed, "pip install failed with {}", os::to_string(exit));
  }
};

}  // namespace

std::unique_ptr<workflow::Action> make_setup_python() { return std::make_unique<SetupPython>(); }

}  // namespace slipway::actions
