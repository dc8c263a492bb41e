// SPDX-License-Identifier: Apache-2.0
#include "image/check.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "image/remote_source.hpp"
#include "image/words.hpp"
#include "oci/reference.hpp"

namespace slipway::image {
namespace {

std::string written_keyword(const Instruction& instruction) {
  return instruction.text.substr(0, instruction.text.find_first_of(" \t\v\f\r\n"));
}

bool is_lower(std::string_view text) { return to_lower(text) == text; }
bool is_upper(std::string_view text) { return to_upper(text) == text; }

// A name whose parts between underscores say that it is secret.
bool names_secret(std::string_view name) {
  static constexpr std::string_view kWords[] = {"apikey", "auth",     "credential", "credentials",
                                                "key",    "password", "pword",      "passwd",
                                                "secret", "token"};
  bool found = false;
  for (const auto& part : split(to_lower(name), '_')) {
    if (part == "public") return false;
    found = found || std::find(std::begin(kWords), std::end(kWords), part) != std::end(kWords);
  }
  return found;
}

class Checker {
 public:
  Checker(const Dockerfile& dockerfile, std::string_view text, const Arguments& arguments,
          const IgnoreMatcher* ignore)
      : dockerfile_(dockerfile), lines_(lines_of(text)), arguments_(arguments), ignore_(ignore) {
    for (const char* name : {"BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT",
                             "BUILDOSVERSION", "TARGETPLATFORM", "TARGETOS", "TARGETARCH",
                             "TARGETVARIANT", "TARGETOSVERSION", "TARGETSTAGE"}) {
      globals_.emplace(name, "x");
    }
    globals_["TARGETPLATFORM"] = arguments.target_platform.str();
    globals_["BUILDPLATFORM"] = arguments.build_platform.str();
  }

  std::vector<Finding> run() {
    for (const auto& warning : dockerfile_.warnings) {
      auto colon = warning.message.find(": ");
      found_.push_back({warning.message.substr(0, colon),
                        "Empty continuation line",
                        {warning.line, warning.line}});
    }
    check_casing();
    for (const auto& instruction : dockerfile_.instructions) check(instruction);
    std::stable_sort(found_.begin(), found_.end(),
                     [](const auto& a, const auto& b) { return a.lines.first < b.lines.first; });
    return std::move(found_);
  }

 private:
  void add(const Instruction& at, std::string_view rule, std::string message) {
    found_.push_back({std::string(rule), std::move(message), at.lines});
  }

  void check_casing() {
    int lower = 0;
    int upper = 0;
    auto each = [&](const std::function<void(const Instruction&, const std::string&)>& visit) {
      bool in_stage = false;
      for (const auto& instruction : dockerfile_.instructions) {
        in_stage = in_stage || instruction.keyword == "FROM";
        if (in_stage) visit(instruction, written_keyword(instruction));
      }
    };
    each([&](const Instruction&, const std::string& word) {
      if (is_lower(word))
        ++lower;
      else if (is_upper(word))
        ++upper;
    });
    bool wants_lower = lower > upper;
    each([&](const Instruction& at, const std::string& word) {
      if (wants_lower ? is_lower(word) : is_upper(word)) return;
      add(at, "ConsistentInstructionCasing",
          fmt::format("Command '{}' should match the case of the command majority ({})", word,
                      wants_lower ? "lowercase" : "uppercase"));
    });
  }

