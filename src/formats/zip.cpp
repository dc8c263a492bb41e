// SPDX-License-Identifier: Apache-2.0
#include "formats/zip.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/archive_library.hpp"

namespace slipway::formats {
namespace {

constexpr std::size_t kPiece = 256 * 1024;

[[noreturn]] void broken(archive* from, Fault fault, const std::string& what) {
  const char* text = archives().error_string(from);
  fail(fault, "{}: {}", what, text ? text : "unknown error");
}

struct FreeEntry {
  void operator()(archive_entry* entry) const { archives().entry_free(entry); }
};

// A name that would be written outside of the directory it is unpacked into.
bool leads_out(const std::string& path) {
  if (path.empty() || path.front() == '/' || path.find('\0') != std::string::npos ||
      path.find('\\') != std::string::npos)
    return true;
  auto parts = split(path, '/');
  return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

}  // namespace

struct ZipWriter::State {
  struct Free {
    void operator()(archive* a) const { archives().write_free(a); }
  };
  std::unique_ptr<archive, Free> out{archives().write_new()};
  std::string name;
};

ZipWriter::ZipWriter(const std::filesystem::path& file, int level)
    : state_(std::make_unique<State>()) {
  auto* out = state_->out.get();
  state_->name = "writing '" + file.string() + "'";
  archives().write_set_format_zip(out);
  auto text = std::to_string(std::clamp(level, 0, 9));
  if (level <= 0) {
    archives().write_set_format_option(out, "zip", "compression", "store");
  } else {
    archives().write_set_format_option(out, "zip", "compression-level", text.c_str());
  }
  if (archives().write_open_filename(out, file.c_str()) != ARCHIVE_OK)
    broken(out, Fault::unavailable, state_->name);
}

ZipWriter::~ZipWriter() = default;

void ZipWriter::add(const ZipEntry& entry, Reader& content) {
  auto* out = state_->out.get();
  std::unique_ptr<archive_entry, FreeEntry> header(archives().entry_new());
  archives().entry_set_pathname_utf8(header.get(), entry.path.c_str());
  archives().entry_set_filetype(header.get(), entry.is_directory ? AE_IFDIR : AE_IFREG);
  archives().entry_set_perm(header.get(), entry.mode & 0777);
  archives().entry_set_mtime(header.get(), entry.mtime, 0);
  archives().entry_set_size(header.get(),
                            entry.is_directory ? 0 : static_cast<la_int64_t>(entry.size));
  if (archives().write_header(out, header.get()) != ARCHIVE_OK)
    broken(out, Fault::unavailable, state_->name);
  std::vector<char> piece(kPiece);
  std::uint64_t written = 0;
  while (auto count = content.read(piece)) {
    if (archives().write_data(out, piece.data(), count) != static_cast<la_ssize_t>(count))
      broken(out, Fault::unavailable, state_->name);
    written += count;
  }
  if (!entry.is_directory && written != entry.size) {
    fail(Fault::bad_input, "{}: '{}' has {} bytes, not {}", state_->name, entry.path, written,
         entry.size);
  }
}

void ZipWriter::finish() {
  if (archives().write_close(state_->out.get()) != ARCHIVE_OK)
    broken(state_->out.get(), Fault::unavailable, state_->name);
}

struct ZipReader::State final : public Reader {
  struct Free {
    void operator()(archive* a) const { archives().read_free(a); }
  };
  std::size_t read(std::span<char> into) override {
    auto got = archives().read_data(in.get(), into.data(), into.size());
    if (got < 0) broken(in.get(), Fault::bad_input, name);
    return static_cast<std::size_t>(got);
  }
  std::unique_ptr<archive, Free> in{archives().read_new()};
  std::string name;
};

ZipReader::ZipReader(const std::filesystem::path& file) : state_(std::make_unique<State>()) {
  auto* in = state_->in.get();
  state_->name = "unpacking '" + file.string() + "'";
  archives().read_support_format_zip_seekable(in);
  if (archives().read_open_filename(in, file.c_str(), kPiece) != ARCHIVE_OK)
    broken(in, Fault::bad_input, state_->name);
}

ZipReader::~ZipReader() = default;

std::optional<ZipEntry> ZipReader::next() {
  auto* in = state_->in.get();
  for (;;) {
    archive_entry* header = nullptr;
    auto result = archives().read_next_header(in, &header);
    if (result == ARCHIVE_EOF) return std::nullopt;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) broken(in, Fault::bad_input, state_->name);
    auto type = archives().entry_filetype(header);
    if (type != AE_IFREG && type != AE_IFDIR) continue;
    const char* path = archives().entry_pathname_utf8(header);
    if (!path) path = archives().entry_pathname(header);
    ZipEntry entry{.path = path ? path : "",
                   .mode = static_cast<std::uint32_t>(archives().entry_perm(header)) & 0777U,
                   .size = static_cast<std::uint64_t>(archives().entry_size(header)),
                   .mtime = archives().entry_mtime(header),
                   .is_directory = type == AE_IFDIR};
    if (leads_out(entry.path))
      fail(Fault::bad_input, "{}: the name '{}' leads out of the archive", state_->name,
           entry.path);
    return entry;
  }
}

Reader& ZipReader::content() { return *state_; }

}  // namespace slipway::formats
