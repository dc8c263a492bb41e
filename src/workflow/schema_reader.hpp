// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "formats/yaml.hpp"
#include "workflow/schema.hpp"
#include "workflow/template.hpp"

namespace slipway::workflow {

/// Collects what is wrong with one file.
class Findings final {
 public:
  explicit Findings(std::string file) : file_(std::move(file)) {}
  void add(Place place, std::string message) {
    list_.push_back({file_, place.line, place.column, std::move(message)});
  }
  void add(std::vector<Diagnostic> more) {
    for (auto& one : more) list_.push_back(std::move(one));
  }
  /// True when something at this place has been found already.
  [[nodiscard]] bool has(Place place) const {
    for (const auto& one : list_) {
      if (one.line == place.line && one.column == place.column && one.file == file_) return true;
    }
    return false;
  }
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] bool empty() const { return list_.empty(); }
  [[nodiscard]] std::vector<Diagnostic> take() { return std::move(list_); }

 private:
  std::string file_;
  std::vector<Diagnostic> list_;
};

/// Holds a YAML tree against a definition and turns it into a template: keys, kinds of values, required properties,
/// duplicate keys (ignoring case), expressions and the contexts they may use. What is wrong is left out or kept as a
/// literal, and reading goes on.
///   source  runner, src/Sdk/WorkflowParser/ObjectTemplating/TemplateReader.cs
Template read_by_schema(const formats::YamlNode& root, const Definition& definition,
                        Findings& findings);

/// The text of a scalar as a template: a literal, an expression, or a format() of both.
///   whole   "${{ insert }}" is a directive only here; true also sets `is_insert`
Template parse_text(std::string_view text, Place place, const Availability& available,
                    Findings& findings, bool* is_insert = nullptr);

}  // namespace slipway::workflow
