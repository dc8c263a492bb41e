// SPDX-License-Identifier: Apache-2.0
#include "image/commands.hpp"

#include "base/edit_distance.hpp"
#include "base/text.hpp"
#include "image/heredoc.hpp"
#include "image/words.hpp"

namespace slipway::image {
namespace {

struct Rule {
  std::string_view keyword;
  std::string_view
      flags;  // space separated; '*' after a name: may be repeated; '!' : takes no value or true/false
  int least = 0;  // words
  int most = -1;
};

constexpr Rule kRules[] = {
    {"ADD", "keep-git-dir! chown chmod link! exclude* checksum unpack!", 2},
    {"ARG", "", 1},
    {"CMD", "", 0},
    {"COPY", "from chown chmod link! exclude* parents!", 2},
    {"ENTRYPOINT", "", 0},
    {"ENV", "", 1},
    {"EXPOSE", "", 1},
    {"FROM", "platform", 1, 3},
    {"HEALTHCHECK", "interval timeout start-period start-interval retries", 1},
    {"LABEL", "", 1},
    {"MAINTAINER", "", 1, 1},
    {"ONBUILD", "", 0},
    {"RUN", "mount* network security device*", 0},
    {"SHELL", "", 1},
    {"STOPSIGNAL", "", 1, 1},
    {"USER", "", 1, 1},
    {"VOLUME", "", 1},
    {"WORKDIR", "", 1, 1},
};

const Rule* rule_of(std::string_view keyword) {
  for (const auto& rule : kRules) {
    if (rule.keyword == keyword) return &rule;
  }
  return nullptr;
}

std::optional<std::string> check_flags(const Instruction& instruction, const Rule& rule) {
  auto known = split_at_space(rule.flags);
  std::vector<std::string> seen;
  for (const auto& flag : instruction.flags) {
    const std::string* found = nullptr;
    for (const auto& name : known) {
      if (std::string_view(name).substr(0, name.find_first_of("*!")) == flag.name) found = &name;
    }
    if (!found) {
      std::vector<std::string> names;
      for (const auto& name : known) names.push_back(name.substr(0, name.find_first_of("*!")));
      return fmt::format("unknown flag: --{}{}", flag.name, did_you_mean(flag.name, names));
    }
    bool repeats = found->ends_with('*');
    bool is_bool = found->ends_with('!');
    if (!repeats && std::find(seen.begin(), seen.end(), flag.name) != seen.end()) {
      return fmt::format("duplicate flag specified: --{}", flag.name);
    }
    seen.push_back(flag.name);
    if (is_bool && flag.value && !equals_ignoring_case(*flag.value, "true") &&
        !equals_ignoring_case(*flag.value, "false")) {
      return fmt::format("expecting boolean value for flag --{}, not: {}", flag.name, *flag.value);
    }
    if (!is_bool && !flag.value) return fmt::format("missing a value on flag: --{}", flag.name);
  }
  return std::nullopt;
}

std::optional<std::string> check_count(const Instruction& instruction, const Rule& rule) {
  int count = static_cast<int>(instruction.words.size());
  if (rule.least == 1 && count == 0) {
    return fmt::format("{} requires {} one argument", rule.keyword,
                       rule.most == 1 ? "exactly" : "at least");
  }
  if (rule.least == 2 && count < 2) {
    return fmt::format(
        "{} requires at least two arguments, but {} provided: destination could not be determined",
        rule.keyword, count == 0 ? "none was" : "only one was");
  }
  if (rule.most >= 0 && count > rule.most)
    return fmt::format("{} has too many arguments", rule.keyword);
  return std::nullopt;
}

std::optional<std::string> check_health(const Instruction& instruction) {
  const auto& kind = instruction.words.front();
  if (kind == "NONE") {
    if (instruction.words.size() > 1) return "HEALTHCHECK NONE takes no arguments";
    return std::nullopt;
  }
  if (kind != "CMD") return fmt::format("unknown type \"{}\" in HEALTHCHECK (try CMD)", kind);
  if (instruction.words.size() < 2 || instruction.words[1].empty())
    return "missing command after HEALTHCHECK CMD";
  for (const auto& flag : instruction.flags) {
    if (flag.name == "retries") {
      auto retries = to_integer(flag.value.value_or(""));
      if (!retries || *retries < 0 || *retries > 1'000'000)
        return fmt::format("--retries must be at least 0, not {}", *flag.value);
      continue;
    }
    auto span = read_duration(flag.value.value_or(""));
    if (!span)
      return fmt::format("invalid duration \"{}\" of --{}", flag.value.value_or(""), flag.name);
    if (*span != std::chrono::nanoseconds(0) && *span < std::chrono::milliseconds(1)) {
      return fmt::format("--{} {} cannot be less than 1ms", flag.name, flag.value.value_or(""));
    }
  }
  return std::nullopt;
}

std::optional<std::string> check_from(const Instruction& instruction) {
  const auto& words = instruction.words;
  if (words.size() == 1) return std::nullopt;
  if (words.size() != 3 || !equals_ignoring_case(words[1], "as"))
    return "FROM requires either one or three arguments";
  std::string name = to_lower(words[2]);
  bool good = name.front() >= 'a' && name.front() <= 'z';
  for (char c : name)
    good =
        good && (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.');
  if (!good) {
    return fmt::format(
        "invalid name for build stage: \"{}\", a name starts with a letter and holds letters, "
        "digits, '-', '_', '.'",
        words[2]);
  }
  return std::nullopt;
}

std::optional<std::string> check_run(const Instruction& instruction) {
  if (instruction.words.empty() && instruction.heredocs.empty()) return std::nullopt;
  for (const auto& value : flag_values(instruction, "mount")) {
    if (auto result = read_mount_flag(value, {}); result.error) return result.error;
  }
  if (auto network = flag_value(instruction, "network");
      network && *network != "default" && *network != "none" && *network != "host") {
    return fmt::format("invalid network mode \"{}\": it is default, none or host", *network);
  }
  if (auto security = flag_value(instruction, "security");
      security && *security != "sandbox" && *security != "insecure") {
    return fmt::format("security \"{}\" is not known: it is sandbox or insecure", *security);
  }
  if (flag_value(instruction, "device"))
    return "RUN --device is not supported yet: there are no CDI devices here";
  return std::nullopt;
}

std::optional<std::string> check_copy(const Instruction& instruction) {
  bool is_copy = instruction.keyword == "COPY";
  if (!is_copy && instruction.keyword != "ADD") return std::nullopt;
  if (!instruction.is_json && !instruction.heredocs.empty() &&
      heredoc_of(instruction.words.back())) {
    return fmt::format("{} cannot accept a heredoc as a destination", instruction.keyword);
  }
  if (auto from = flag_value(instruction, "from"); from && from->find('$') != std::string::npos) {
    return "variable expansion is not supported for --from, define a new stage with FROM using ARG "
           "from global scope as a workaround";
  }
  return std::nullopt;
}

std::optional<std::string> check_pairs(const Instruction& instruction) {
  for (std::size_t i = 0; i < instruction.words.size(); i += 2) {
    if (instruction.words[i].empty())
      return fmt::format("{} names can not be blank", instruction.keyword);
  }
  return std::nullopt;
}

std::optional<std::string> check_onbuild(const Instruction& instruction) {
  if (instruction.rest.empty()) return "ONBUILD requires at least one argument";
  Instruction inner;
  if (auto problem = read_instruction(instruction.rest, '\\', inner)) return problem;
  if (inner.keyword == "ONBUILD") return "chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed";
  if (inner.keyword == "FROM" || inner.keyword == "MAINTAINER")
    return fmt::format("{} isn't allowed as an ONBUILD trigger", inner.keyword);
  inner.heredocs = instruction.heredocs;
  return check_instruction(inner);
}

}  // namespace

std::optional<std::string> flag_value(const Instruction& instruction, std::string_view name) {
  for (auto flag = instruction.flags.rbegin(); flag != instruction.flags.rend(); ++flag) {
    if (flag->name == name) return flag->value.value_or("true");
  }
  return std::nullopt;
}

std::vector<std::string> flag_values(const Instruction& instruction, std::string_view name) {
  std::vector<std::string> values;
  for (const auto& flag : instruction.flags) {
    if (flag.name == name && flag.value) values.push_back(*flag.value);
  }
  return values;
}

bool flag_is_set(const Instruction& instruction, std::string_view name) {
  return equals_ignoring_case(flag_value(instruction, name).value_or(""), "true");
}

std::optional<std::string> check_instruction(const Instruction& instruction) {
  const Rule* rule = rule_of(instruction.keyword);
  if (!rule) return fmt::format("unknown instruction: {}", instruction.keyword);
  if (auto problem = check_flags(instruction, *rule)) return problem;
  if (auto problem = check_count(instruction, *rule)) return problem;
  if (instruction.keyword == "FROM") return check_from(instruction);
  if (instruction.keyword == "HEALTHCHECK") return check_health(instruction);
  if (instruction.keyword == "RUN") return check_run(instruction);
  if (instruction.keyword == "ONBUILD") return check_onbuild(instruction);
  if (instruction.keyword == "ENV" || instruction.keyword == "LABEL")
    return check_pairs(instruction);
  if (instruction.keyword == "SHELL" && !instruction.is_json)
    return "SHELL requires the arguments to be in JSON form";
  if (instruction.keyword == "ARG") {
    for (const auto& word : instruction.words) {
      if (word.starts_with('=')) return "ARG names can not be blank";
    }
  }
  if (instruction.keyword == "VOLUME") {
    for (const auto& word : instruction.words) {
      if (trim(word).empty()) return "VOLUME specified can not be an empty string";
    }
  }
  if (auto problem = check_copy(instruction)) return problem;
  if (auto mode = flag_value(instruction, "chmod");
      mode && mode->find('$') == std::string::npos && !ModeChange::read(*mode)) {
    return fmt::format("invalid chmod parameter: '{}', it should be octal or symbolic", *mode);
  }
  return std::nullopt;
}

std::optional<std::chrono::nanoseconds> read_duration(std::string_view text) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ns", 1},  {"us", 1e3}, {"\xC2\xB5s", 1e3}, {"ms", 1e6},
      {"s", 1e9}, {"m", 6e10}, {"h", 3.6e12}};
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    std::size_t at = 0;
    double value = 0;
    double scale = 1;
    bool has_digit = false;
    bool after_point = false;
    for (; at < text.size() && (std::isdigit(static_cast<unsigned char>(text[at])) ||
                                (text[at] == '.' && !after_point));
         ++at) {
      if (text[at] == '.') {
        after_point = true;
        continue;
      }
      has_digit = true;
      value = value * 10 + (text[at] - '0');
      if (after_point) scale *= 10;
    }
    if (!has_digit) return std::nullopt;
    text.remove_prefix(at);
    const std::pair<std::string_view, double>* unit = nullptr;
    for (const auto& known : kUnits) {
      bool longer = !unit || known.first.size() > unit->first.size();
      if (text.starts_with(known.first) && longer) unit = &known;
    }
    if (!unit) return std::nullopt;
    text.remove_prefix(unit->first.size());
    total += value / scale * unit->second;
    if (total > 9.2e18) return std::nullopt;
  }
  return std::chrono::nanoseconds(static_cast<std::int64_t>(total));
}

