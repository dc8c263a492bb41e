// SPDX-License-Identifier: Apache-2.0
#include "base/edit_distance.hpp"
#include "base/text.hpp"
#include "image/commands.hpp"
#include "image/dockerignore.hpp"

namespace slipway::image {
namespace {

// One record of RFC 4180: fields between commas, `"a,b"` quoted, `""` a quote.
std::vector<std::string> csv_fields(std::string_view text) {
  std::vector<std::string> fields{""};
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (c == '"' && (quoted || fields.back().empty())) {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

std::optional<std::uint32_t> number(std::string_view text, int base) {
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c >= '0' + base) return std::nullopt;
    value = value * static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(c - '0');
    if (value > 0xFFFFFFFFu) return std::nullopt;
  }
  return static_cast<std::uint32_t>(value);
}

using Type = MountFlag::Type;

std::string_view name_of(Type type) {
  static constexpr std::string_view kNames[] = {"bind", "cache", "tmpfs", "secret", "ssh"};
  return kNames[static_cast<int>(type)];
}

class MountReader {
 public:
  MountReader(std::string_view value, const Lookup& lookup)
      : fields_(csv_fields(value)), lookup_(lookup) {}

  MountFlagResult read() {
    auto error = read_type();
    if (!error) error = read_fields();
    if (!error) error = check();
    return {std::move(mount_), std::move(error)};
  }

 private:
  // The type first: what the other keys mean depends on it, wherever it stands.
  std::optional<std::string> read_type() {
    for (const auto& field : fields_) {
      auto equals = field.find('=');
      if (to_lower(field.substr(0, equals)) != "type" || equals == std::string::npos) continue;
      std::string name = to_lower(field.substr(equals + 1));
      bool known = false;
      for (auto type : {Type::bind, Type::cache, Type::tmpfs, Type::secret, Type::ssh}) {
        if (name != name_of(type)) continue;
        mount_.type = type;
        known = true;
      }
      if (!known) {
        static const std::vector<std::string> kNames{"bind", "cache", "tmpfs", "secret", "ssh"};
        return fmt::format(
            "unsupported mount type \"{}\"{}: it is bind, cache, tmpfs, secret or ssh", name,
            did_you_mean(name, kNames));
      }
    }
    mount_.read_only = mount_.type == Type::bind;
    return std::nullopt;
  }

  std::optional<std::string> read_fields() {
    for (const auto& field : fields_) {
      auto equals = field.find('=');
      std::string key = to_lower(field.substr(0, equals));
      if (equals == std::string::npos) {
        if (auto error = set_bool(key, "true", field)) return error;
        continue;
      }
      std::string value = field.substr(equals + 1);
      if (key == "type") continue;
      bool has_variable = value.find('$') != std::string::npos;
      if (key == "from" && has_variable)
        return "'from' doesn't support variable expansion, define alias stage instead";
      if (has_variable) {
        if (!lookup_) {
          is_partial_ = true;
          if (key == "target" || key == "dst" || key == "destination") mount_.target = value;
          continue;
        }
        auto expanded = expand(value, lookup_);
        if (expanded.error) return expanded.error;
        value = expanded.text;
      }
      if (auto error = set(key, value, field)) return error;
    }
    return std::nullopt;
  }

  std::optional<std::string> set_bool(const std::string& key, const std::string& value,
                                      const std::string& field) {
    std::string lower = to_lower(value);
    bool yes = lower == "true" || lower == "1" || lower == "t";
    bool no = lower == "false" || lower == "0" || lower == "f";
    bool known =
        key == "ro" || key == "readonly" || key == "rw" || key == "readwrite" || key == "required";
    if (!known) return fmt::format("invalid field '{}' must be a key=value pair", field);
    if (!yes && !no) return fmt::format("invalid value for {}: {}", key, value);
    if (key == "ro" || key == "readonly") {
      mount_.read_only = yes;
    } else if (key == "rw" || key == "readwrite") {
      mount_.read_only = !yes;
    } else {
      if (mount_.type != Type::secret && mount_.type != Type::ssh) return unexpected(key);
      mount_.required = yes;
    }
    return std::nullopt;
  }

  std::optional<std::string> unexpected(const std::string& key) {
    return fmt::format("unexpected key '{}' for mount type '{}'", key, name_of(mount_.type));
  }

