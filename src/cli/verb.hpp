// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"

namespace slipway::cli {

/// An option of a verb, as plain data; parse.cpp turns it into CLI11's.
struct Option {
  /// list: may be given several times; choice: alone it means "true", a value follows only after '='
  enum class Kind { flag, value, list, choice };
  std::string name;  ///< with its dashes: "--build-arg", or "-f,--file" for both forms
  Kind kind = Kind::value;
  std::string placeholder;  ///< "K=V"; empty for flags
  std::string help;         ///< one line
};

/// What the user typed after the verb.
class Invocation {
 public:
  std::vector<std::string> arguments;                     ///< positional, in order
  std::vector<std::string> rest;                          ///< after "--"
  std::map<std::string, std::vector<std::string>> given;  ///< by long name with dashes ("--file")

  [[nodiscard]] bool has(const std::string& name) const { return given.contains(name); }
  /// The last value given, or nothing.
  [[nodiscard]] std::optional<std::string> value(const std::string& name) const;
  [[nodiscard]] std::string value_or(const std::string& name, std::string fallback) const;
  [[nodiscard]] std::vector<std::string> values(const std::string& name) const;
};

/// What a verb may touch. `main` makes it once.
struct Surroundings {
  std::filesystem::path state;  ///< --state; exists
  std::filesystem::path cwd;
  bool json = false;
  bool quiet = false;
  bool color = false;     ///< stderr is a terminal that shows colours
  bool terminal = false;  ///< stderr is a terminal: progress may be live
  Log& log;
  std::string server_url;  ///< the variable GITHUB_SERVER_URL; may be empty
  std::stop_token stop;    ///< asked for on Ctrl-C or SIGTERM
  std::stop_token hurry;   ///< asked for on the second one: what takes its time to end is killed
};

/// Writes to stdout: results. Each call is one write.
void print(std::string_view text);
/// Writes to stderr: progress.
void print_error(std::string_view text);

struct Verb {
  std::string name;     ///< "build"
  std::string usage;    ///< "CONTEXT [options]"
  std::string summary;  ///< one line for the list of verbs
  std::vector<Option> options;
  int min_arguments = 0;
  int max_arguments = -1;  ///< -1: any number
  /// Returns the exit code: 0 done, 1 the work failed, 2 bad usage or input, 3 surroundings. Errors thrown map by their Fault.
  std::function<int(const Invocation&, Surroundings&)> run;
};

}  // namespace slipway::cli
