// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::formats {

inline constexpr std::size_t kTarBlock = 512;
using TarBlock = std::array<char, kTarBlock>;

/// A field of a header block: where it starts and how long it is. source POSIX.1-2017 pax, "ustar
/// Interchange Format"
struct TarField {
  std::size_t offset;
  std::size_t size;
};
inline constexpr TarField kTarName{0, 100};
inline constexpr TarField kTarMode{100, 8};
inline constexpr TarField kTarUid{108, 8};
inline constexpr TarField kTarGid{116, 8};
inline constexpr TarField kTarSize{124, 12};
inline constexpr TarField kTarMtime{136, 12};
inline constexpr TarField kTarChecksum{148, 8};
inline constexpr TarField kTarTypeflag{156, 1};
inline constexpr TarField kTarLinkname{157, 100};
inline constexpr TarField kTarMagic{257, 8};  // with the version
inline constexpr TarField kTarUser{265, 32};
inline constexpr TarField kTarGroup{297, 32};
inline constexpr TarField kTarMajor{329, 8};
inline constexpr TarField kTarMinor{337, 8};
inline constexpr TarField kTarPrefix{345, 155};

/// The field's bytes up to the first NUL.
std::string tar_text(const TarBlock& block, TarField field);
/// An octal or GNU base-256 number; nothing when it is neither. An empty field is 0.
std::optional<std::int64_t> tar_number(const TarBlock& block, TarField field);
/// The sum of all bytes with the checksum field taken as spaces.
std::uint32_t tar_checksum(const TarBlock& block);
/// True when the checksum field holds the sum (of unsigned or, as some old writers had it, signed
/// bytes).
bool tar_checksum_fits(const TarBlock& block);

}  // namespace slipway::formats
