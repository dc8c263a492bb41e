// SPDX-License-Identifier: Apache-2.0
#include "actions/image_tags.hpp"

#include <regex.h>

#include <map>

#include "actions/version_range.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::actions {
namespace {

using Attributes = std::map<std::string, std::string>;

Attributes attributes_of(const std::string& rule) {
  Attributes attributes;
  for (const auto& part : split(rule, ',')) {
    auto at = part.find('=');
    if (at == std::string::npos) {
      if (attributes.empty() && !trim(part).empty())
        return {{"type", "raw"}, {"value", std::string(trim(rule))}};  // "latest": a raw tag
      fail(Fault::bad_input, "Invalid tag entry '{}': '{}' is not key=value", rule, part);
    }
    attributes[to_lower(trim(part.substr(0, at)))] = std::string(trim(part.substr(at + 1)));
  }
  if (!attributes.contains("type")) attributes["type"] = "raw";
  return attributes;
}

std::string get(const Attributes& attributes, const std::string& key,
                const std::string& otherwise = "") {
  auto found = attributes.find(key);
  return found == attributes.end() ? otherwise : found->second;
}

struct Semver {
  std::string raw;
  std::string version;  // without a leading v
  Version numbers{};
  std::string rest;  // "-rc.1"
};

std::optional<Semver> semver_of(const std::string& text) {
  Semver semver{.raw = text, .version = text.starts_with('v') ? text.substr(1) : text};
  auto at = semver.version.find_first_of("-+");
  if (at != std::string::npos) semver.rest = semver.version.substr(at);
  auto core = semver.version.substr(0, at);
  auto parts = split(core, '.');
  auto numbers = parse_version(core);
  if (parts.size() != 3 || !numbers) return std::nullopt;
  semver.numbers = *numbers;
  return semver;
}

std::string short_ref(const std::string& ref) {
  for (std::string_view prefix : {"refs/heads/", "refs/tags/"}) {
    if (ref.starts_with(prefix)) return ref.substr(prefix.size());
  }
  return ref;
}

// "YYYYMMDD" and the other moment.js tokens that people use, in UTC.
std::string print_date(const std::string& format, const std::string& now) {
  std::string out = format;
  for (auto [token, at, length] : {std::tuple{"YYYY", 0, 4},
                                   {"MM", 5, 2},
                                   {"DD", 8, 2},
                                   {"HH", 11, 2},
                                   {"mm", 14, 2},
                                   {"ss", 17, 2}}) {
    out = replace_all(out, token,
                      now.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(length)));
  }
  return out;
}

class Maker {
 public:
  Maker(const TagFacts& facts, const std::vector<std::string>& flavor) : facts_(facts) {
    for (const auto& line : flavor) read_flavor(line);
  }

  struct Made {
    int priority = 0;
    std::string tag;
  };

  void add(const std::string& rule) {
    auto attributes = attributes_of(rule);
    auto enabled = expand(get(attributes, "enable", "true"), nullptr);
    if (enabled != "true" && enabled != "false")
      fail(Fault::bad_input, "Invalid value for enable attribute: {}", enabled);
    if (enabled == "false") return;
    auto type = get(attributes, "type");
    if (type == "schedule") return schedule(attributes);
    if (type == "semver") return semver(attributes);
    if (type == "match") return match(attributes);
    if (type == "edge") return edge(attributes);
    if (type == "ref") return ref(attributes);
    if (type == "raw") return put(attributes, 200, expand(get(attributes, "value"), nullptr));
    if (type == "sha") {
      auto attributes_with_prefix = attributes;
      attributes_with_prefix.emplace("prefix", "sha-");
      return put(
          attributes_with_prefix, 100,
          get(attributes, "format", "short") == "long" ? facts_.sha : facts_.sha.substr(0, 7));
    }
    if (type == "pep440") fail(Fault::unsupported, "tags of type=pep440 are not supported yet");
    fail(Fault::bad_input, "Unknown tag type attribute: {}", type);
  }

