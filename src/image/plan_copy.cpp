// SPDX-License-Identifier: Apache-2.0
#include "image/plan_copy.hpp"

#include "base/text.hpp"
#include "image/dockerignore.hpp"
#include "image/heredoc.hpp"
#include "image/remote_source.hpp"

namespace slipway::image {
namespace {

class CopyPlanner {
 public:
  CopyPlanner(const Instruction& instruction, const CopySurroundings& around)
      : instruction_(instruction), around_(around) {}

  PlannedCopy plan() {
    CopyOp& op = planned_.op;
    op.is_add = instruction_.keyword == "ADD";
    add_flags(op);
    planned_.created_by = instruction_.keyword;
    if (op.parents) planned_.created_by += " --parents";
    if (op.chown) planned_.created_by += " --chown=" + *op.chown;
    if (op.chmod) planned_.created_by += " --chmod=" + *op.chmod;
    add_sources(op);
    std::string dest = around_.expanded(instruction_.words.back(), false);
    planned_.created_by += " " + dest;
    op.dest = destination(dest);
    check_sources(op);
    return std::move(planned_);
  }

 private:
  // Nothing also when it comes to nothing: `--chown=$OWNER`.
  std::optional<std::string> value(std::string_view name) const {
    auto given = flag_value(instruction_, name);
    auto text = given ? around_.expanded(*given, false) : "";
    return text.empty() ? std::nullopt : std::optional(text);
  }

  void add_flags(CopyOp& op) {
    op.chown = value("chown");
    op.chmod = value("chmod");
    if (op.chmod && !ModeChange::read(*op.chmod))
      planned_.errors.push_back(
          fmt::format("invalid chmod parameter: '{}', it should be octal between 0 and 07777, or "
                      "symbolic",
                      *op.chmod));
    op.checksum = value("checksum").value_or("");
    for (const auto& pattern : flag_values(instruction_, "exclude"))
      op.excludes.push_back(around_.expanded(pattern, false));
    op.link = flag_is_set(instruction_, "link") && !op.chmod;  // as BuildKit has it
    op.parents = flag_is_set(instruction_, "parents");
    op.keep_git_dir = flag_is_set(instruction_, "keep-git-dir");
    if (flag_value(instruction_, "unpack")) op.unpack = flag_is_set(instruction_, "unpack");
  }

  [[nodiscard]] std::string destination(const std::string& written) const {
    bool is_directory = written.ends_with('/') || written == "." || written.ends_with("/.") ||
                        written == ".." || written.ends_with("/..");
    std::string path = clean_path(written.starts_with('/') ? written : around_.cwd + "/" + written);
    return is_directory && path != "/" ? path + "/" : path;
  }

  void add_sources(CopyOp& op) {
    const auto& words = instruction_.words;
    std::string documents;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      auto doc = instruction_.is_json || instruction_.heredocs.empty() ? std::nullopt
                                                                       : heredoc_of(words[i]);
      if (!doc) {  // nothing is all of it
        op.sources.push_back(around_.expanded(words[i], false));
        planned_.created_by += " " + op.sources.back();
        if (op.sources.back().empty()) op.sources.back() = ".";
        continue;
      }
      for (const auto& given : instruction_.heredocs) {
        if (given.name != doc->name) continue;
        std::string content = heredoc_text(given);
        op.files.push_back({given.name, given.expands ? around_.expanded(content, true) : content});
      }
      documents += " <<" + doc->name;
    }
    planned_.created_by += documents;
  }

  void check_sources(const CopyOp& op) {
    for (const auto& source : op.sources) {
      if (op.is_add || !is_remote_source(source)) continue;
      planned_.errors.push_back(fmt::format("source can't be a {} for COPY: {}",
                                            is_git_source(source) ? "git ref" : "URL", source));
    }
    if (op.checksum.empty()) return;
    if (op.sources.size() != 1)
      planned_.errors.emplace_back("checksum can't be specified for multiple sources");
    else if (!is_remote_source(op.sources[0]))
      planned_.errors.emplace_back("checksum requires HTTP(S) or Git sources");
    else if (!is_git_source(op.sources[0]) && !is_sha256(op.checksum))
      planned_.errors.push_back(
          fmt::format("checksum '{}' is none: of an address it is sha256:<64 hexadecimal digits>",
                      op.checksum));
  }

  static bool is_sha256(std::string_view text) {
    return text.starts_with("sha256:") && text.size() == 71 &&
           text.find_first_not_of("0123456789abcdef", 7) == std::string_view::npos;
  }

  const Instruction& instruction_;
  const CopySurroundings& around_;
  PlannedCopy planned_;
};

}  // namespace

PlannedCopy plan_copy(const Instruction& instruction, const CopySurroundings& around) {
  return CopyPlanner(instruction, around).plan();
}

}  // namespace slipway::image
