// SPDX-License-Identifier: Apache-2.0
#include "image/graph.hpp"

#include <set>

#include "base/edit_distance.hpp"
#include "base/text.hpp"
#include "image/words.hpp"
#include "oci/reference.hpp"

namespace slipway::image {
namespace {

constexpr std::string_view kImageContext = "docker-image://";

// Calls `use(name, instruction)` for everything that an instruction takes files from.
void for_each_origin(const Instruction& instruction,
                     const std::function<void(const std::string&)>& use) {
  if (auto from = flag_value(instruction, "from")) use(*from);
  if (instruction.keyword != "RUN") return;
  for (const auto& mount : flag_values(instruction, "mount")) {
    if (auto read = read_mount_flag(mount, {}); !read.mount.from.empty()) use(read.mount.from);
  }
}

class StageReader {
 public:
  StageReader(const Dockerfile& dockerfile, const std::string& file, const Arguments& arguments)
      : dockerfile_(dockerfile), arguments_(arguments) {
    list_.file = file;
    list_.escape = dockerfile.directives.escape;
    list_.errors = dockerfile.diagnostics;
    for (const auto& known : list_.errors) told_.insert(known.line);
  }

  StageList read() {
    add_platform_arguments();
    for (const auto& instruction : dockerfile_.instructions) add(instruction);
    if (list_.stages.empty() && list_.errors.empty())
      error(1, "there is no build stage: a Dockerfile needs a FROM");
    if (list_.errors.empty()) choose();
    return std::move(list_);
  }

 private:
  void error(int line, std::string message) {
    // The parser may have complained of the same line already.
    if (!told_.insert(line).second) return;
    list_.errors.push_back({list_.file, line, 0, std::move(message)});
  }

  void add_platform_arguments() {
    auto set = [&](const std::string& name, const std::string& value) {
      auto given = arguments_.given.find(name);
      list_.globals.emplace_back(name, given == arguments_.given.end() ? value : given->second);
    };
    auto add = [&](const std::string& prefix, const oci::Platform& platform) {
      set(prefix + "PLATFORM", platform.str());
      set(prefix + "OS", platform.os);
      set(prefix + "ARCH", platform.architecture);
      set(prefix + "VARIANT", platform.variant);
      set(prefix + "OSVERSION", platform.os_version);
    };
    add("BUILD", arguments_.build_platform);
    add("TARGET", arguments_.target_platform);
    set("TARGETSTAGE", target_name());
  }

  // The stage that was asked for; else the last one's name.
  std::string target_name() const {
    if (!arguments_.target_stage.empty()) return arguments_.target_stage;
    std::string name;
    for (const auto& instruction : dockerfile_.instructions) {
      if (instruction.keyword != "FROM") continue;
      name = instruction.words.size() == 3 ? to_lower(instruction.words[2]) : "";
    }
    return name.empty() ? "default" : name;
  }

  std::optional<std::string> global(std::string_view name) const {
    for (auto it = list_.globals.rbegin(); it != list_.globals.rend(); ++it) {
      if (it->first == name) return it->second;
    }
    return std::nullopt;
  }

  std::optional<std::string> expanded(std::string_view text, int line) {
    auto result = expand(text, [&](std::string_view name) { return global(name); },
                         {.escape = dockerfile_.directives.escape});
    if (result.error) {
      error(line, *result.error);
      return std::nullopt;
    }
    return result.text;
  }

  void add(const Instruction& instruction) {
    int line = instruction.lines.first;
    if (auto problem = check_instruction(instruction)) {
      error(line, *problem);
      if (instruction.keyword != "FROM") return;
    }
    if (instruction.keyword == "FROM") {
      add_stage(instruction);
    } else if (!list_.stages.empty()) {
      if (!list_.stages.back().is_replaced) list_.stages.back().instructions.push_back(instruction);
    } else if (instruction.keyword == "ARG") {
      add_global(instruction);
    } else {
      error(line, fmt::format("no build stage in current context: {} before the first FROM",
                              instruction.keyword));
    }
  }

  void add_global(const Instruction& instruction) {
    for (const auto& word : instruction.words) {
      auto equals = word.find('=');
      std::string name = word.substr(0, equals);
      if (auto given = arguments_.given.find(name); given != arguments_.given.end()) {
        list_.globals.emplace_back(name, given->second);
      } else if (equals != std::string::npos) {
        if (auto value = expanded(word.substr(equals + 1), instruction.lines.first))
          list_.globals.emplace_back(name, *value);
      }
    }
  }

