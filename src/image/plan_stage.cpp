// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "base/edit_distance.hpp"
#include "base/text.hpp"
#include "image/dockerignore.hpp"
#include "image/graph.hpp"
#include "image/heredoc.hpp"
#include "image/json_array.hpp"
#include "image/plan_copy.hpp"
#include "image/ports.hpp"
#include "image/words.hpp"

namespace slipway::image {
namespace {

constexpr std::string_view kDefaultPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::string_view kProxies[] = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
                                         "FTP_PROXY",  "ftp_proxy",  "NO_PROXY",    "no_proxy",
                                         "ALL_PROXY",  "all_proxy"};

bool is_proxy(std::string_view name) {
  return std::find(std::begin(kProxies), std::end(kProxies), name) != std::end(kProxies);
}

void set_env(std::vector<std::string>& env, const std::string& name, const std::string& value) {
  std::string line = name + "=" + value;
  for (auto& known : env) {
    if (known.starts_with(name + "=") || known == name) {
      known = line;
      return;
    }
  }
  env.push_back(std::move(line));
}

void insert_sorted(std::vector<std::string>& list, const std::string& value) {
  auto at = std::lower_bound(list.begin(), list.end(), value);
  if (at == list.end() || *at != value) list.insert(at, value);
}

bool has_path(const std::vector<std::string>& env) {
  return std::any_of(env.begin(), env.end(),
                     [](const auto& line) { return line.starts_with("PATH="); });
}

class StagePlanner {
 public:
  StagePlanner(const StageList& list, int stage, const Arguments& arguments)
      : list_(list), stage_(list.stages[static_cast<std::size_t>(stage)]), arguments_(arguments) {
    planned_.number = stage;
  }

  PlannedStage plan(const PlannedStage* base_stage,
                    const std::optional<oci::ImageConfig>& base_image) {
    auto& image = planned_.image;
    if (base_stage) {
      image = base_stage->image;
      planned_.arguments = base_stage->arguments;
      planned_.environment = base_stage->environment;
      planned_.has_workdir = base_stage->has_workdir;
    } else if (base_image) {
      image = *base_image;
    } else {
      image.config.env = {std::string(kDefaultPath)};
      image.config.working_dir = "/";
    }
    if (!base_stage) planned_.environment = image.config.env;
    image.platform = arguments_.target_platform;
    if (!stage_.platform.empty()) image.platform = oci::Platform::parse(stage_.platform);
    if (base_image && !base_image->platform.architecture.empty())
      image.platform = base_image->platform;
    auto triggers =
        std::exchange(image.config.on_build, {});  // of a base stage too, as images have them
    if (base_image) check_base_platform(*base_image);
    if (base_image && !has_path(image.config.env)) {
      image.config.env.emplace_back(kDefaultPath);
      planned_.environment = image.config.env;
    }
    count_steps(triggers);
    if (!stage_.directory.empty()) add_files(stage_.directory);
    for (const auto& trigger : triggers) run_trigger(trigger);
    for (const auto& instruction : stage_.instructions) dispatch(instruction);
    return std::move(planned_);
  }

 private:
  oci::RunConfig& config() { return planned_.image.config; }

  void error(const Instruction& at, std::string message) {
    planned_.errors.push_back({list_.file, at.lines.first, 0, std::move(message)});
  }

  void check_base_platform(const oci::ImageConfig& base) {
    auto expected = stage_.platform.empty() ? arguments_.target_platform
                                            : oci::Platform::parse(stage_.platform);
    if (base.platform.architecture.empty() ||
        (base.platform.os == expected.os && base.platform.architecture == expected.architecture))
      return;
    find(stage_.from, "InvalidBaseImagePlatform",
         fmt::format(
             "Base image {} was pulled with platform \"{}\", expected \"{}\" for current build",
             stage_.base, base.platform.str(), expected.str()));
  }

  static bool makes_layer(std::string_view keyword) {
    return keyword == "RUN" || keyword == "COPY" || keyword == "ADD" || keyword == "WORKDIR";
  }

  void count_steps(const std::vector<std::string>& triggers) {
    total_ = 1;
    for (const auto& trigger : triggers) {
      Instruction instruction;
      read_instruction(trigger, '\\', instruction);
      if (makes_layer(instruction.keyword)) ++total_;
    }
    for (const auto& instruction : stage_.instructions) {
      if (makes_layer(instruction.keyword)) ++total_;
    }
  }

