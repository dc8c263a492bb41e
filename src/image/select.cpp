// SPDX-License-Identifier: Apache-2.0
#include "base/edit_distance.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"
#include "image/copy.hpp"
#include "image/dockerignore.hpp"

namespace slipway::image {
namespace {

bool has_wildcard(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '*' || text[i] == '?' || text[i] == '[') {
      return true;
    }
  }
  return false;
}

class Selector {
 public:
  Selector(const CopyOp& copy, Tree& source)
      : copy_(copy), source_(source), excludes_(copy.excludes) {}

  std::vector<Selected> run() {
    for (const auto& given : copy_.sources) {
      if (copy_.parents) {
        select_with_parents(given);
      } else {
        select(given);
      }
    }
    return std::move(selected_);
  }

 private:
  void select(const std::string& given) {
    std::string path = clean_path("/" + given).substr(1);
    if (!has_wildcard(given)) {
      auto found = source_.lookup(path, true);
      if (!found) not_found(path);
      take(path, *found);
      return;
    }
    // The part in front of the first wildcard is an ordinary path.
    auto parts = split(path, '/');
    std::size_t first = 0;
    while (!has_wildcard(parts[first])) ++first;
    std::string base = join(std::span(parts).first(first), "/");
    match_below(source_.resolve(base), base, std::span(parts).subspan(first));
  }

  void match_below(const std::string& directory, const std::string& written,
                   std::span<const std::string> patterns) {
    for (const auto* child : source_.list(directory)) {
      const auto& [name, node] = *child;
      if (!matches_path(patterns.front(), name)) continue;
      if (patterns.size() > 1) {
        if (node.is_directory())
          match_below(joined(directory, name), joined(written, name), patterns.subspan(1));
        continue;
      }
      auto found = source_.lookup(joined(directory, name), true);
      if (!found)
        fail(Fault::bad_input, "\"/{}\": not found: '{}' leads nowhere", joined(written, name),
             node.link_target);
      take(joined(written, name), *found);
    }
  }

  [[noreturn]] void not_found(const std::string& path) {
    if (source_.leaves_out(path))
      fail(Fault::bad_input, "\"/{}\": not found: .dockerignore leaves it out", path);
    auto slash = path.rfind('/');
    std::vector<std::string> names;
    for (const auto* child :
         source_.list(source_.resolve(slash == std::string::npos ? "" : path.substr(0, slash))))
      names.push_back(child->first);
    auto name = slash == std::string::npos ? path : path.substr(slash + 1);
    fail(Fault::bad_input, "\"/{}\": not found{}", path, did_you_mean(name, names));
  }

  bool is_excluded(const std::string& path) const {
    return excludes_.has_patterns() && excludes_.is_ignored(path);
  }

  void take(const std::string& written, const Tree::Found& found) {
    auto slash = written.rfind('/');
    Selected one{.name = slash == std::string::npos ? written : written.substr(slash + 1),
                 .node = found.node};
    if (found.node.is_directory()) {
      if (!excludes_.has_patterns()) source_.read_ahead(found.path);
      collect(found.path, "", one);
    } else if (is_excluded(one.name)) {
      return;
    }
    selected_.push_back(std::move(one));
  }

  void collect(const std::string& directory, const std::string& relative, Selected& into) {
    for (const auto* child : source_.list(directory)) {
      const auto& [name, node] = *child;
      std::string path = joined(relative, name);
      bool is_directory = node.is_directory();
      if (is_excluded(path)) {
        if (is_directory && excludes_.has_exceptions())
          collect_excepted(joined(directory, name), path, node, into);
        continue;
      }
      into.below.emplace_back(path, &node);
      if (is_directory) collect(joined(directory, name), path, into);
    }
  }

  // An excluded directory comes along when something below it is excepted.
  void collect_excepted(const std::string& directory, const std::string& relative, const Node& node,
                        Selected& into) {
    std::size_t at = into.below.size();
    into.below.emplace_back(relative, &node);
    collect(directory, relative, into);
    if (into.below.size() == at + 1) into.below.pop_back();
  }

  // --parents: the path behind "/./" (or all of it) is kept below the destination.
  void select_with_parents(const std::string& given) {
    std::string base;
    std::string rest = given;
    if (auto pivot = given.find("/./"); pivot != std::string::npos) {
      base = clean_path("/" + given.substr(0, pivot)).substr(1);
      rest = given.substr(pivot + 3);
    }
    rest = clean_path("/" + rest).substr(1);
    std::string root = source_.resolve(base);
    Selected one{.name = "",
                 .node = {.type = formats::TarType::directory, .mode = 0755},
                 .with_parents = true};
    if (!has_wildcard(rest)) {
      auto found = source_.lookup(joined(root, rest), true);
      if (!found) not_found(joined(base, rest));
      add_parents(root, rest, one);
      if (!rest.empty()) hold(rest, found->node, one);
      if (found->node.is_directory()) collect(found->path, rest, one);
    } else {
      IgnoreMatcher wanted(std::vector<std::string>{rest});
      collect_wanted(root, "", wanted, one);
    }
    selected_.push_back(std::move(one));
  }

  void add_parents(const std::string& root, const std::string& path, Selected& into) {
    for (auto slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      std::string parent = path.substr(0, slash);
      if (auto found = source_.lookup(joined(root, parent), true)) hold(parent, found->node, into);
    }
  }

  static void hold(const std::string& path, const Node& node, Selected& into) {
    into.held.push_back(std::make_shared<Node>(node));
    into.below.emplace_back(path, into.held.back().get());
  }

  void collect_wanted(const std::string& root, const std::string& relative,
                      const IgnoreMatcher& wanted, Selected& into) {
    for (const auto* child : source_.list(joined(root, relative))) {
      const auto& [name, node] = *child;
      std::string path = joined(relative, name);
      if (is_excluded(path)) continue;
      bool is_wanted = wanted.is_ignored(path);
      std::size_t at = into.below.size();
      if (is_wanted || node.is_directory()) into.below.emplace_back(path, &node);
      if (node.is_directory()) collect_wanted(root, path, wanted, into);
      if (!is_wanted && node.is_directory() && into.below.size() == at + 1) into.below.pop_back();
    }
  }

  const CopyOp& copy_;
  Tree& source_;
  IgnoreMatcher excludes_;
  std::vector<Selected> selected_;
};

void add_node(formats::Sha256& sha, std::string_view path, const Node& node,
              const std::function<std::string(const Node&)>& hash_of, bool with_owner) {
  std::string line =
      fmt::format("{}:{};{};{:o};", path.size(), path, static_cast<int>(node.type), node.mode);
  if (with_owner) line += fmt::format("{}:{};", node.uid, node.gid);
  if (node.is_symlink()) line += node.link_target;
  if (node.is_file()) line += hash_of(node);
  if (node.device_major != 0 || node.device_minor != 0)
    line += fmt::format("{}:{}", node.device_major, node.device_minor);
  line += '\n';
  sha.update(line);
}

}  // namespace

std::vector<Selected> select_files(const CopyOp& copy, Tree& source) {
  return Selector(copy, source).run();
}

std::string content_digest(const std::vector<Selected>& selected,
                           const std::function<std::string(const Node&)>& hash_of,
                           bool with_owner) {
  formats::Sha256 sha;
  for (const auto& one : selected) {
    add_node(sha, one.node.is_directory() ? "/" : one.name, one.node, hash_of, with_owner);
    for (const auto& [path, node] : one.below) add_node(sha, path, *node, hash_of, with_owner);
  }
  return sha.hex();
}

}  // namespace slipway::image
