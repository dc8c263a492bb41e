// SPDX-License-Identifier: Apache-2.0
#include "image/add_source.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <numeric>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/unfilter.hpp"
#include "image/remote_source.hpp"
#include "oci/blob_store.hpp"
#include "oci/unpack.hpp"

namespace slipway::image {
namespace {

// A file of the context as an uncompressed stream.
class OpenArchive {
 public:
  explicit OpenArchive(const Node& node)
      : fd_(os::open_file(node.real, O_RDONLY | O_NOFOLLOW)), file_(fd_.get()) {
    std::array<char, 6> magic{};
    formats::FileRangeReader start(fd_.get(), 0, std::min<std::uint64_t>(node.size, magic.size()));
    std::string_view begin(magic.data(), formats::read_fully(start, magic));
    using namespace std::string_view_literals;
    if (begin.starts_with("BZh") || begin.starts_with("\xFD"
                                                      "7zXZ\0"sv)) {
      reader_ = std::make_unique<formats::UnfilterReader>(node.real);
    } else {
      reader_ = oci::decompress(file_);
    }
  }
  formats::Reader& reader() { return *reader_; }

 private:
  os::Fd fd_;
  formats::FdReader file_;
  std::unique_ptr<formats::Reader> reader_;
};

// A tar header by its checksum.
bool is_tar_header(std::string_view block) {
  if (block.size() != 512 || block[0] == '\0') return false;
  std::uint64_t stored = 0;
  for (std::size_t i = 148; i < 156; ++i) {
    char c = block[i];
    if (c >= '0' && c <= '7') stored = stored * 8 + static_cast<std::uint64_t>(c - '0');
  }
  std::uint64_t sum = 8 * ' ';
  for (std::size_t i = 0; i < block.size(); ++i) {
    if (i < 148 || i >= 156) sum += static_cast<unsigned char>(block[i]);
  }
  return sum == stored;
}

bool is_archive(const Node& node) {
  if (!node.is_file() || node.real.empty() || node.size < 20) return false;
  std::array<char, 6> magic{};
  os::Fd fd = os::open_file(node.real, O_RDONLY | O_NOFOLLOW);
  formats::FileRangeReader start(fd.get(), 0, magic.size());
  std::string_view begin(magic.data(), formats::read_fully(start, magic));
  using namespace std::string_view_literals;
  bool is_compressed = begin.starts_with("\x1F\x8B") || begin.starts_with("BZh") ||
                       begin.starts_with(
                           "\xFD"
                           "7zXZ\0"sv) ||
                       begin.starts_with("\x28\xB5\x2F\xFD");
  if (!is_compressed && node.size < 512) return false;
  OpenArchive archive(node);
  std::array<char, 512> block{};
  return is_tar_header({block.data(), formats::read_fully(archive.reader(), block)});
}

class Adder {
 public:
  Adder(const CopyOp& add, Tree& context, const CopyWorld& world,
        const std::vector<Secret>& secrets, LayerStore& store, const std::stop_token& stop)
      : add_(add),
        context_(context),
        world_(world),
        secrets_(secrets),
        store_(store),
        stop_(stop) {}

  Added run() {
    CopyOp one = add_;
    for (const auto& source : add_.sources) {
      one.sources = {source};
      one.files.clear();
      if (is_remote_source(source)) {
        add_remote(source, one);
        continue;
      }
      for (auto& selected : select_files(one, context_)) {
        if (add_.unpack.value_or(true) && is_archive(selected.node)) {
          unpack(selected.node);
        } else {
          merge(copy_entries(one, {selected}, {world_.root, false, world_.now}));
        }
      }
    }
    one.sources.clear();
    one.files = add_.files;
    merge(copy_entries(one, {}, {world_.root, false, world_.now}));
    return std::move(added_);
  }

 private:
  std::filesystem::path place() {
    if (!added_.files) added_.files = std::make_shared<os::TempDir>(store_.root() / "layers");
    std::filesystem::path made = added_.files->path() / fmt::format("{}", ++count_);
    os::make_dirs(made);
    if (::chmod(made.c_str(), 0755) != 0) os::throw_errno("chmod of a directory");
    return made;
  }

  void merge(Entries entries) {
    for (auto& [path, node] : entries) {
      auto there = added_.entries.find(path);
      if (there != added_.entries.end() && there->second.is_directory() != node.is_directory()) {
        fail(Fault::bad_input, "/{} is a directory in one source and a file in another", path);
      }
      added_.entries.insert_or_assign(path, std::move(node));
    }
  }

  void unpack(const Node& node) {
    std::filesystem::path into = place();
    OpenArchive archive(node);
    os::Fd root = os::open_file(into.string(), O_RDONLY | O_DIRECTORY);
    oci::apply_layer(archive.reader(), root, {}, stop_);
    CopyOp all = add_;
    all.chmod.reset();  // an archive is unpacked as it is, but for its owner
    all.excludes.clear();
    add_directory(into, all, true);
  }

  void add_directory(const std::filesystem::path& directory, CopyOp all, bool replaces) {
    Tree tree({directory});
    all.sources = {"."};
    all.files.clear();
    all.parents = false;
    merge(copy_entries(all, select_files(all, tree), {world_.root, true, world_.now, replaces}));
  }

  void add_remote(const std::string& source, CopyOp& one) {
    auto fetched = fetch_remote(add_, source, secrets_, store_, place(), stop_);
    if (fetched.is_directory) {
      add_directory(fetched.path, add_, false);
      return;
    }
    struct stat status {};
    if (::lstat(fetched.path.c_str(), &status) != 0) os::throw_errno("stat of a download");
    Selected file{.name = fetched.name, .node = *node_of(status, fetched.path.string())};
    file.node.mode = 0600;
    file.node.mtime = fetched.mtime;
    file.node.mtime_ns = 0;
    if (add_.unpack.value_or(false) && is_archive(file.node)) {
      unpack(file.node);
      return;
    }
    merge(copy_entries(one, {file}, {world_.root, false, world_.now}));
  }

  const CopyOp& add_;
  Tree& context_;
  const CopyWorld& world_;
  const std::vector<Secret>& secrets_;
  LayerStore& store_;
  const std::stop_token& stop_;
  Added added_;
  int count_ = 0;
};

}  // namespace

bool unpack_archive(const std::filesystem::path& file, const std::filesystem::path& into,
                    const std::stop_token& stop) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0) os::throw_errno("stat of '" + file.string() + "'");
  auto node = node_of(status, file.string());
  if (!node || !is_archive(*node)) return false;
  OpenArchive archive(*node);
  os::Fd root = os::open_file(into.string(), O_RDONLY | O_DIRECTORY);
  oci::apply_layer(archive.reader(), root, {}, stop);
  return true;
}

Added add_sources(const CopyOp& add, Tree& context, const CopyWorld& world,
                  const std::vector<Secret>& secrets, LayerStore& store,
                  const std::stop_token& stop) {
  return Adder(add, context, world, secrets, store, stop).run();
}

}  // namespace slipway::image