  ImageTags finish() {
    std::stable_sort(made_.begin(), made_.end(),
                     [](const Made& a, const Made& b) { return a.priority > b.priority; });
    ImageTags out;
    for (const auto& made : made_) append(out.tags, made.tag);
    if (!out.tags.empty()) out.version = out.tags.front();
    if (latest_ == "true" || (latest_ == "auto" && wants_latest_)) {
      append(out.tags,
             (prefix_on_latest_ ? prefix_ : "") + "latest" + (suffix_on_latest_ ? suffix_ : ""));
    }
    return out;
  }

 private:
  void read_flavor(const std::string& line) {
    std::string last;
    for (const auto& part : split(line, ',')) {
      auto at = part.find('=');
      if (at == std::string::npos) fail(Fault::bad_input, "Invalid flavor entry: {}", line);
      std::string key(trim(part.substr(0, at)));
      std::string value(trim(part.substr(at + 1)));
      if (key == "latest" && (value == "auto" || value == "true" || value == "false"))
        latest_ = value;
      else if (key == "prefix")
        prefix_ = value;
      else if (key == "suffix")
        suffix_ = value;
      else if (key == "onlatest" && last == "prefix")
        prefix_on_latest_ = value == "true";
      else if (key == "onlatest" && last == "suffix")
        suffix_on_latest_ = value == "true";
      else
        fail(Fault::bad_input, "Invalid flavor entry: {}", line);
      last = key;
    }
  }

  static void append(std::vector<std::string>& tags, const std::string& tag) {
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(tag);
  }

  static std::string sanitised(std::string tag) {
    for (char& c : tag) {
      bool fine =
          std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
      if (!fine) c = '-';
    }
    while (!tag.empty() && (tag.front() == '-' || tag.front() == '.')) tag.erase(0, 1);
    return tag.substr(0, 128);
  }

  void put(const Attributes& attributes, int priority, const std::string& value) {
    if (value.empty()) return;
    auto given = to_integer(get(attributes, "priority"));
    std::string prefix = expand(get(attributes, "prefix", prefix_), nullptr);
    std::string suffix = expand(get(attributes, "suffix", suffix_), nullptr);
    made_.push_back(
        {given ? static_cast<int>(*given) : priority, sanitised(prefix + value + suffix)});
  }

  void schedule(const Attributes& attributes) {
    if (facts_.event == "schedule")
      put(attributes, 1000, expand(get(attributes, "pattern", "nightly"), nullptr));
  }

  void semver(const Attributes& attributes) {
    auto pattern = get(attributes, "pattern");
    if (pattern.empty()) fail(Fault::bad_input, "Missing pattern attribute for type=semver");
    std::string text = get(attributes, "value");
    if (text.empty()) {
      if (!facts_.ref.starts_with("refs/tags/")) return;
      text = short_ref(facts_.ref);
    }
    auto version = semver_of(replace_all(text, "/", "-"));
    if (!version) return;
    bool is_whole = pattern.find("{{version}}") != std::string::npos ||
                    pattern.find("{{raw}}") != std::string::npos;
    // A pre-release is only known by its whole name.
    if (!version->rest.empty() && version->rest.front() == '-')
      return put(attributes, 900, is_whole ? expand(pattern, &*version) : version->version);
    put(attributes, 900, expand(pattern, &*version));
    wants_latest_ = true;
  }

  void match(const Attributes& attributes) {
    auto pattern = get(attributes, "pattern");
    if (pattern.empty()) fail(Fault::bad_input, "Missing pattern attribute for type=match");
    auto text = get(attributes, "value");
    if (text.empty()) {
      if (!facts_.ref.starts_with("refs/tags/")) return;
      text = short_ref(facts_.ref);
    }
    auto group = to_integer(get(attributes, "group", "0")).value_or(0);
    if (auto found = matched(pattern, text, static_cast<std::size_t>(group))) {
      put(attributes, 800, *found);
      wants_latest_ = true;
    }
  }