  void run_trigger(const std::string& trigger) {
    auto inner = parse_dockerfile(trigger, list_.file);
    for (auto& instruction : inner.instructions) {
      instruction.lines = stage_.from.lines;
      if (auto problem = check_instruction(instruction)) {
        error(instruction, fmt::format("ONBUILD trigger of the base image: {}", *problem));
        continue;
      }
      dispatch(instruction);
    }
    for (const auto& problem : inner.diagnostics) {
      error(stage_.from, fmt::format("ONBUILD trigger of the base image: {}", problem.message));
    }
  }

  // Of ENV and ARG the later one counts, as in BuildKit (and not as the Dockerfile reference says).
  std::optional<std::string> variable(std::string_view name) const {
    for (const auto& line : planned_.environment) {
      if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == '=')
        return line.substr(name.size() + 1);
    }
    return std::nullopt;
  }
  Lookup lookup() const {
    return [this](std::string_view name) { return variable(name); };
  }

  std::string expanded(const Instruction& at, std::string_view text, bool no_quotes = false) {
    auto result =
        expand(text, lookup(), {.escape = no_quotes ? '\\' : list_.escape, .no_quotes = no_quotes});
    if (result.error) error(at, *result.error);
    for (const auto& name : result.unset) {
      bool is_declared = std::any_of(planned_.arguments.begin(), planned_.arguments.end(),
                                     [&](const auto& arg) { return arg.first == name; });
      if (is_declared) continue;
      std::vector<std::string> known;
      for (const auto& line : planned_.environment) known.push_back(line.substr(0, line.find('=')));
      auto nearest = nearest_word(name, known);
      find(at, "UndefinedVar",
           fmt::format("Usage of undefined variable '${}'{}", name,
                       nearest.empty() ? "" : fmt::format(" (did you mean ${}?)", nearest)));
    }
    return result.text;
  }

  void find(const Instruction& at, std::string_view rule, std::string message) {
    planned_.findings.push_back({std::string(rule), std::move(message), at.lines});
  }

  std::size_t record(std::string created_by, bool has_layer) {
    planned_.image.history.push_back({.created_by = std::move(created_by),
                                      .comment = "slipway.dockerfile.v0",
                                      .empty_layer = !has_layer});
    return planned_.image.history.size() - 1;
  }

  void add_step(const Instruction& at, const std::string& created_by,
                std::variant<RunOp, CopyOp, MkdirOp> op) {
    Step step{.stage = stage_.number, .lines = at.lines};
    std::string text = at.text;
    for (auto& c : text) {
      if (c == '\n' || c == '\t') c = ' ';
    }
    std::string name = stage_.name.empty() ? fmt::format("stage-{}", stage_.number) : stage_.name;
    step.title = fmt::format("[{} {}/{}] {}", name, planned_.steps.size() + 2, total_, text);
    step.history = record(created_by, true);
    step.op = std::move(op);
    planned_.steps.push_back(std::move(step));
  }

  std::vector<std::string> with_shell(std::string text) {
    std::vector<std::string> argv = config().shell;
    if (argv.empty()) argv = {"/bin/sh", "-c"};
    argv.push_back(std::move(text));
    return argv;
  }

  void dispatch(const Instruction& instruction) {
    const auto& keyword = instruction.keyword;
    if (keyword == "RUN") return run(instruction);
    if (keyword == "COPY" || keyword == "ADD") return copy(instruction);
    if (keyword == "WORKDIR") return workdir(instruction);
    if (keyword == "ENV") return env(instruction);
    if (keyword == "ARG") return arg(instruction);
    if (keyword == "LABEL") return label(instruction);
    if (keyword == "CMD" || keyword == "ENTRYPOINT") return command(instruction);
    if (keyword == "EXPOSE") return expose(instruction);
    if (keyword == "HEALTHCHECK") return healthcheck(instruction);
    if (keyword == "VOLUME") {
      volume(instruction);
    } else if (keyword == "USER") {
      config().user = expanded(instruction, instruction.words[0]);
      record("USER " + config().user, false);
    } else if (keyword == "STOPSIGNAL") {
      config().stop_signal = expanded(instruction, instruction.words[0]);
      if (!is_signal(config().stop_signal))
        error(instruction, fmt::format("invalid signal: {}", config().stop_signal));
      record("STOPSIGNAL " + config().stop_signal, false);
    } else if (keyword == "MAINTAINER") {
      planned_.image.author = instruction.words[0];
      record("MAINTAINER " + planned_.image.author, false);
    } else if (keyword == "SHELL") {
      config().shell = instruction.words;
      record(fmt::format("SHELL [{}]", join(instruction.words, " ")), false);
    } else if (keyword == "ONBUILD") {
      std::string trigger = instruction.rest;
      for (const auto& doc : instruction.heredocs) trigger += "\n" + doc.content + doc.name;
      config().on_build.push_back(trigger);
    }
  }

