// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace slipway::workflow {

/// The files that hashFiles() may see: the host's, a job container's, or a test's.
class FileTree {
 public:
  enum class Kind { file, directory, link, other, none };
  FileTree() = default;
  FileTree(const FileTree&) = delete;
  FileTree& operator=(const FileTree&) = delete;
  virtual ~FileTree() = default;
  /// `follow`: of what a link leads to.
  [[nodiscard]] virtual Kind kind(const std::string& path, bool follow) const = 0;
  /// Names in a directory, in byte order.
  [[nodiscard]] virtual std::vector<std::string> children(const std::string& directory) const = 0;
  /// The sha256 of a file's content, 32 raw bytes.
  [[nodiscard]] virtual std::string sha256(const std::string& path) const = 0;
};

/// hashFiles(): hexadecimal, "" when nothing matches.
///   workspace  absolute; only files below it count
///   patterns   as given, each may hold several lines; "--follow-symbolic-links" may come first
///   source     runner, src/Misc/expressionFunc/hashFiles; toolkit, packages/glob
std::string hash_files(const FileTree& tree, const std::string& workspace,
                       const std::vector<std::string>& patterns, const std::string& home = "");

}  // namespace slipway::workflow
