// SPDX-License-Identifier: Apache-2.0
#include "workflow/machine_tree.hpp"

#include <fcntl.h>

#include "formats/io.hpp"
#include "formats/sha256.hpp"
#include "os/fd.hpp"
#include "workflow/hash_files.hpp"

namespace slipway::workflow {
namespace {

class MachineTree final : public FileTree {
 public:
  explicit MachineTree(const JobMachine& machine) : machine_(machine) {}

  Kind kind(const std::string& path, bool follow) const override {
    std::error_code error;
    auto outside = machine_.outside(path);
    auto status = follow ? std::filesystem::status(outside, error)
                         : std::filesystem::symlink_status(outside, error);
    switch (status.type()) {
      case std::filesystem::file_type::regular:
        return Kind::file;
      case std::filesystem::file_type::directory:
        return Kind::directory;
      case std::filesystem::file_type::symlink:
        return Kind::link;
      case std::filesystem::file_type::none:
      case std::filesystem::file_type::not_found:
        return Kind::none;
      default:
        return Kind::other;
    }
  }
  std::vector<std::string> children(const std::string& directory) const override {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(machine_.outside(directory), error), end;
         !error && entry != end; entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  std::string sha256(const std::string& path) const override {
    auto file = os::open_file(machine_.outside(path).string(), O_RDONLY);
    formats::FdReader reader(file.get());
    formats::Sha256 hash;
    std::vector<char> buffer(256 * 1024);
    while (auto count = reader.read(buffer)) hash.update({buffer.data(), count});
    return hash.digest();
  }

 private:
  const JobMachine& machine_;
};

}  // namespace

std::string hash_machine_files(const JobMachine& machine,
                               const std::vector<std::string>& patterns) {
  return hash_files(MachineTree(machine), machine.paths().workspace, patterns,
                    machine.paths().home);
}

}  // namespace slipway::workflow
