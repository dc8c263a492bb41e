// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/error.hpp"
#include "formats/tar.hpp"
#include "formats/tar_block.hpp"

namespace slipway::formats {
namespace {

using PaxRecords = std::map<std::string, std::string>;  // pax, in the order of their keys

constexpr std::string_view kUstar(
    "ustar\0"
    "00",
    8);

bool is_ascii(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

std::string only_ascii(std::string_view text) {
  std::string kept;
  std::ranges::copy_if(text, std::back_inserter(kept),
                       [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  return kept;
}

/// As much of the text as fits. A cut name must not end in '/': it would make a file look like a
/// directory to old readers.
void put_text(TarBlock& block, TarField field, std::string_view text) {
  bool is_cut = text.size() > field.size;
  text = text.substr(0, field.size);
  while (is_cut && text.ends_with('/')) text.remove_suffix(1);
  std::ranges::copy(text, block.data() + field.offset);
}

bool fits_octal(TarField field, std::int64_t value) {
  return value >= 0 && (static_cast<std::uint64_t>(value) >> ((field.size - 1) * 3)) == 0;
}

/// Octal digits filling the field, then NUL; 0 when it does not fit (a pax record then says it).
void put_number(TarBlock& block, TarField field, std::int64_t value) {
  std::string digits = fmt::format("{:o}", fits_octal(field, value) ? value : 0);
  digits.insert(0, field.size - 1 - digits.size(), '0');
  put_text(block, field, digits);
}

void put_checksum(TarBlock& block) {
  put_number(block, {kTarChecksum.offset, kTarChecksum.size - 1}, tar_checksum(block));
  block[kTarChecksum.offset + kTarChecksum.size - 1] = ' ';
}

/// "LENGTH key=value\n", where LENGTH counts itself.
std::string record(std::string_view key, std::string_view value) {
  std::size_t rest = key.size() + value.size() + 3;
  std::size_t size = rest + std::to_string(rest).size();
  if (std::to_string(size).size() > std::to_string(rest).size()) ++size;
  return fmt::format("{} {}={}\n", size, key, value);
}

char typeflag(TarType type) {
  switch (type) {
    case TarType::file:
      return '0';
    case TarType::hard_link:
      return '1';
    case TarType::symlink:
      return '2';
    case TarType::char_device:
      return '3';
    case TarType::block_device:
      return '4';
    case TarType::directory:
      return '5';
    case TarType::fifo:
      return '6';
  }
  return '0';
}

PaxRecords records_of(const TarEntry& entry, std::string_view path) {
  PaxRecords records;
  auto text = [&](const char* key, TarField field, std::string_view value) {
    if (value.size() > field.size || !is_ascii(value)) records[key] = value;
  };
  auto number = [&](const char* key, TarField field, std::int64_t value) {
    if (!fits_octal(field, value)) records[key] = std::to_string(value);
  };
  text("path", kTarName, path);
  text("linkpath", kTarLinkname, entry.link_target);
  text("uname", kTarUser, entry.user);
  text("gname", kTarGroup, entry.group);
  number("uid", kTarUid, entry.uid);
  number("gid", kTarGid, entry.gid);
  number("size", kTarSize, static_cast<std::int64_t>(entry.size));
  number("mtime", kTarMtime, entry.mtime);
  for (const auto& [name, value] : entry.xattrs) records["SCHILY.xattr." + name] = value;
  return records;
}

/// The header of the records themselves: "dir/PaxHeaders.0/name".
TarBlock records_header(std::string_view path, std::size_t size) {
  auto slash = path.rfind('/');
  std::string directory(slash == std::string_view::npos ? "" : path.substr(0, slash + 1));
  std::string name(slash == std::string_view::npos ? path : path.substr(slash + 1));
  TarBlock block{};
  put_text(block, kTarName,
           only_ascii(directory + "PaxHeaders.0" + (name.empty() ? "" : "/" + name)));
  for (TarField field : {kTarMode, kTarUid, kTarGid, kTarMtime}) put_number(block, field, 0);
  put_number(block, kTarSize, static_cast<std::int64_t>(size));
  block[kTarTypeflag.offset] = 'x';
  std::ranges::copy(kUstar, block.data() + kTarMagic.offset);
  put_checksum(block);
  return block;
}

}  // namespace

void TarWriter::pad(std::uint64_t size) {
  static constexpr TarBlock kZeros{};
  std::size_t rest = static_cast<std::size_t>(size % kTarBlock);
  if (rest != 0) next_.write({kZeros.data(), kTarBlock - rest});
}

void TarWriter::header(const TarEntry& entry) {
  if (entry.path.empty() || entry.path.find('\0') != std::string::npos ||
      entry.link_target.find('\0') != std::string::npos) {
    fail(Fault::bad_input, "'{}' cannot be the name of an entry in a tar", entry.path);
  }
  std::string path = entry.path;
  if (entry.type == TarType::directory && !path.ends_with('/')) path += '/';
  PaxRecords records = records_of(entry, path);
  if (!records.empty()) {
    std::string text;
    for (const auto& [key, value] : records) text += record(key, value);
    TarBlock extra = records_header(path, text.size());
    next_.write({extra.data(), extra.size()});
    next_.write(text);
    pad(text.size());
  }
  TarBlock block{};
  put_text(block, kTarName, only_ascii(path));
  put_number(block, kTarMode, entry.mode & 07777);
  put_number(block, kTarUid, entry.uid);
  put_number(block, kTarGid, entry.gid);
  put_number(block, kTarSize, static_cast<std::int64_t>(entry.size));
  put_number(block, kTarMtime, entry.mtime);
  block[kTarTypeflag.offset] = typeflag(entry.type);
  put_text(block, kTarLinkname, only_ascii(entry.link_target));
  std::ranges::copy(kUstar, block.data() + kTarMagic.offset);
  put_text(block, kTarUser, only_ascii(entry.user));
  put_text(block, kTarGroup, only_ascii(entry.group));
  put_number(block, kTarMajor, entry.device_major);
  put_number(block, kTarMinor, entry.device_minor);
  put_checksum(block);
  next_.write({block.data(), block.size()});
}

void TarWriter::add(const TarEntry& entry, Reader& content) {
  if (entry.type != TarType::file) {
    add(entry);
    return;
  }
  header(entry);
  LimitedReader limited(content, entry.size);
  std::uint64_t count = copy_all(limited, next_);
  if (count != entry.size)
    fail(Fault::unavailable, "'{}' is shorter than it was: {} of {} bytes", entry.path, count,
         entry.size);
  pad(entry.size);
}

void TarWriter::add(TarEntry entry, std::string_view content) {
  entry.size = entry.type == TarType::file ? content.size() : 0;
  header(entry);
  if (entry.size > 0) next_.write(content);
  pad(entry.size);
}

void TarWriter::finish() {
  static constexpr std::array<char, 2 * kTarBlock> kEnd{};
  next_.write({kEnd.data(), kEnd.size()});
}

}  // namespace slipway::formats