  void check(const Instruction& at) {
    check_description(at);
    const auto& keyword = at.keyword;
    if (keyword == "FROM") return check_from(at);
    if (keyword == "ARG") return check_arg(at);
    if (keyword == "MAINTAINER")
      add(at, "MaintainerDeprecated",
          "Maintainer instruction is deprecated in favor of using label");
    if (keyword == "ENV" || keyword == "LABEL") check_pairs(at);
    if (keyword == "CMD" || keyword == "ENTRYPOINT" || keyword == "HEALTHCHECK") check_once(at);
    if ((keyword == "CMD" || keyword == "ENTRYPOINT") && !at.is_json && !at.words.empty() &&
        !has_shell_) {
      add(at, "JSONArgsRecommended",
          fmt::format("JSON arguments recommended for {} to prevent unintended behavior related to "
                      "OS signals",
                      keyword));
    }
    if (keyword == "SHELL") has_shell_ = true;
    if (keyword == "WORKDIR") check_workdir(at);
    if (keyword == "EXPOSE") check_expose(at);
    if (keyword == "COPY" || keyword == "ADD") check_copy(at);
  }

  void check_once(const Instruction& at) {
    auto [last, is_first] = last_of_.try_emplace(at.keyword, &at);
    if (is_first) return;
    add(*last->second, "MultipleInstructionsDisallowed",
        fmt::format("Multiple {} instructions should not be used in the same stage because only "
                    "the last one will be used",
                    at.keyword));
    last->second = &at;
  }

  void check_pairs(const Instruction& at) {
    auto words = split_words(at.rest, dockerfile_.directives.escape);
    if (!words.empty() && words.front().find('=') == std::string::npos) {
      add(at, "LegacyKeyValueFormat",
          fmt::format("\"{0} key=value\" should be used instead of legacy \"{0} key value\" format",
                      at.keyword));
    }
    if (at.keyword != "ENV") return;
    for (std::size_t i = 0; i + 1 < at.words.size(); i += 2) check_secret(at, at.words[i]);
  }

  void check_secret(const Instruction& at, const std::string& name) {
    if (!names_secret(name)) return;
    add(at, "SecretsUsedInArgOrEnv",
        fmt::format("Do not use ARG or ENV instructions for sensitive data ({} \"{}\")", at.keyword,
                    name));
  }

  void check_workdir(const Instruction& at) {
    const std::string& path = at.words.empty() ? at.rest : at.words[0];
    bool is_absolute = path.starts_with('/') || path.starts_with("\"/") || path.starts_with("'/") ||
                       path.starts_with('$');
    if (!has_workdir_ && !is_absolute) {
      add(at, "WorkdirRelativePath",
          fmt::format(
              "Relative workdir \"{}\" can have unexpected results if the base image changes",
              path));
    }
    has_workdir_ = true;
  }

  void check_expose(const Instruction& at) {
    for (const auto& word : at.words) {
      auto slash = word.find('/');
      if (slash != std::string::npos && !is_lower(std::string_view(word).substr(slash)) &&
          word.find('$', slash) == std::string::npos) {
        add(at, "ExposeProtoCasing",
            fmt::format("Defined protocol '{}' in EXPOSE instruction should be lowercase", word));
      }
      if (word.find(':') != std::string::npos && word.find('$') == std::string::npos) {
        add(at, "ExposeInvalidFormat",
            fmt::format("EXPOSE instruction should not define an IP address or host-port mapping, "
                        "found '{}'",
                        word));
      }
    }
  }

  void check_copy(const Instruction& at) {
    if (!ignore_ || !ignore_->has_patterns() || flag_value(at, "from")) return;
    for (std::size_t i = 0; i + 1 < at.words.size(); ++i) {
      const auto& source = at.words[i];
      if (source.find_first_of("*?[$<") != std::string::npos || is_remote_source(source)) continue;
      std::string path = clean_path("/" + source).substr(1);
      if (path.empty() || !ignore_->is_ignored(path)) continue;
      add(at, "CopyIgnoredFile",
          fmt::format("Attempting to {} file \"{}\" that is excluded by .dockerignore",
                      to_title(at.keyword), source));
    }
  }

  static std::string to_title(std::string_view word) {
    return std::string(word.substr(0, 1)) + to_lower(word.substr(1));
  }