  std::optional<std::string> set(const std::string& key, const std::string& value,
                                 const std::string& field) {
    if (key == "target" || key == "dst" || key == "destination") {
      mount_.target = value;
    } else if (key == "from") {
      if (mount_.type == Type::secret) return "secret mount should not have a from";
      if (mount_.type == Type::bind || mount_.type == Type::cache) mount_.from = value;
    } else if (key == "source" || key == "src") {
      mount_.source = value;
    } else if (key == "id") {
      mount_.id = value;
    } else if (key == "env") {
      mount_.env = value;
    } else if (key == "sharing") {
      std::string name = to_lower(value);
      static const std::vector<std::string> kModes{"shared", "private", "locked"};
      if (std::find(kModes.begin(), kModes.end(), name) == kModes.end())
        return fmt::format("unsupported sharing value \"{}\"{}: it is shared, private or locked",
                           value, did_you_mean(name, kModes));
      if (mount_.type != Type::cache)
        return fmt::format("invalid cache sharing set for {} mount", name_of(mount_.type));
      mount_.sharing = name == "shared"    ? MountFlag::Sharing::shared
                       : name == "private" ? MountFlag::Sharing::private_
                                           : MountFlag::Sharing::locked;
    } else if (key == "size") {
      if (mount_.type != Type::tmpfs) return unexpected(key);
      mount_.size_bytes = read_size(value);
      if (!mount_.size_bytes) return fmt::format("invalid value for size: {}", value);
    } else if (key == "mode" || key == "uid" || key == "gid") {
      if (mount_.type == Type::bind || mount_.type == Type::tmpfs)
        return fmt::format("{} not allowed for \"{}\" type mounts", key, name_of(mount_.type));
      auto parsed = number(value, key == "mode" ? 8 : 10);
      if (!parsed) return fmt::format("invalid value {} for {}", value, key);
      (key == "mode" ? mount_.mode : key == "uid" ? mount_.uid : mount_.gid) = parsed;
    } else if (key == "ro" || key == "readonly" || key == "rw" || key == "readwrite" ||
               key == "required") {
      return set_bool(key, value, field);
    } else {
      static const std::vector<std::string> kKeys{
          "type",        "from", "source", "target",    "readonly", "id",  "sharing",
          "required",    "size", "mode",   "uid",       "gid",      "src", "dst",
          "destination", "ro",   "rw",     "readwrite", "env"};
      return fmt::format("unexpected key '{}' in '{}'{}", key, field, did_you_mean(key, kKeys));
    }
    return std::nullopt;
  }

  std::optional<std::string> check() {
    if (mount_.type == Type::secret && !is_partial_) {
      if (mount_.source.empty() && mount_.target.empty() && mount_.id.empty())
        return "invalid secret mount. one of source, target required";
      if (!mount_.source.empty() && !mount_.id.empty()) return "both source and id can't be set";
    }
    if (mount_.type == Type::cache && mount_.id.empty()) mount_.id = clean_path(mount_.target);
    return std::nullopt;
  }

  std::vector<std::string> fields_;
  const Lookup& lookup_;
  MountFlag mount_;
  bool is_partial_ = false;
};

}  // namespace

std::optional<std::uint64_t> read_size(std::string_view text) {
  auto end = std::min(text.find_first_not_of("0123456789."), text.size());
  auto point = std::min(text.substr(0, end).find('.'), end);
  auto whole = to_integer(text.substr(0, point));
  auto digits = text.substr(0, end).substr(std::min(point + 1, end));
  auto part = digits.empty() ? std::optional(0LL) : to_integer(digits);
  if (!whole || !part || digits.size() > 9) return std::nullopt;
  std::string unit = to_lower(trim(text.substr(end)));
  if (unit.ends_with('b')) unit.pop_back();
  if (unit.ends_with('i')) unit.pop_back();
  static constexpr std::string_view kUnits = "kmgtp";
  int power = 0;
  if (!unit.empty()) {
    auto known = kUnits.find(unit);
    if (unit.size() != 1 || known == std::string_view::npos) return std::nullopt;
    power = static_cast<int>(known) + 1;
  }
  const auto scale = std::uint64_t{1} << (10 * power);
  std::uint64_t below = 1;
  for (std::size_t i = 0; i < digits.size(); ++i) below *= 10;
  if (static_cast<std::uint64_t>(*whole) > UINT64_MAX / 2 / scale) return std::nullopt;
  auto fraction = static_cast<double>(*part) / static_cast<double>(below);
  return static_cast<std::uint64_t>(*whole) * scale +
         static_cast<std::uint64_t>(fraction * static_cast<double>(scale));
}

MountFlagResult read_mount_flag(std::string_view value, const Lookup& lookup) {
  return MountReader(value, lookup).read();
}

}  // namespace slipway::image
