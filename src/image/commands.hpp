// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image/dockerfile.hpp"
#include "image/expand.hpp"

namespace slipway::image {

/// What is wrong with an instruction's flags and arguments, or nothing. Pure; values with variables are checked when they are known.
std::optional<std::string> check_instruction(const Instruction& instruction);

/// The flag's value, the last one given; nothing when it was not given. A flag without a value gives "true".
std::optional<std::string> flag_value(const Instruction& instruction, std::string_view name);
/// Every value of a flag that may be given several times.
std::vector<std::string> flag_values(const Instruction& instruction, std::string_view name);
/// True for `--name` and `--name=true`.
bool flag_is_set(const Instruction& instruction, std::string_view name);

/// `RUN --mount=`.
struct MountFlag {
  enum class Type { bind, cache, tmpfs, secret, ssh };
  enum class Sharing { shared, private_, locked };
  Type type = Type::bind;
  std::string
      from;  ///< stage, image or named context; empty: the build context (bind), nothing (cache)
  std::string source;
  std::string target;  ///< empty for secrets and ssh that go to their default place
  std::string id;
  std::string env;  ///< secret: the variable that gets the value
  Sharing sharing = Sharing::shared;
  bool read_only = false;
  bool required = false;
  std::optional<std::uint64_t> size_bytes;  ///< tmpfs
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  bool operator==(const MountFlag&) const = default;
  /// What LayerStore::cache_directory() knows a cache mount by.
  [[nodiscard]] std::string cache_id() const { return id + "\n" + from + "\n" + source; }
};
struct MountFlagResult {
  MountFlag mount;
  std::optional<std::string> error;
};
/// Reads a --mount flag's value (CSV of key=value). `lookup`: variables; empty: values that hold '$' are not checked further.
///   source  moby/buildkit frontend/dockerfile/instructions/commands_runmount.go
MountFlagResult read_mount_flag(std::string_view value, const Lookup& lookup);

/// "64m", "1.5GiB", "1024": bytes, as docker's options write them.
std::optional<std::uint64_t> read_size(std::string_view text);

/// Go's time.ParseDuration: "1h30m", "1.5s", "300ms".
std::optional<std::chrono::nanoseconds> read_duration(std::string_view text);
/// Go's Duration.String: "1m30s", "300ms", "0s".
std::string go_duration(std::chrono::nanoseconds span);

/// A `--chmod`: octal digits, or symbolic clauses as chmod(1) has them.
class ModeChange final {
 public:
  /// Nothing when the text is neither.
  static std::optional<ModeChange> read(std::string_view text);
  /// The permission bits (with setuid, setgid, sticky) that a file of mode `before` gets.
  [[nodiscard]] std::uint32_t apply(std::uint32_t before, bool is_directory) const;
  [[nodiscard]] bool is_octal() const { return octal_.has_value(); }

 private:
  struct Clause {
    std::uint32_t who = 07777;  // the bits it speaks of
    char operation = '=';
    std::uint32_t bits = 0;  // in all three places
    bool conditional_x = false;
    int like = -1;  // "g=u": the bits of another place, shifted so far
  };
  std::optional<std::uint32_t> octal_;
  std::vector<Clause> clauses_;
};

}  // namespace slipway::image
