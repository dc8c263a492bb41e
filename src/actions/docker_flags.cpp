// SPDX-License-Identifier: Apache-2.0
#include "actions/docker_flags.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace slipway::actions {
namespace {

const DockerFlag* find(std::span<const DockerFlag> flags, std::string_view word) {
  bool is_long = word.starts_with("--");
  auto found = std::find_if(flags.begin(), flags.end(), [&](const DockerFlag& flag) {
    return is_long ? flag.name == word : flag.letter != 0 && flag.letter == word[1];
  });
  return found == flags.end() ? nullptr : &*found;
}

}  // namespace

const std::vector<std::string>& DockerWords::all(std::string_view name) const {
  static const std::vector<std::string> kNone;
  auto found = values.find(name);
  return found == values.end() ? kNone : found->second;
}

std::optional<std::string> DockerWords::last(std::string_view name) const {
  const auto& given = all(name);
  return given.empty() ? std::nullopt : std::optional(given.back());
}

DockerWords read_docker_words(std::span<const std::string> words, std::span<const DockerFlag> flags,
                              std::string_view command) {
  DockerWords read;
  bool may_be_flag = true;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (!may_be_flag || word.size() < 2 || word.front() != '-') {
      read.arguments.emplace_back(word);
      continue;
    }
    if (word == "--") {
      may_be_flag = false;
      continue;
    }
    auto equals = word.find('=');
    bool is_long = word.starts_with("--");
    auto name = is_long ? word.substr(0, equals) : word.substr(0, 2);
    const auto* flag = find(flags, name);
    if (!flag) fail(Fault::bad_input, "'{}' does not know the flag {}", command, name);
    auto& values = read.values[std::string(flag->name)];
    std::optional<std::string> value;
    if (equals != std::string_view::npos && (is_long || equals == 2)) {
      value = word.substr(equals + 1);
    } else if (!is_long && word.size() > 2 && flag->takes_value) {
      value = word.substr(2);
    }
    if (!value && !flag->takes_value) value = "true";
    if (!value && i + 1 < words.size()) value = words[++i];
    if (!value) fail(Fault::bad_input, "flag needs an argument: {}", name);
    values.push_back(*value);
  }
  return read;
}

}  // namespace slipway::actions