  void env(const Instruction& instruction) {
    std::vector<std::pair<std::string, std::string>>
        values;  // the whole line sees the values before it
    for (std::size_t i = 0; i + 1 < instruction.words.size(); i += 2) {
      values.emplace_back(expanded(instruction, instruction.words[i]),
                          expanded(instruction, instruction.words[i + 1]));
    }
    std::string text = "ENV";
    for (const auto& [name, value] : values) {
      set_env(config().env, name, value);
      set_env(planned_.environment, name, value);
      text += fmt::format(" {}={}", name, value);
    }
    record(text, false);
  }

  void label(const Instruction& instruction) {
    std::string text = "LABEL";
    std::vector<std::pair<std::string, std::string>> values;
    for (std::size_t i = 0; i + 1 < instruction.words.size(); i += 2) {
      values.emplace_back(expanded(instruction, instruction.words[i]),
                          expanded(instruction, instruction.words[i + 1]));
    }
    for (const auto& [name, value] : values) {
      config().labels[name] = value;
      text += fmt::format(" {}={}", name, value);
    }
    record(text, false);
  }

  void arg(const Instruction& instruction) {
    std::string text = "ARG";
    for (const auto& word : instruction.words) {
      auto equals = word.find('=');
      std::string name = word.substr(0, equals);
      std::optional<std::string> value;
      if (auto given = arguments_.given.find(name); given != arguments_.given.end()) {
        value = given->second;
      } else if (equals != std::string::npos) {
        value = expanded(instruction, word.substr(equals + 1));
      } else {
        for (const auto& [known, global] : list_.globals) {
          if (known == name) value = global;
        }
      }
      text += " " + name + (value ? "=" + *value : "");
      planned_.arguments.emplace_back(name, value);
      if (value) set_env(planned_.environment, name, *value);
    }
    record(text, false);
  }

  void volume(const Instruction& instruction) {
    std::vector<std::string> places;
    for (const auto& word : instruction.words) {
      places.push_back(expanded(instruction, trim(word)));
      if (places.back().empty()) error(instruction, "VOLUME specified can not be an empty string");
      insert_sorted(config().volumes, places.back());
    }
    record(fmt::format("VOLUME [{}]", join(places, " ")), false);
  }

  void command(const Instruction& instruction) {
    bool is_cmd = instruction.keyword == "CMD";
    std::vector<std::string> argv = instruction.words;
    if (!instruction.is_json) {
      if (config().shell.empty())
        find(instruction, "JSONArgsRecommended",
             fmt::format("JSON arguments recommended for {} to prevent unintended behavior related "
                         "to OS signals",
                         written_keyword(instruction)));
      argv = with_shell(instruction.rest);
    }
    if (is_cmd) {
      config().cmd = argv;
      has_cmd_ = true;
    } else {
      config().entrypoint = argv;
      if (argv.empty()) config().entrypoint = std::nullopt;
      if (!has_cmd_) config().cmd = std::nullopt;
    }
    record(instruction.keyword + " " + print_exec_form(argv), false);
  }

