// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::container {

/// A range of IPv4 addresses, host byte order.
struct Range {
  std::uint32_t first = 0;  ///< its lower bits are 0
  int bits = 0;             ///< of prefix
  [[nodiscard]] bool overlaps(const Range& other) const;
  bool operator==(const Range&) const = default;
};

/// "10.213.0.0/16". throws Error{bad_input}
Range parse_range(std::string_view text);
std::string to_string(const Range& range);
/// Host byte order. Nothing when it is no dotted address.
std::optional<std::uint32_t> parse_address(std::string_view text);
std::string address_text(std::uint32_t address);

/// Where this host's routes lead, the default route excepted; `routes` as in /proc/net/route.
std::vector<Range> routed_ranges(std::string_view routes);

/// A range of `bits` (16 to 24) in `pool` that overlaps none of `taken`; the search starts at a place given by `seed`, so that several
/// searchers differ.
std::optional<Range> free_subnet(const Range& pool, const std::vector<Range>& taken,
                                 std::uint32_t seed, int bits = 24);

}  // namespace slipway::container