std::string go_duration(std::chrono::nanoseconds span) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t ns = span.count();
  auto decimal = [](std::int64_t value, std::int64_t unit) {  // without zeros at the end
    std::string text = fmt::format("{}", value / unit);
    std::string rest = fmt::format("{}", unit + value % unit).substr(1);
    while (rest.ends_with('0')) rest.pop_back();
    return rest.empty() ? text : text + "." + rest;
  };
  if (ns == 0) return "0s";
  if (ns < 1000) return fmt::format("{}ns", ns);
  if (ns < 1'000'000) return decimal(ns, 1000) + "\xC2\xB5s";
  if (ns < kSecond) return decimal(ns, 1'000'000) + "ms";
  std::string out;
  const std::int64_t minutes = ns / (60 * kSecond);
  if (minutes >= 60) out += fmt::format("{}h", minutes / 60);
  if (minutes > 0) out += fmt::format("{}m", minutes % 60);
  return out + decimal(ns % (60 * kSecond), kSecond) + "s";
}

std::optional<ModeChange> ModeChange::read(std::string_view text) {
  ModeChange change;
  if (text.empty()) return std::nullopt;
  if (text.find_first_not_of("01234567") == std::string_view::npos) {
    std::uint32_t mode = 0;
    for (char c : text) {
      mode = mode * 8 + static_cast<std::uint32_t>(c - '0');
      if (mode > 07777) return std::nullopt;
    }
    change.octal_ = mode;
    return change;
  }
  for (const auto& part : split(text, ',')) {
    std::size_t at = 0;
    std::uint32_t who = 0;
    for (; at < part.size(); ++at) {
      if (part[at] == 'u')
        who |= 04700;
      else if (part[at] == 'g')
        who |= 02070;
      else if (part[at] == 'o')
        who |= 01007;
      else if (part[at] == 'a')
        who |= 07777;
      else
        break;
    }
    if (who == 0) who = 07777;
    if (at >= part.size()) return std::nullopt;
    while (at < part.size()) {
      Clause clause{.who = who, .operation = part[at++]};
      if (std::string_view("+-=").find(clause.operation) == std::string_view::npos)
        return std::nullopt;
      for (; at < part.size() && std::string_view("+-=").find(part[at]) == std::string_view::npos;
           ++at) {
        switch (part[at]) {
          case 'r':
            clause.bits |= 0444;
            break;
          case 'w':
            clause.bits |= 0222;
            break;
          case 'x':
            clause.bits |= 0111;
            break;
          case 'X':
            clause.conditional_x = true;
            break;
          case 's':
            clause.bits |= 06000;
            break;
          case 't':
            clause.bits |= 01000;
            break;
          case 'u':
            clause.like = 6;
            break;
          case 'g':
            clause.like = 3;
            break;
          case 'o':
            clause.like = 0;
            break;
          default:
            return std::nullopt;
        }
      }
      change.clauses_.push_back(clause);
    }
  }
  return change;
}

std::uint32_t ModeChange::apply(std::uint32_t before, bool is_directory) const {
  if (octal_) return *octal_;
  std::uint32_t mode = before & 07777;
  for (const auto& clause : clauses_) {
    std::uint32_t bits = clause.bits;
    if (clause.conditional_x && (is_directory || (mode & 0111) != 0)) bits |= 0111;
    if (clause.like >= 0) bits |= ((mode >> clause.like) & 7u) * 0111u;
    bits &= clause.who;
    if (clause.operation == '+') mode |= bits;
    if (clause.operation == '-') mode &= ~bits;
    if (clause.operation == '=') mode = (mode & ~clause.who) | bits;
  }
  return mode;
}

}  // namespace slipway::image
