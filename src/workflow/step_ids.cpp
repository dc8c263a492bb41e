// SPDX-License-Identifier: Apache-2.0
#include "workflow/step_ids.hpp"

#include <vector>

#include "base/text.hpp"
#include "workflow/expr_lexer.hpp"

namespace slipway::workflow {
namespace {

constexpr std::size_t kMaxLength = 100;

std::string base_name(std::string_view uses) {
  if (uses.empty()) return "run";
  if (uses.starts_with("docker://")) return std::string(uses.substr(9));
  if (uses.starts_with("./") || uses.starts_with(".\\")) return "self";
  if (uses.starts_with("$/")) return "self_repository";
  auto parts = split(replace_all(std::string(uses.substr(0, uses.find('@'))), "\\", "/"), '/');
  std::erase(parts, "");
  return parts.size() < 2 ? "run" : parts[0] + "/" + parts[1];
}

}  // namespace

std::string Ids::add(std::string_view id) {
  if (!is_name(id) || id.size() >= kMaxLength) {
    return fmt::format(
        "The identifier '{}' is invalid. IDs may only contain alphanumeric characters, '_', and "
        "'-'. IDs must start with a "
        "letter or '_' and must be less than 100 characters.",
        id);
  }
  if (id.starts_with("__")) {
    return fmt::format("The identifier '{}' is invalid. IDs starting with '__' are reserved.", id);
  }
  if (!known_.insert(std::string(id)).second) {
    return fmt::format("The identifier '{}' may not be used more than once within the same scope.",
                       id);
  }
  return "";
}

std::string Ids::make_up(std::string_view uses) {
  std::string name = "__" + base_name(uses);
  for (char& c : name) {
    bool is_legal = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '-';
    if (!is_legal) c = '_';
  }
  for (int attempt = 1;; ++attempt) {
    std::string suffix = attempt == 1 ? "" : fmt::format("_{}", attempt);
    auto candidate = name.substr(0, kMaxLength - suffix.size()) + suffix;
    if (known_.insert(candidate).second) return candidate;
  }
}

}  // namespace slipway::workflow