  void add_stage(const Instruction& instruction) {
    Stage stage{.number = static_cast<int>(list_.stages.size()), .from = instruction};
    int line = instruction.lines.first;
    if (instruction.words.size() == 3) stage.name = to_lower(instruction.words[2]);
    std::string base;
    if (!instruction.words.empty()) base = expanded(instruction.words[0], line).value_or("scratch");
    if (base.empty()) {
      error(line, fmt::format("base name ({}) should not be blank",
                              instruction.words.empty() ? "" : instruction.words[0]));
    }
    if (auto platform = flag_value(instruction, "platform")) {
      stage.platform = expanded(*platform, line).value_or("");
      if (stage.platform.empty())
        error(line, fmt::format("empty platform value from expression {}", *platform));
    }
    auto replacement = stage.name.empty() ? std::nullopt : named_context(arguments_, stage.name);
    stage.is_replaced = replacement.has_value();
    for (const auto& earlier : list_.stages) {
      if (!replacement && !earlier.name.empty() && earlier.name == to_lower(base))
        stage.base_stage = earlier.number;
    }
    if (!replacement && !stage.base_stage) replacement = named_context(arguments_, base);
    if (replacement && replacement->starts_with(kImageContext)) {
      stage.base = replacement->substr(kImageContext.size());
    } else if (replacement) {
      stage.directory = *replacement;
    } else if (!stage.base_stage && base != "scratch") {
      stage.base = base;
    }
    list_.stages.push_back(std::move(stage));
  }

  std::optional<int> target() const {
    if (arguments_.target_stage.empty()) return static_cast<int>(list_.stages.size()) - 1;
    for (auto stage = list_.stages.rbegin(); stage != list_.stages.rend(); ++stage) {
      if (!stage->name.empty() && stage->name == to_lower(arguments_.target_stage))
        return stage->number;
    }
    auto number = to_integer(arguments_.target_stage);
    if (number && *number >= 0 && *number < static_cast<long long>(list_.stages.size()))
      return static_cast<int>(*number);
    return std::nullopt;
  }

  void choose() {
    auto chosen = target();
    if (!chosen) {
      std::vector<std::string> names;
      for (const auto& stage : list_.stages) names.push_back(stage.name);
      error(0, fmt::format("target stage \"{}\" could not be found{}", arguments_.target_stage,
                           did_you_mean(to_lower(arguments_.target_stage), names)));
      return;
    }
    list_.target = *chosen;
    std::set<int> needed;
    std::vector<int> open{*chosen};
    while (!open.empty()) {
      int number = open.back();
      open.pop_back();
      if (!needed.insert(number).second) continue;
      for (int used : uses(list_.stages[static_cast<std::size_t>(number)])) open.push_back(used);
    }
    list_.needed.assign(needed.begin(), needed.end());
  }

  std::vector<int> uses(const Stage& stage) {
    for (const auto& instruction : stage.instructions) {
      for_each_origin(instruction, [&](const std::string& name) {
        if (origin_of(name, list_, stage.number, arguments_)) return;
        error(instruction.lines.first,
              fmt::format("invalid from flag value {}: the stage is not built before this one",
                          name));
      });
    }
    return stages_used(list_, stage.number, arguments_, {});
  }

