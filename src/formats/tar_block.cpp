// SPDX-License-Identifier: Apache-2.0
#include "formats/tar_block.hpp"

#include <algorithm>

namespace slipway::formats {

std::string tar_text(const TarBlock& block, TarField field) {
  std::string_view raw(block.data() + field.offset, field.size);
  return std::string(raw.substr(0, raw.find('\0')));
}

std::optional<std::int64_t> tar_number(const TarBlock& block, TarField field) {
  std::string_view raw(block.data() + field.offset, field.size);
  auto first = static_cast<unsigned char>(raw[0]);
  if ((first & 0x80) != 0) {  // base 256, two's complement, the mark bit not counted
    bool is_negative = (first & 0x40) != 0;
    std::uint64_t value = is_negative ? ~std::uint64_t{0} : 0;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      auto byte = static_cast<unsigned char>(raw[i]);
      if (i == 0) byte = static_cast<unsigned char>(is_negative ? byte | 0x80 : byte & 0x7f);
      auto top = static_cast<std::uint64_t>(value >> 55);
      if (top != 0 && top != (~std::uint64_t{0} >> 55)) return std::nullopt;
      value = value << 8 | byte;
    }
    return static_cast<std::int64_t>(value);
  }
  while (!raw.empty() && (raw.front() == ' ' || raw.front() == '\0')) raw.remove_prefix(1);
  raw = raw.substr(0, raw.find('\0'));
  while (!raw.empty() && raw.back() == ' ') raw.remove_suffix(1);
  std::int64_t value = 0;
  for (char c : raw) {
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + (c - '0');
  }
  return value;
}

namespace {

template <typename Byte>
std::int64_t sum_of(const TarBlock& block) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    bool is_checksum = i >= kTarChecksum.offset && i < kTarChecksum.offset + kTarChecksum.size;
    sum += is_checksum ? ' ' : static_cast<Byte>(block[i]);
  }
  return sum;
}

}  // namespace

std::uint32_t tar_checksum(const TarBlock& block) {
  return static_cast<std::uint32_t>(sum_of<unsigned char>(block));
}

bool tar_checksum_fits(const TarBlock& block) {
  auto given = tar_number(block, kTarChecksum);
  return given && (*given == sum_of<unsigned char>(block) || *given == sum_of<signed char>(block));
}

}  // namespace slipway::formats
