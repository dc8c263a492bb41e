// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway {

/// What kind of trouble ended a unit of work; decides the exit code, the HTTP status or the AWS error.
enum class Fault {
  bad_input,    ///< the user's file, flag or request is wrong: exit 2, HTTP 400
  not_found,    ///< the named thing does not exist
  denied,       ///< credentials or policy say no
  conflict,     ///< the thing exists already or is in another state
  failed,       ///< the work itself failed: a step, a build, a deployment: exit 1
  unavailable,  ///< the surroundings failed: disk, network, runtime, cloud: exit 3
  unsupported,  ///< a part that is not built yet: exit 2
};

/// The unit of work cannot go on. Callers add what they were doing with while_doing(); nobody branches on the text.
class Error final : public std::runtime_error {
 public:
  Error(Fault fault, const std::string& message) : std::runtime_error(message), fault_(fault) {}
  [[nodiscard]] Fault fault() const noexcept { return fault_; }

 private:
  Fault fault_;
};

/// The work was asked to stop (a stop_token, a deadline of the caller's). Not an Error: `catch (const Error&)` lets it through.
class Cancelled final : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "cancelled"; }
};

/// Throws Error{fault} with a formatted message: `fail(Fault::not_found, "no image '{}'", name)`.
template <typename... Args>
[[noreturn]] void fail(Fault fault, fmt::format_string<Args...> text, Args&&... args) {
  throw Error(fault, fmt::format(text, std::forward<Args>(args)...));
}

/// Runs `work` and prefixes the message of an Error that leaves it with `doing` and ": ".
template <typename Work>
decltype(auto) while_doing(std::string_view doing, Work&& work) {
  try {
    return std::forward<Work>(work)();
  } catch (const Error& error) {
    throw Error(error.fault(), fmt::format("{}: {}", doing, error.what()));
  }
}

/// One finding in a file that a user wrote.
struct Diagnostic {
  std::string file;     ///< as the user named it; may be empty for text without a file
  int line = 0;         ///< 1-based; 0 when the whole file is meant
  int column = 0;       ///< 1-based, in characters; 0 when the whole line is meant
  std::string message;  ///< lower case, no full stop, says what is wrong and what to do
  bool operator==(const Diagnostic&) const = default;
};

/// "file:line:column: message", leaving out what is 0 or empty.
std::string to_string(const Diagnostic& diagnostic);

/// Every diagnostic on a line of its own, as the text of one Error{bad_input}.
[[noreturn]] void throw_diagnostics(const std::vector<Diagnostic>& diagnostics);

}  // namespace slipway