  void expose(const Instruction& instruction) {
    std::string text = "EXPOSE [";
    auto words = instruction.words;
    std::sort(words.begin(), words.end());
    for (const auto& word : words) {
      auto result = expand(word, lookup(), {.escape = list_.escape});
      if (result.error) error(instruction, *result.error);
      for (const auto& port : result.words) {
        auto read = read_ports(port);
        if (!read.error.empty()) error(instruction, read.error);
        if (read.has_upper_case_protocol)
          find(
              instruction, "ExposeProtoCasing",
              fmt::format("Defined protocol '{}' in EXPOSE instruction should be lowercase", port));
        if (read.has_host)
          find(instruction, "ExposeInvalidFormat",
               fmt::format("EXPOSE instruction should not define an IP address or host-port "
                           "mapping, found '{}'",
                           port));
        for (const auto& one : read.ports) {
          insert_sorted(config().exposed_ports, one);
          if (!text.ends_with('[')) text += ' ';
          text += one;
        }
      }
    }
    record(text + "]", false);
  }

  void healthcheck(const Instruction& instruction) {
    oci::Healthcheck health;
    if (instruction.words[0] == "NONE") {
      health.test = {"NONE"};
    } else {
      health.test = {instruction.is_json ? "CMD" : "CMD-SHELL"};
      health.test.insert(health.test.end(), instruction.words.begin() + 1, instruction.words.end());
      auto span = [&](std::string_view name) {
        return read_duration(flag_value(instruction, name).value_or("0"))
            .value_or(std::chrono::nanoseconds(0))
            .count();
      };
      health.interval_ns = span("interval");
      health.timeout_ns = span("timeout");
      health.start_period_ns = span("start-period");
      health.start_interval_ns = span("start-interval");
      health.retries = static_cast<int>(
          to_integer(flag_value(instruction, "retries").value_or("0")).value_or(0));
    }
    config().healthcheck = health;
    auto printed = [](std::int64_t ns) { return go_duration(std::chrono::nanoseconds(ns)); };
    record(fmt::format("HEALTHCHECK {{Test:[{}] Interval:{} Timeout:{} StartPeriod:{} "
                       "StartInterval:{} Retries:{}}}",
                       join(health.test, " "), printed(health.interval_ns),
                       printed(health.timeout_ns), printed(health.start_period_ns),
                       printed(health.start_interval_ns), health.retries),
           false);
  }

  void workdir(const Instruction& instruction) {
    std::string path = expanded(instruction, instruction.words[0]);
    if (!planned_.has_workdir && !path.starts_with('/'))
      find(instruction, "WorkdirRelativePath",
           fmt::format(
               "Relative workdir \"{}\" can have unexpected results if the base image changes",
               path));
    planned_.has_workdir = true;
    std::string current = config().working_dir.empty() ? "/" : config().working_dir;
    path = clean_path(path.starts_with('/') ? path : current + "/" + path);
    config().working_dir = path;
    if (path == "/") {
      record("WORKDIR /", false);
      return;
    }
    add_step(instruction, "WORKDIR " + path, MkdirOp{path, config().user});
  }

  // The environment of a RUN, and the ARGs as its history shows them: in the order of their declarations.
  std::vector<std::string> run_env(std::string& prefix) {
    std::vector<std::string> out = planned_.environment;
    if (!has_path(out)) out.insert(out.begin(), std::string(kDefaultPath));
    std::vector<std::string> shown;
    for (const auto& [name, value] : planned_.arguments) {
      set_env(shown, name, variable(name).value_or(value.value_or("")));
    }
    if (!shown.empty()) prefix = fmt::format("|{} {} ", shown.size(), join(shown, " "));
    return out;
  }

  std::optional<std::string> build_argument(const std::string& name) const {
    auto found = arguments_.given.find(name);
    return found == arguments_.given.end() || found->second.empty() ? std::nullopt
                                                                    : std::optional(found->second);
  }

  // http_proxy and HTTP_PROXY: whichever was given, a program finds it under both names.
  std::vector<std::string> proxy_env() const {
    std::map<std::string, std::string> values;
    auto add = [&](const std::string& name, const std::string& value) {
      values[to_upper(name)] = value;
      values[to_lower(name)] = value;
    };
    for (const auto& [name, value] : arguments_.given) {
      if (is_proxy(name)) add(name, value);
    }
    std::vector<std::string> out;
    for (const auto& [name, value] : values) out.push_back(name + "=" + value);
    return out;
  }

