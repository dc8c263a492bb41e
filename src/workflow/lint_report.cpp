// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "workflow/lint.hpp"

namespace slipway::workflow {
namespace {

using formats::Json;

std::string as_text(const std::vector<LintFinding>& findings) {
  std::string text;
  for (const auto& one : findings) {
    text += one.file;
    if (one.line > 0) text += fmt::format(":{}", one.line);
    if (one.column > 0) text += fmt::format(":{}", one.column);
    text += fmt::format(": {}: {} [{}]\n", name_of(one.level), one.message, one.rule);
    if (!one.mend.empty()) text += "    " + one.mend + "\n";
  }
  return text;
}

Json as_json(const std::vector<LintFinding>& findings) {
  Json list = Json::array();
  for (const auto& one : findings) {
    Json json = Json::object({{"file", one.file}, {"line", one.line}, {"column", one.column}});
    json["level"] = std::string(name_of(one.level));
    json["rule"] = one.rule;
    json["message"] = one.message;
    if (!one.mend.empty()) json["mend"] = one.mend;
    list.push_back(std::move(json));
  }
  Json document = Json::object();
  document["findings"] = std::move(list);
  return document;
}

// A path as a relative URI reference (RFC 3986, 4.2).
std::string uri_of(const std::string& path) {
  std::string uri;
  for (char c : path) {
    bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                    std::string_view("/-._~").find(c) != std::string_view::npos;
    uri += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri;
}

// source  SARIF 2.1.0, sections 3.19 (tool), 3.27 (result)
Json as_sarif(const std::vector<LintFinding>& findings) {
  Json rules = Json::array();
  for (const auto& rule : lint_rules()) {
    rules.push_back(Json::object(
        {{"id", rule.name}, {"shortDescription", Json::object({{"text", rule.summary}})}}));
  }
  Json results = Json::array();
  for (const auto& one : findings) {
    Json region = Json::object({{"startLine", std::max(one.line, 1)}});
    if (one.column > 0) region["startColumn"] = one.column;
    Json location = Json::object(
        {{"artifactLocation", Json::object({{"uri", uri_of(one.file)}})}, {"region", region}});
    auto text = one.mend.empty() ? one.message : one.message + "; " + one.mend;
    results.push_back(Json::object(
        {{"ruleId", one.rule},
         {"level", std::string(name_of(one.level))},
         {"message", Json::object({{"text", text}})},
         {"locations", Json::array({Json::object({{"physicalLocation", location}})})}}));
  }
  Json driver = Json::object({{"name", "slipway"}, {"rules", rules}});
  Json run = Json::object(
      {{"tool", Json::object({{"driver", driver}})}, {"columnKind", "unicodeCodePoints"}});
  run["results"] = std::move(results);
  Json document = Json::object({{"version", "2.1.0"},
                                {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                                {"runs", Json::array()}});
  document["runs"].push_back(std::move(run));
  return document;
}

std::string escaped(std::string text, bool is_property) {
  text = replace_all(std::move(text), "%", "%25");
  text = replace_all(std::move(text), "\r", "%0D");
  text = replace_all(std::move(text), "\n", "%0A");
  if (!is_property) return text;
  return replace_all(replace_all(std::move(text), ":", "%3A"), ",", "%2C");
}

// Workflow commands: a step of GitHub's runner shows them as annotations.
std::string as_commands(const std::vector<LintFinding>& findings) {
  std::string text;
  for (const auto& one : findings) {
    auto command =
        one.level == LintLevel::note ? std::string("notice") : std::string(name_of(one.level));
    text += fmt::format("::{} file={}", command, escaped(one.file, true));
    if (one.line > 0) text += fmt::format(",line={}", one.line);
    if (one.column > 0) text += fmt::format(",col={}", one.column);
    auto message = one.mend.empty() ? one.message : one.message + "\n" + one.mend;
    text += fmt::format(",title={}::{}\n", escaped(one.rule, true), escaped(message, false));
  }
  return text;
}

}  // namespace

std::string report(const std::vector<LintFinding>& findings, LintFormat format) {
  switch (format) {
    case LintFormat::json:
      return as_json(findings).pretty() + "\n";
    case LintFormat::sarif:
      return as_sarif(findings).pretty() + "\n";
    case LintFormat::github:
      return as_commands(findings);
    case LintFormat::text:
      break;
  }
  return as_text(findings);
}

}  // namespace slipway::workflow