  void check_arg(const Instruction& at) {
    for (const auto& word : at.words) {
      auto equals = word.find('=');
      std::string name = word.substr(0, equals);
      check_secret(at, name);
      if (in_stage_) continue;
      std::optional<std::string> value;
      if (equals != std::string::npos)
        value = expand(word.substr(equals + 1), lookup(globals_), options()).text;
      defaults_[name] = value.value_or("");
      if (auto given = arguments_.given.find(name); given != arguments_.given.end())
        value = given->second;
      declared_.insert(name);
      if (value) globals_[name] = *value;
    }
  }

  static Lookup lookup(const std::map<std::string, std::string>& values) {
    return [&values](std::string_view name) -> std::optional<std::string> {
      auto found = values.find(std::string(name));
      return found == values.end() ? std::nullopt : std::optional(found->second);
    };
  }
  [[nodiscard]] ExpandOptions options() const { return {.escape = dockerfile_.directives.escape}; }

  void check_unset(const Instruction& at, const Expanded& expanded) {
    for (const auto& name : expanded.unset) {
      if (declared_.contains(name)) continue;
      add(at, "UndefinedArgInFrom", fmt::format("FROM argument '{}' is not declared", name));
    }
  }

  void check_from(const Instruction& at) {
    in_stage_ = true;
    has_shell_ = false;
    has_workdir_ = false;
    last_of_.clear();
    if (at.words.empty()) return;
    auto base = expand(at.words[0], lookup(globals_), options());
    check_unset(at, base);
    check_default_base(at);
    check_platform(at);
    if (at.words.size() != 3) return;
    const auto& name = at.words[2];
    std::string keyword = written_keyword(at);
    bool as_fits =
        is_lower(keyword) ? is_lower(at.words[1]) : !is_upper(keyword) || is_upper(at.words[1]);
    if (!is_lower(name))
      add(at, "StageNameCasing", fmt::format("Stage name '{}' should be lowercase", name));
    if (!as_fits)
      add(at, "FromAsCasing",
          fmt::format("'{}' and '{}' keywords' casing do not match", at.words[1], keyword));
    std::string lower = to_lower(name);
    if (lower == "scratch" || lower == "context") {
      add(at, "ReservedStageName",
          fmt::format("Stage name should not use the same name as reserved stage \"{}\"", lower));
    }
    if (!stages_.insert(lower).second) {
      add(at, "DuplicateStageName",
          fmt::format("Duplicate stage name \"{}\", stage names should be unique", lower));
    }
  }

  // The base must be a name also when nothing is given with --build-arg.
  void check_default_base(const Instruction& at) {
    auto values = globals_;
    for (const auto& [name, value] : defaults_) values[name] = value;
    auto base = expand(at.words[0], lookup(values), options());
    if (base.error || base.text == "scratch" || stages_.contains(to_lower(base.text))) return;
    try {
      oci::Reference::parse(base.text);
    } catch (const Error&) {
      add(at, "InvalidDefaultArgInFrom",
          fmt::format("Default value for ARG {} results in empty or invalid base image name",
                      at.words[0]));
    }
  }

  void check_platform(const Instruction& at) {
    auto platform = flag_value(at, "platform");
    if (!platform) return;
    auto expanded = expand(*platform, lookup(globals_), options());
    check_unset(at, expanded);
    if (*platform == "$TARGETPLATFORM" || *platform == "${TARGETPLATFORM}") {
      add(at, "RedundantTargetPlatform",
          fmt::format("Setting platform to predefined {} in FROM is redundant as this is the "
                      "default behavior",
                      *platform));
    }
    if (platform->find('$') == std::string::npos &&
        !(at.words.size() == 3 && names_platform(at.words[2], expanded.text))) {
      add(at, "FromPlatformFlagConstDisallowed",
          fmt::format("FROM --platform flag should not use constant value \"{}\"", *platform));
    }
  }

  // "FROM --platform=linux/arm64 x AS build-arm64": one stage for each platform is meant so.
  static bool names_platform(const std::string& stage, const std::string& platform) {
    auto parts = split(platform, '/');
    return (!parts.empty() && to_lower(stage).find(parts[0]) != std::string::npos) ||
           (parts.size() > 1 && to_lower(stage).find(parts[1]) != std::string::npos);
  }