  void run(const Instruction& instruction) {
    RunOp op;
    std::string prefix;
    op.env = run_env(prefix);
    op.cwd = config().working_dir.empty() ? "/" : config().working_dir;
    op.user = config().user;
    if (instruction.is_json) {
      op.argv = instruction.words;
      if (op.argv.empty()) return error(instruction, "RUN needs a command");
    } else {
      std::string text = instruction.rest;
      auto first = instruction.heredocs.empty() ? std::nullopt : heredoc_of(text);
      if (first) {  // RUN <<EOF alone: the document is the script
        std::string content = heredoc_text(instruction.heredocs.front());
        if (content.starts_with("#!")) {
          op.scripts.push_back({first->name, content, 0755});
          content = "/dev/pipes/" + first->name;
        }
        text = content;
      } else {
        for (const auto& doc : instruction.heredocs) text += "\n" + doc.content + doc.name;
      }
      op.argv = with_shell(text);
    }
    op.hidden_env = proxy_env();
    for (const auto& value : flag_values(instruction, "mount")) add_mount(instruction, value, op);
    op.hostname = build_argument("BUILDKIT_SANDBOX_HOSTNAME").value_or("buildkitsandbox");
    op.network = flag_value(instruction, "network").value_or(arguments_.network);
    if (op.network == "default")
      op.network = arguments_.network == "default" ? "host" : arguments_.network;
    op.insecure = flag_value(instruction, "security") == "insecure";
    if (op.insecure && !arguments_.allow_insecure) {
      return error(
          instruction,
          "--security=insecure is not allowed: give --allow security.insecure to permit it");
    }
    std::string shown = join(op.argv, " ");
    add_step(instruction, "RUN " + prefix + shown + " # buildkit", std::move(op));
  }

  void add_mount(const Instruction& instruction, const std::string& value, RunOp& op) {
    auto read = read_mount_flag(value, lookup());
    if (read.error) return error(instruction, *read.error);
    Origin origin;
    auto& mount = read.mount;
    if (!mount.from.empty()) {
      auto found = origin_of(mount.from, list_, stage_.number, arguments_);
      if (!found)
        return error(instruction,
                     fmt::format("invalid from flag value {}: no such earlier stage", mount.from));
      origin = *found;
    }
    bool has_default = mount.type == MountFlag::Type::secret || mount.type == MountFlag::Type::ssh;
    if (!has_default || !mount.target.empty()) {  // without a target: the working directory
      if (!mount.target.starts_with('/')) mount.target = op.cwd + "/" + mount.target;
      mount.target = clean_path(mount.target);
    }
    if (!has_default && mount.target == "/") {
      return error(instruction,
                   "invalid mount target \"/\": give target=, or a WORKDIR other than / above");
    }
    auto name_space = build_argument("BUILDKIT_CACHE_MOUNT_NS");
    if (mount.type == MountFlag::Type::cache && name_space) mount.id = *name_space + "/" + mount.id;
    op.mounts.emplace_back(std::move(mount), std::move(origin));
  }

  void copy(const Instruction& instruction) {
    auto plan = plan_copy(instruction, {.cwd = config().working_dir,
                                        .expanded = [&](std::string_view text, bool no_quotes) {
                                          return expanded(instruction, text, no_quotes);
                                        }});
    if (auto from = flag_value(instruction, "from")) {
      auto origin = origin_of(*from, list_, stage_.number, arguments_);
      if (!origin)
        return error(instruction,
                     fmt::format("invalid from flag value {}: no such earlier stage", *from));
      plan.op.from = *origin;
    }
    for (auto& problem : plan.errors) error(instruction, std::move(problem));
    add_step(instruction, plan.created_by + " # buildkit", std::move(plan.op));
  }

  // The files of a directory in place of a base image.
  void add_files(const std::string& directory) {
    CopyOp op{.from = {Origin::Kind::directory, -1, directory}, .sources = {"."}, .dest = "/"};
    add_step(stage_.from, stage_.from.text, std::move(op));
  }

  const StageList& list_;
  const Stage& stage_;
  const Arguments& arguments_;
  PlannedStage planned_;
  std::size_t total_ = 1;
  bool has_cmd_ = false;
};

}  // namespace

PlannedStage plan_stage(const StageList& list, int stage, const Arguments& arguments,
                        const PlannedStage* base_stage,
                        const std::optional<oci::ImageConfig>& base_image) {
  return StagePlanner(list, stage, arguments).plan(base_stage, base_image);
}

}  // namespace slipway::image
