// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "formats/json.hpp"
#include "os/file.hpp"

namespace slipway::workflow {

/// The known answers of shared/cases (see its README), for tests; nothing where that folder is absent.
///   SLIPWAY_CASES  its place; else ../shared/cases beside the repository
inline std::optional<formats::Json> known_cases(const std::string& file) {
  const char* given = std::getenv(
      "SLIPWAY_CASES");  // NOLINT(concurrency-mt-unsafe): nobody sets it while tests run
  std::filesystem::path root = given != nullptr ? given : "../shared/cases";
  auto text = os::read_file_if_exists(root / file);
  if (!text) return std::nullopt;
  return formats::parse_json(*text, file);
}

}  // namespace slipway::workflow
