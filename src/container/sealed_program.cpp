// SPDX-License-Identifier: Apache-2.0
#include "container/sealed_program.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "os/process.hpp"

namespace slipway::container {

os::Fd seal_program(const std::string& program) {
  auto path = os::find_program(program);
  if (!path) return {};
  os::Fd from(::open(path->c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!from.is_open() || ::fstat(from.get(), &info) != 0) return {};
  os::Fd memory(::memfd_create("oci-runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.is_open()) return {};
  for (auto left = info.st_size; left > 0;) {
    auto sent = ::sendfile(memory.get(), from.get(), nullptr, static_cast<std::size_t>(left));
    if (sent <= 0) return {};
    left -= sent;
  }
  // Exactly these: crun looks for them.
  if (::fcntl(memory.get(), F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return {};
  return memory;
}

}  // namespace slipway::container
