// SPDX-License-Identifier: Apache-2.0
#include "oci/unpack_path.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/fd.hpp"

namespace slipway::oci {

int open_in_root(int root, const std::string& path, std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const char* name = path.empty() ? "." : path.c_str();
  return static_cast<int>(::syscall(SYS_openat2, root, name, &how, sizeof how));
}

void refuse_entry(std::string_view path, std::string_view why) {
  fail(Fault::bad_input, "layer entry '{}': {}", path.substr(0, 500), why);
}

void throw_for(std::string_view path, std::string_view what) {
  switch (errno) {
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ENOENT:
    case EEXIST:
    case EINVAL:
    case EMLINK:
      refuse_entry(
          path,
          fmt::format("{}: {}", what,
                      std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe): glibc's is safe
    default:
      os::throw_errno(fmt::format("layer entry '{}': {}", path.substr(0, 500), what));
  }
}

std::string clean_entry_path(std::string_view path) {
  if (path.find('\0') != std::string_view::npos) refuse_entry(path, "its name holds a zero byte");
  std::vector<std::string> parts;
  for (std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(std::move(part));
    } else if (parts.empty()) {
      refuse_entry(path, "it climbs out of the image");
    } else {
      parts.pop_back();
    }
  }
  return join(parts, "/");
}

SplitPath split_path(const std::string& path) {
  std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

std::size_t Budget::read(std::span<char> into) {
  std::size_t count = source_.read(into);
  if (count > left_)
    fail(Fault::bad_input, "the layer goes on for more than {} bytes without an entry", kMostRest);
  left_ -= count;
  return count;
}

}  // namespace slipway::oci