  // A comment right above a stage or an ARG describes it: "# NAME text".
  void check_description(const Instruction& at) {
    bool is_stage = at.keyword == "FROM" && at.words.size() == 3;
    if (!is_stage && at.keyword != "ARG") return;
    auto above = static_cast<std::size_t>(at.lines.first) - 1;
    if (above == 0 || above > lines_.size() || at.words.empty()) return;
    auto line = trim(lines_[above - 1]);
    if (!line.starts_with('#')) return;
    auto words = split_at_space(line.substr(1));
    std::vector<std::string> names;
    if (is_stage) names = {to_lower(at.words[2])};
    for (const auto& word : at.words) {
      if (!is_stage) names.push_back(word.substr(0, word.find('=')));
    }
    if (!words.empty() && std::find(names.begin(), names.end(), words[0]) != names.end()) return;
    add(at, "InvalidDefinitionDescription",
        fmt::format("Comment for {} should follow the format: `# {} <description>`", at.keyword,
                    names.size() == 1 ? names[0] : "<arg_key>"));
  }

  const Dockerfile& dockerfile_;
  std::vector<std::string_view> lines_;
  const Arguments& arguments_;
  const IgnoreMatcher* ignore_;
  std::vector<Finding> found_;
  std::map<std::string, std::string> globals_;
  std::map<std::string, std::string> defaults_;
  std::set<std::string> declared_;
  std::set<std::string> stages_;
  std::map<std::string, const Instruction*> last_of_;
  bool in_stage_ = false;
  bool has_shell_ = false;
  bool has_workdir_ = false;
};

}  // namespace

CheckSettings read_check_settings(std::string_view text) {
  CheckSettings settings;
  for (const auto& part : split(text, ';')) {
    auto equals = part.find('=');
    std::string key = to_lower(trim(std::string_view(part).substr(0, equals)));
    std::string value(
        equals == std::string::npos ? "" : trim(std::string_view(part).substr(equals + 1)));
    if (key == "error") settings.is_error = to_lower(value) == "true";
    if (key != "skip" && key != "experimental") continue;
    bool& all = key == "skip" ? settings.skips_all : settings.all_experiments;
    all = value == "all";
    for (const auto& rule : split(value, ','))
      (key == "skip" ? settings.skipped : settings.experiments).insert(std::string(trim(rule)));
  }
  return settings;
}

std::vector<Finding> check_dockerfile(const Dockerfile& dockerfile, std::string_view text,
                                      const Arguments& arguments, const IgnoreMatcher* ignore) {
  return Checker(dockerfile, text, arguments, ignore).run();
}

std::vector<Finding> without_skipped(std::vector<Finding> findings, const CheckSettings& settings) {
  static constexpr std::string_view kExperimental = "InvalidDefinitionDescription";
  std::erase_if(findings, [&](const Finding& finding) {
    if (finding.rule == kExperimental)
      return !settings.all_experiments && !settings.experiments.contains(finding.rule);
    return settings.skips_all || settings.skipped.contains(finding.rule);
  });
  return findings;
}

std::string rule_address(std::string_view rule) {
  std::string name;
  for (std::size_t i = 0; i < rule.size(); ++i) {
    bool is_capital = rule[i] >= 'A' && rule[i] <= 'Z';
    bool ends_capitals = i + 1 < rule.size() && rule[i + 1] >= 'a' && rule[i + 1] <= 'z';
    bool after_small = i > 0 && rule[i - 1] >= 'a' && rule[i - 1] <= 'z';
    if (i > 0 && is_capital && (after_small || ends_capitals)) name += '-';
    name += rule[i];
  }
  return fmt::format("https://docs.docker.com/go/dockerfile/rule/{}/", to_lower(name));
}

}  // namespace slipway::image
