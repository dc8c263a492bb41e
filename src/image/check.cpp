// SPDX-License-Identifier: Apache-2.0
#include "image/check.hpp"

#include <algorithm>

#include "base/edit_distance.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "image/remote_source.hpp"
#include "image/words.hpp"
#include "oci/reference.hpp"

namespace slipway::image {
namespace {

bool is_lower(std::string_view text) { return to_lower(text) == text; }
bool is_upper(std::string_view text) { return to_upper(text) == text; }

// A name whose parts between underscores say that it is secret, and none that it is not.
bool names_secret(std::string_view name) {
  static constexpr std::string_view kWords[] = {"apikey", "auth",     "credential", "credentials",
                                                "key",    "password", "pword",      "passwd",
                                                "secret", "token"};
  bool found = false;
  for (const auto& part : split(to_lower(name), '_')) {
    if (part == "public" || part == "file" || part == "version") return false;
    found = found || std::find(std::begin(kWords), std::end(kWords), part) != std::end(kWords);
  }
  return found;
}

class Checker {
 public:
  Checker(const Dockerfile& dockerfile, std::string_view text, const Arguments& arguments)
      : dockerfile_(dockerfile), lines_(lines_of(text)), arguments_(arguments) {
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
  }

  void check_once(const Instruction& at) {
    auto [last, is_first] = last_of_.try_emplace(at.keyword, &at);
    if (is_first) return;
    add(*last->second, "MultipleInstructionsDisallowed",
        fmt::format("Multiple {} instructions should not be used in the same stage because only "
                    "the last one will be used",
                    written_keyword(at)));
    last->second = &at;
  }

  void check_pairs(const Instruction& at) {
    auto words = split_words(at.rest, dockerfile_.directives.escape);
    if (!words.empty() && words.front().find('=') == std::string::npos) {
      add(at, "LegacyKeyValueFormat",
          fmt::format("\"{0} key=value\" should be used instead of legacy \"{0} key value\" format",
                      written_keyword(at)));
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
      std::vector<std::string> known(declared_.begin(), declared_.end());
      for (const auto& [global, value] : globals_) known.push_back(global);
      add(at, "UndefinedArgInFrom",
          fmt::format("FROM argument '{}' is not declared{}", name, did_you_mean(name, known)));
    }
  }

  void check_from(const Instruction& at) {
    in_stage_ = true;
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
    auto dollar = platform->find('$');
    bool has_one =
        dollar != std::string::npos && platform->find('$', dollar + 1) == std::string::npos;
    if (has_one && platform->find("TARGETPLATFORM") != std::string::npos &&
        expanded.text == globals_["TARGETPLATFORM"]) {
      add(at, "RedundantTargetPlatform",
          fmt::format("Setting platform to predefined {} in FROM is redundant as this is the "
                      "default behavior",
                      *platform));
    }
    if (dollar == std::string::npos &&
        !names_platform(at.words.size() == 3 ? to_lower(at.words[2]) : "", expanded.text)) {
      add(at, "FromPlatformFlagConstDisallowed",
          fmt::format("FROM --platform flag should not use constant value \"{}\"", expanded.text));
    }
  }

