// SPDX-License-Identifier: Apache-2.0
#include "workflow/command.hpp"

#include "base/text.hpp"

namespace slipway::workflow {
namespace {

struct Escape {
  std::string_view written;
  std::string_view meant;
};
// Per cent last, so that "%250A" means "%0A".
constexpr Escape kV1Escapes[] = {
    {"%3B", ";"}, {"%0D", "\r"}, {"%0A", "\n"}, {"%5D", "]"}, {"%25", "%"}};
constexpr Escape kDataEscapes[] = {{"%0D", "\r"}, {"%0A", "\n"}, {"%25", "%"}};
constexpr Escape kPropertyEscapes[] = {
    {"%0D", "\r"}, {"%0A", "\n"}, {"%3A", ":"}, {"%2C", ","}, {"%25", "%"}};

std::string unescape(std::string_view text, std::span<const Escape> escapes) {
  std::string out(text);
  if (out.find('%') == std::string::npos) return out;
  for (const auto& escape : escapes)
    out = replace_all(std::move(out), escape.written, escape.meant);
  return out;
}

void read_properties(std::string_view text, char separator, std::span<const Escape> escapes,
                     LogCommand& command) {
  for (const auto& part : split(text, separator)) {
    // "=k=v" and "k=" have no key and no value for GitHub, whose split drops empty parts.
    std::string_view rest = part;
    auto equals = rest.find('=');
    if (equals == 0) {
      rest.remove_prefix(rest.find_first_not_of('=') == std::string_view::npos
                             ? rest.size()
                             : rest.find_first_not_of('='));
      equals = rest.find('=');
    }
    if (equals == std::string_view::npos) continue;
    auto value = rest.substr(equals + 1);
    while (!value.empty() && value.front() == '=') value.remove_prefix(1);
    if (value.empty()) continue;
    command.properties[std::string(rest.substr(0, equals))] = unescape(value, escapes);
  }
}

bool read_name(std::string_view head, const CommandNames& known, LogCommand& command,
               std::string_view& properties) {
  auto space = head.find(' ');
  auto name = head.substr(0, space);
  if (name.empty() || known.find(name) == known.end()) return false;
  command.name = std::string(name);
  properties = space == std::string_view::npos ? std::string_view() : head.substr(space + 1);
  return true;
}

std::optional<LogCommand> parse_v2(std::string_view line, const CommandNames& known) {
  auto begin = line.find_first_not_of(" \t\v\f\r\n");
  if (begin == std::string_view::npos || line.substr(begin, 2) != "::") return std::nullopt;
  line.remove_prefix(begin + 2);
  auto end = line.find("::");
  if (end == std::string_view::npos) return std::nullopt;
  LogCommand command;
  std::string_view properties;
  if (!read_name(line.substr(0, end), known, command, properties)) return std::nullopt;
  read_properties(trim(properties), ',', kPropertyEscapes, command);
  command.data = unescape(line.substr(end + 2), kDataEscapes);
  return command;
}

std::optional<LogCommand> parse_v1(std::string_view line, const CommandNames& known) {
  auto begin = line.find("##[");
  if (begin == std::string_view::npos) return std::nullopt;
  line.remove_prefix(begin + 3);
  auto end = line.find(']');
  if (end == std::string_view::npos) return std::nullopt;
  LogCommand command;
  std::string_view properties;
  if (!read_name(line.substr(0, end), known, command, properties)) return std::nullopt;
  read_properties(properties, ';', kV1Escapes, command);
  command.data = unescape(line.substr(end + 1), kV1Escapes);
  return command;
}

}  // namespace

bool CaselessLess::operator()(std::string_view a, std::string_view b) const {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [&](char x, char y) { return lower(x) < lower(y); });
}

std::string LogCommand::property(std::string_view wanted) const {
  auto found = properties.find(wanted);
  return found == properties.end() ? std::string() : found->second;
}

const CommandNames& registered_commands() {
  static const CommandNames kNames{
      "add-mask",   "add-matcher",    "add-path",   "debug",
      "echo",       "endgroup",       "error",      "group",
      "notice",     "remove-matcher", "save-state", "set-env",
      "set-output", "stop-commands",  "warning",    "internal-set-repo-path"};
  return kNames;
}

std::optional<LogCommand> parse_command(std::string_view line, const CommandNames& known) {
  if (auto command = parse_v2(line, known)) return command;
  return parse_v1(line, known);
}

bool may_hold_command(std::string_view block) {
  return block.find("::") != std::string_view::npos || block.find("##[") != std::string_view::npos;
}

}  // namespace slipway::workflow
