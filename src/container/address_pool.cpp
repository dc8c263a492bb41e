// SPDX-License-Identifier: Apache-2.0
#include "container/address_pool.hpp"

#include <algorithm>
#include <bit>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::container {
namespace {

std::uint32_t mask(int bits) { return bits == 0 ? 0 : ~std::uint32_t{0} << (32 - bits); }

std::uint32_t swapped(std::uint32_t value) {
  return value << 24U | (value << 8U & 0xFF0000U) | (value >> 8U & 0xFF00U) | value >> 24U;
}

// As /proc/net/route prints it: eight hexadecimal digits in the machine's byte order of a network value.
std::optional<std::uint32_t> parse_route_word(const std::string& text) {
  if (text.size() != 8 || text.find_first_not_of("0123456789ABCDEFabcdef") != std::string::npos)
    return std::nullopt;
  auto value = static_cast<std::uint32_t>(std::stoul(text, nullptr, 16));
  return std::endian::native == std::endian::little ? swapped(value) : value;
}

}  // namespace

bool Range::overlaps(const Range& other) const {
  auto common = mask(std::min(bits, other.bits));
  return (first & common) == (other.first & common);
}

std::optional<std::uint32_t> parse_address(std::string_view text) {
  auto parts = split(text, '.');
  if (parts.size() != 4) return std::nullopt;
  std::uint32_t address = 0;
  for (const auto& part : parts) {
    auto number = to_integer(part);
    if (!number || *number < 0 || *number > 255) return std::nullopt;
    address = address << 8U | static_cast<std::uint32_t>(*number);
  }
  return address;
}

std::string address_text(std::uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24U, address >> 16U & 255U, address >> 8U & 255U,
                     address & 255U);
}

Range parse_range(std::string_view text) {
  auto slash = text.find('/');
  auto address = parse_address(text.substr(0, slash));
  auto bits = slash == std::string_view::npos ? std::nullopt : to_integer(text.substr(slash + 1));
  if (!address || !bits || *bits < 0 || *bits > 32)
    fail(Fault::bad_input, "'{}' is no address range such as 10.213.0.0/16", text);
  return {*address & mask(static_cast<int>(*bits)), static_cast<int>(*bits)};
}

std::string to_string(const Range& range) {
  return fmt::format("{}/{}", address_text(range.first), range.bits);
}

std::vector<Range> routed_ranges(std::string_view routes) {
  std::vector<Range> out;
  for (auto line : lines_of(routes)) {
    auto fields = split(line, '\t');
    if (fields.size() < 8) continue;
    auto to = parse_route_word(std::string(trim(fields[1])));
    auto of = parse_route_word(std::string(trim(fields[7])));
    if (to && of && *of != 0) out.push_back({*to & *of, std::popcount(*of)});
  }
  return out;
}

std::optional<Range> free_subnet(const Range& pool, const std::vector<Range>& taken,
                                 std::uint32_t seed, int bits) {
  if (pool.bits > bits) return std::nullopt;
  std::uint32_t count = std::uint32_t{1} << static_cast<unsigned>(bits - pool.bits);
  std::uint32_t size = std::uint32_t{1} << static_cast<unsigned>(32 - bits);
  for (std::uint32_t i = 0; i < count; ++i) {
    Range candidate{pool.first + ((seed + i) % count) * size, bits};
    if (std::none_of(taken.begin(), taken.end(),
                     [&](const Range& range) { return candidate.overlaps(range); }))
      return candidate;
  }
  return std::nullopt;
}

}  // namespace slipway::container