  const Dockerfile& dockerfile_;
  const Arguments& arguments_;
  StageList list_;
  std::set<int> told_;  // lines that have an error
};

}  // namespace

StageList read_stages(const Dockerfile& dockerfile, const std::string& file,
                      const Arguments& arguments) {
  return StageReader(dockerfile, file, arguments).read();
}

std::optional<std::string> named_context(const Arguments& arguments, const std::string& name) {
  if (arguments.contexts.empty()) return std::nullopt;
  if (auto named = arguments.contexts.find(name); named != arguments.contexts.end())
    return named->second;
  auto full = [](const std::string& text) -> std::string {
    try {
      return oci::Reference::parse(to_lower(text)).str();
    } catch (const Error&) {
      return "";
    }
  };
  std::string wanted = full(name);
  for (const auto& [known, value] : arguments.contexts) {
    if (!wanted.empty() && full(known) == wanted) return value;
  }
  return std::nullopt;
}

std::vector<int> stages_used(const StageList& list, int number, const Arguments& arguments,
                             const std::vector<std::string>& triggers) {
  const auto& stage = list.stages[static_cast<std::size_t>(number)];
  std::vector<int> used;
  if (stage.base_stage) used.push_back(*stage.base_stage);
  auto use = [&](const std::string& name) {
    auto origin = origin_of(name, list, number, arguments);
    if (origin && origin->kind == Origin::Kind::stage) used.push_back(origin->stage);
  };
  auto use_trigger = [&](const std::string& text) {
    Instruction inner;
    if (!read_instruction(text, '\\', inner)) for_each_origin(inner, use);
  };
  for (const auto& instruction : stage.instructions) for_each_origin(instruction, use);
  for (const auto& trigger : triggers) use_trigger(trigger);
  if (!stage.base_stage) return used;
  for (const auto& instruction :
       list.stages[static_cast<std::size_t>(*stage.base_stage)].instructions) {
    if (instruction.keyword == "ONBUILD") use_trigger(instruction.rest);
  }
  return used;
}

std::optional<Origin> origin_of(const std::string& name, const StageList& list, int stage,
                                const Arguments& arguments) {
  if (auto named = named_context(arguments, name)) {
    if (named->starts_with(kImageContext))
      return Origin{Origin::Kind::image, -1, named->substr(kImageContext.size())};
    return Origin{Origin::Kind::directory, -1, *named};
  }
  std::string lower = to_lower(name);
  for (int i = static_cast<int>(list.stages.size()) - 1; i >= 0; --i) {
    const auto& known = list.stages[static_cast<std::size_t>(i)];
    if (known.name.empty() || known.name != lower) continue;
    if (i >= stage) {
      if (i == stage) return std::nullopt;
      continue;
    }
    return Origin{Origin::Kind::stage, i, {}};
  }
  if (auto number = to_integer(name)) {
    if (*number < 0 || *number >= stage) return std::nullopt;
    return Origin{Origin::Kind::stage, static_cast<int>(*number), {}};
  }
  return Origin{Origin::Kind::image, -1, name};
}

namespace {

// Values with their lengths, so that no two lists of values read the same.
class Text {
 public:
  Text& operator<<(std::string_view value) {
    text_ += fmt::format("{}:{};", value.size(), value);
    return *this;
  }
  Text& operator<<(const std::vector<std::string>& values) {
    text_ += fmt::format("[{}]", values.size());
    for (const auto& value : values) *this << std::string_view(value);
    return *this;
  }
  template <typename T>
  requires std::integral<T> Text& operator<<(T value) {
    text_ += fmt::format("{};", value);
    return *this;
  }
  template <typename T>
  Text& operator<<(const std::optional<T>& value) {
    if (!value) {
      text_ += "-;";
    } else {
      *this << 1 << *value;
    }
    return *this;
  }
  Text& operator<<(const std::vector<InlineFile>& files) {
    for (const auto& file : files)
      *this << std::string_view(file.name) << std::string_view(file.content) << file.mode;
    return *this << files.size();
  }
  Text& operator<<(const Origin& origin) {
    // A stage or a directory enters by its content, not by its number or place.
    *this << static_cast<int>(origin.kind);
    return origin.kind == Origin::Kind::image ? *this << std::string_view(origin.name) : *this;
  }
  [[nodiscard]] const std::string& str() const { return text_; }

 private:
  std::string text_;
};

std::string fingerprint_of(const RunOp& run) {
  Text text;
  text << std::string_view("run") << run.argv << run.env << std::string_view(run.cwd)
       << std::string_view(run.user) << std::string_view(run.network)
       << std::string_view(run.hostname) << run.insecure << run.scripts;
  for (const auto& [mount, origin] : run.mounts) {
    text << static_cast<int>(mount.type) << std::string_view(mount.target) << mount.read_only
         << mount.size_bytes << mount.mode << mount.uid << mount.gid << std::string_view(mount.env);
    if (mount.type == MountFlag::Type::bind) text << std::string_view(mount.source) << origin;
    if (mount.type == MountFlag::Type::cache)
      text << std::string_view(mount.id) << std::string_view(mount.source)
           << std::string_view(mount.from);
    if (mount.type == MountFlag::Type::secret)
      text << std::string_view(mount.id) << std::string_view(mount.source);
  }
  return text.str();
}

std::string fingerprint_of(const CopyOp& copy) {
  Text text;
  text << std::string_view(copy.is_add ? "add" : "copy") << copy.sources
       << std::string_view(copy.dest) << copy.chown << copy.chmod << copy.excludes << copy.files
       << std::string_view(copy.checksum) << copy.link << copy.parents << copy.keep_git_dir
       << copy.unpack
       << (copy.from.kind == Origin::Kind::context || copy.from.kind == Origin::Kind::directory);
  return text.str();
}

// Raised when a step of the same text comes to make something else: what was cached before is not that.
constexpr std::string_view kMeaning = "2 ";

std::string fingerprint_of(const MkdirOp& make) {
  return (Text() << std::string_view("mkdir") << std::string_view(make.path)
                 << std::string_view(make.user))
      .str();
}

}  // namespace

std::string fingerprint(const Step& step) {
  return std::string(kMeaning) +
         std::visit([](const auto& op) { return fingerprint_of(op); }, step.op);
}

}  // namespace slipway::image