  static std::optional<std::string> matched(std::string pattern, const std::string& text,
                                            std::size_t group) {
    pattern = replace_all(pattern, "\\d", "[0-9]");
    regex_t expression{};
    if (regcomp(&expression, pattern.c_str(), REG_EXTENDED) != 0)
      fail(Fault::bad_input, "'{}' is not a pattern", pattern);
    std::array<regmatch_t, 10> groups{};
    bool found = regexec(&expression, text.c_str(), groups.size(), groups.data(), 0) == 0;
    regfree(&expression);
    if (!found || group >= groups.size() || groups[group].rm_so < 0) return std::nullopt;
    return text.substr(static_cast<std::size_t>(groups[group].rm_so),
                       static_cast<std::size_t>(groups[group].rm_eo - groups[group].rm_so));
  }

  void edge(const Attributes& attributes) {
    auto branch = get(attributes, "branch", facts_.default_branch);
    if (facts_.ref == "refs/heads/" + branch) put(attributes, 700, "edge");
  }

  void ref(const Attributes& attributes) {
    auto event = get(attributes, "event");
    if (event == "branch" && facts_.ref.starts_with("refs/heads/"))
      return put(attributes, 600, short_ref(facts_.ref));
    if (event == "tag" && facts_.ref.starts_with("refs/tags/")) {
      put(attributes, 600, short_ref(facts_.ref));
      wants_latest_ = true;
      return;
    }
    if (event == "pr" && !facts_.pull_number.empty()) {
      auto with_prefix = attributes;
      with_prefix.emplace("prefix", "pr-");
      return put(with_prefix, 600, facts_.pull_number);
    }
    if (event != "branch" && event != "tag" && event != "pr")
      fail(Fault::bad_input,
           "Missing or wrong event attribute '{}' for type=ref: it is branch, tag or pr", event);
  }

  // Replaces {{…}}. `version` is there within type=semver.
  std::string expand(const std::string& text, const Semver* version) const {
    std::string out;
    std::size_t at = 0;
    while (true) {
      auto begin = text.find("{{", at);
      auto end = begin == std::string::npos ? begin : text.find("}}", begin);
      out +=
          text.substr(at, begin == std::string::npos || end == std::string::npos ? std::string::npos
                                                                                 : begin - at);
      if (begin == std::string::npos || end == std::string::npos) return out;
      out += value_of(std::string(trim(text.substr(begin + 2, end - begin - 2))), version);
      at = end + 2;
    }
  }

  std::string value_of(const std::string& name, const Semver* version) const {
    if (version) {
      if (name == "raw") return version->raw;
      if (name == "version") return version->version;
      if (name == "major") return std::to_string(version->numbers[0]);
      if (name == "minor") return std::to_string(version->numbers[1]);
      if (name == "patch") return std::to_string(version->numbers[2]);
    }
    if (name == "branch")
      return facts_.ref.starts_with("refs/heads/") ? sanitised(short_ref(facts_.ref)) : "";
    if (name == "tag")
      return facts_.ref.starts_with("refs/tags/") ? sanitised(short_ref(facts_.ref)) : "";
    if (name == "sha") return facts_.sha.substr(0, 7);
    if (name == "base_ref") return facts_.base_ref;
    if (name == "is_default_branch")
      return facts_.ref == "refs/heads/" + facts_.default_branch ? "true" : "false";
    if (name.starts_with("date ")) {
      auto quoted = trim(std::string_view(name).substr(5));
      auto format =
          quoted.size() >= 2 ? quoted.substr(1, quoted.find(quoted.front(), 1) - 1) : quoted;
      return print_date(std::string(format), facts_.now);
    }
    fail(Fault::unsupported, "'{{{{{}}}}}' is not supported yet in tags", name);
  }

  const TagFacts& facts_;
  std::string latest_ = "auto";
  std::string prefix_;
  std::string suffix_;
  bool prefix_on_latest_ = false;
  bool suffix_on_latest_ = false;
  bool wants_latest_ = false;
  std::vector<Made> made_;
};

}  // namespace

ImageTags image_tags(const std::vector<std::string>& rules, const std::vector<std::string>& flavor,
                     const TagFacts& facts) {
  static const std::vector<std::string> kStandard = {"type=schedule", "type=ref,event=branch",
                                                     "type=ref,event=tag", "type=ref,event=pr"};
  Maker maker(facts, flavor);
  for (const auto& rule : rules.empty() ? kStandard : rules) maker.add(rule);
  return maker.finish();
}

}  // namespace slipway::actions
