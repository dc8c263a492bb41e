// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::container {

struct Rootfs;

/// Whom a process runs as.
struct User {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  ///< supplementary
  bool operator==(const User&) const = default;
};

struct ResolvedUser {
  User user;
  std::string home;  ///< from passwd; "/" when there is no entry, "/root" for uid 0 without one
};

/// What `name` (an image's USER, `user[:group]`, names or numbers, empty = root) means by the given files.
///   throws  Error{bad_input} when a name is not in them, as Docker does
///   source  OCI image-spec config.md "User"; moby daemon/oci_linux.go
ResolvedUser resolve_user(std::string_view name, std::string_view passwd, std::string_view group);
/// The same, by /etc/passwd and /etc/group of a root file system.
ResolvedUser resolve_user(std::string_view name, const Rootfs& rootfs);

/// The content of a file in a root file system (layers are looked through from the top, whiteouts respected); empty when
/// it is not there. Links are followed inside the root only.
std::string read_in_rootfs(const Rootfs& rootfs, const std::string& path);

}  // namespace slipway::container