  // "FROM --platform=linux/arm64 x AS build-arm64": one stage for each platform is meant so.
  static bool names_platform(const std::string& stage, const std::string& platform) {
    try {
      auto read = oci::Platform::parse(platform);
      return stage.find(read.os) != std::string::npos ||
             stage.find(read.architecture) != std::string::npos;
    } catch (const Error&) {  // told by the build itself
      return true;
    }
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
  std::vector<Finding> found_;
  std::map<std::string, std::string> globals_;
  std::map<std::string, std::string> defaults_;
  std::set<std::string> declared_;
  std::set<std::string> stages_;
  std::map<std::string, const Instruction*> last_of_;
  bool in_stage_ = false;
};

// `# check=skip=RULE` above an instruction is for it alone. What is wrong there is passed over.
std::optional<CheckSettings> check_comment(const Instruction& instruction) {
  for (const auto& comment : instruction.comments) {
    auto equals = comment.find('=');
    if (equals == std::string::npos ||
        to_lower(trim(std::string_view(comment).substr(0, equals))) != "check")
      continue;
    try {
      return read_check_settings(
          check_directive(trim(std::string_view(comment).substr(equals + 1))));
    } catch (const Error&) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

// Of the context's root itself something is left, unless a pattern is for all of it.
bool leaves_something(const IgnoreMatcher& ignore) {
  auto texts = ignore.texts();
  return std::none_of(texts.begin(), texts.end(), [](const auto& pattern) {
    return pattern == "*" || pattern == "**" || pattern == "**/*";
  });
}

}  // namespace

CheckSettings read_check_settings(std::string_view text) {
  CheckSettings settings;
  text = trim(text);
  if (text.empty()) return settings;
  for (const auto& part : split(text, ';')) {
    auto equals = part.find('=');
    std::string key(trim(std::string_view(part).substr(0, equals)));
    if (equals == std::string::npos || (key != "skip" && key != "experimental" && key != "error"))
      fail(Fault::bad_input,
           "invalid check option '{}': it is skip=RULE,… or experimental=RULE,… (or all), and "
           "error=true, parted by ';' without spaces",
           part);
    auto value = trim(std::string_view(part).substr(equals + 1));
    if (key == "error") {
      bool is_true = value == "1" || value == "t" || equals_ignoring_case(value, "true");
      if (!is_true && value != "0" && value != "f" && !equals_ignoring_case(value, "false"))
        fail(Fault::bad_input, "check option 'error={}': it is true or false", value);
      settings.is_error = is_true;
      continue;
    }
    bool& all = key == "skip" ? settings.skips_all : settings.all_experiments;
    all = value == "all";
    for (const auto& rule : split(value, ','))
      (key == "skip" ? settings.skipped : settings.experiments).insert(std::string(trim(rule)));
  }
  return settings;
}

std::string_view check_directive(std::string_view value) {
  return value.substr(0, value.find(' '));
}

std::vector<Finding> check_dockerfile(const Dockerfile& dockerfile, std::string_view text,
                                      const Arguments& arguments) {
  return Checker(dockerfile, text, arguments).run();
}

std::vector<Finding> check_copies(const PlannedStage& stage, const IgnoreMatcher& ignore) {
  std::vector<Finding> found;
  // With exceptions a directory may be left out and a file in it not: nobody can tell without looking.
  if (!ignore.has_patterns() || ignore.has_exceptions()) return found;
  for (const auto& step : stage.steps) {
    const auto* copy = std::get_if<CopyOp>(&step.op);
    if (!copy || copy->from.kind != Origin::Kind::context) continue;
    for (const auto& source : copy->sources) {
      if (is_remote_source(source)) continue;
      std::string path = clean_path(source);
      std::string relative = clean_path("/" + source).substr(1);
      if (relative.empty() ? leaves_something(ignore) : !ignore.is_ignored(relative)) continue;
      found.push_back({"CopyIgnoredFile",
                       fmt::format("Attempting to {} file \"{}\" that is excluded by .dockerignore",
                                   copy->is_add ? "Add" : "Copy", path),
                       step.lines});
    }
  }
  return found;
}

std::vector<Finding> without_skipped(std::vector<Finding> findings, const CheckSettings& settings,
                                     const Dockerfile& dockerfile) {
  static constexpr std::string_view kExperimental = "InvalidDefinitionDescription";
  // What is not found at one instruction alone, which only the whole file's settings skip.
  static constexpr std::string_view kOfTheFile[] = {
      "DuplicateStageName",      "ReservedStageName",        "ConsistentInstructionCasing",
      "InvalidDefaultArgInFrom", "InvalidBaseImagePlatform", "NoEmptyContinuation"};
  std::map<int, CheckSettings> own;  // of instructions, by line
  for (const auto& instruction : dockerfile.instructions) {
    if (auto comment = check_comment(instruction))
      own.emplace(instruction.lines.first, std::move(*comment));
  }
  auto applies = [](const CheckSettings& here, const std::string& rule) {
    return rule == kExperimental ? here.all_experiments || here.experiments.contains(rule)
                                 : here.skips_all || here.skipped.contains(rule);
  };
  std::erase_if(findings, [&](const Finding& finding) {
    bool is_told = applies(settings, finding.rule);
    bool is_of_file = std::find(std::begin(kOfTheFile), std::end(kOfTheFile), finding.rule) !=
                      std::end(kOfTheFile);
    auto here = own.find(finding.lines.first);
    if (!is_of_file && here != own.end()) is_told = is_told || applies(here->second, finding.rule);
    return finding.rule == kExperimental ? !is_told : is_told;
  });
  return findings;
}

std::string_view rule_description(std::string_view rule) {
  static constexpr std::pair<std::string_view, std::string_view> kTable[] = {
      {"StageNameCasing", "Stage names should be lowercase"},
      {"FromAsCasing", "The 'as' keyword should match the case of the 'from' keyword"},
      {"NoEmptyContinuation", "Empty continuation lines will become errors in a future release"},
      {"ConsistentInstructionCasing",
       "All commands within the Dockerfile should use the same casing (either upper or lower)"},
      {"DuplicateStageName", "Stage names should be unique"},
      {"ReservedStageName", "Reserved words should not be used as stage names"},
      {"JSONArgsRecommended",
       "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS "
       "signals"},
      {"MaintainerDeprecated",
       "The MAINTAINER instruction is deprecated, use a label instead to define an image author"},
      {"UndefinedArgInFrom", "FROM command must use declared ARGs"},
      {"WorkdirRelativePath",
       "Relative workdir without an absolute workdir declared within the build can have unexpected "
       "results if the base image changes"},
      {"UndefinedVar", "Variables should be defined before their use"},
      {"MultipleInstructionsDisallowed",
       "Multiple instructions of the same type should not be used in the same stage"},
      {"LegacyKeyValueFormat",
       "Legacy key/value format with whitespace separator should not be used"},
      {"InvalidBaseImagePlatform", "Base image platform does not match expected target platform"},
      {"RedundantTargetPlatform",
       "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default "
       "behavior"},
      {"SecretsUsedInArgOrEnv", "Sensitive data should not be used in the ARG or ENV commands"},
      {"InvalidDefaultArgInFrom",
       "Default value for global ARG results in an empty or invalid base image name"},
      {"FromPlatformFlagConstDisallowed", "FROM --platform flag should not use a constant value"},
      {"CopyIgnoredFile", "Attempting to Copy file that is excluded by .dockerignore"},
      {"InvalidDefinitionDescription",
       "Comment for build stage or argument should follow the format: `# <arg/stage name> "
       "<description>`. If this is not intended to be a description comment, add an empty line or "
       "comment between the instruction and the comment."},
      {"ExposeProtoCasing", "Protocol in EXPOSE instruction should be lowercase"},
      {"ExposeInvalidFormat",
       "IP address and host-port mapping should not be used in EXPOSE instruction. This will "
       "become "
       "an error in a future release"}};
  for (const auto& [name, description] : kTable) {
    if (name == rule) return description;
  }
  return "";
}

std::string rule_address(std::string_view rule) {
  if (rule == "InvalidBaseImagePlatform") return "";  // it has no page
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
