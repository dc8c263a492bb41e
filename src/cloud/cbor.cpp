// SPDX-License-Identifier: Apache-2.0
#include "cloud/cbor.hpp"

#include <bit>
#include <cmath>
#include <cstdint>

#include "base/error.hpp"

namespace slipway::cloud {
namespace {

using formats::Json;

constexpr int kDeepest = 64;
constexpr std::uint64_t kEndless = UINT64_MAX;
constexpr unsigned kBreak = 0xff;

class CborReader final {
 public:
  explicit CborReader(std::string_view bytes) : rest_(bytes) {}

  Json item(int depth = 0) {
    if (depth > kDeepest) fail(Fault::bad_input, "CBOR: nested too deeply");
    unsigned first = byte();
    unsigned major = first >> 5;
    if (major == 7) return simple(first & 31U);
    std::uint64_t argument = count(first & 31U, major >= 2 && major <= 5);
    switch (major) {
      case 0:
        return whole(argument, false);
      case 1:
        return whole(argument, true);
      case 2:
      case 3:
        return text(major, argument);
      case 4:
        return array(argument, depth);
      case 5:
        return map(argument, depth);
      default:
        return item(depth + 1);  // a tag's content
    }
  }
  [[nodiscard]] bool is_at_end() const { return rest_.empty(); }

 private:
  unsigned byte() { return static_cast<unsigned char>(take(1)[0]); }
  std::string_view take(std::uint64_t size) {
    if (rest_.size() < size) fail(Fault::bad_input, "CBOR: cut short");
    auto taken = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (char c : take(size)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::uint64_t count(unsigned info, bool may_be_endless) {
    if (info < 24) return info;
    if (info <= 27) return number(std::size_t{1} << (info - 24));
    if (info == 31 && may_be_endless) return kEndless;
    fail(Fault::bad_input, "CBOR: malformed");
  }
  static Json whole(std::uint64_t value, bool is_negative) {
    if (value > static_cast<std::uint64_t>(INT64_MAX)) {
      double far = static_cast<double>(value);
      return is_negative ? -1.0 - far : far;
    }
    auto number = static_cast<std::int64_t>(value);
    return is_negative ? -1 - number : number;
  }
  bool take_break() {
    if (rest_.empty() || static_cast<unsigned char>(rest_[0]) != kBreak) return false;
    take(1);
    return true;
  }
  Json text(unsigned major, std::uint64_t size) {
    if (size != kEndless) return std::string(take(size));
    std::string all;
    while (!take_break()) {
      unsigned first = byte();
      std::uint64_t part = count(first & 31U, false);
      if (first >> 5 != major) fail(Fault::bad_input, "CBOR: malformed");
      all += take(part);
    }
    return all;
  }
  Json array(std::uint64_t size, int depth) {
    Json out = Json::array();
    for (std::uint64_t i = 0; size == kEndless ? !take_break() : i < size; ++i)
      out.push_back(item(depth + 1));
    return out;
  }
  Json map(std::uint64_t size, int depth) {
    Json out = Json::object();
    for (std::uint64_t i = 0; size == kEndless ? !take_break() : i < size; ++i) {
      Json key = item(depth + 1);
      if (!key.is_string()) fail(Fault::bad_input, "CBOR: a map's key is a text");
      out[key.as_string()] = item(depth + 1);
    }
    return out;
  }
  Json simple(unsigned info) {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
      case 23:
        return nullptr;
      case 25:
        return half(number(2));
      case 26:
        return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(number(4))));
      case 27:
        return std::bit_cast<double>(number(8));
      default:
        fail(Fault::bad_input, "CBOR: malformed");
    }
  }
  static double half(std::uint64_t bits) {
    int exponent = static_cast<int>(bits >> 10 & 31U);
    auto fraction = static_cast<double>(bits & 1023U);
    double value = exponent == 0    ? std::ldexp(fraction, -24)
                   : exponent == 31 ? (fraction == 0 ? HUGE_VAL : std::nan(""))
                                    : std::ldexp(fraction + 1024, exponent - 25);
    return (bits & 0x8000U) != 0 ? -value : value;
  }

  std::string_view rest_;
};

void put_head(std::string& out, unsigned major, std::uint64_t value) {
  unsigned info = value < 24            ? static_cast<unsigned>(value)
                  : value <= 0xff       ? 24U
                  : value <= 0xffff     ? 25U
                  : value <= 0xffffffff ? 26U
                                        : 27U;
  out.push_back(static_cast<char>(major << 5 | info));
  int size = info < 24 ? 0 : 1 << (info - 24);
  for (int i = size - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i) & 0xffU));
}

void put(std::string& out, const Json& value, bool is_time) {
  if (is_time && value.is_number()) {
    put_head(out, 6, 1);
    is_time = false;
  }
  if (value.is_object()) {
    put_head(out, 5, value.size());
    for (const auto& [name, member] : value.as_object()) {
      put_head(out, 3, name.size());
      out += name;
      put(out, member, name.ends_with("Timestamp") || name.ends_with("Timestamps"));
    }
  } else if (value.is_array()) {
    put_head(out, 4, value.size());
    for (const auto& item : value.as_array()) put(out, item, is_time);
  } else if (value.is_string()) {
    put_head(out, 3, value.as_string().size());
    out += value.as_string();
  } else if (value.is_int()) {
    auto number = value.as_int();
    put_head(out, number < 0 ? 1 : 0,
             static_cast<std::uint64_t>(number < 0 ? -1 - number : number));
  } else if (value.is_number()) {
    out.push_back(static_cast<char>(0xfb));
    auto bits = std::bit_cast<std::uint64_t>(value.as_number());
    for (int i = 7; i >= 0; --i) out.push_back(static_cast<char>(bits >> (8 * i) & 0xffU));
  } else {
    out.push_back(static_cast<char>(value.is_null() ? 0xf6 : value.as_bool() ? 0xf5 : 0xf4));
  }
}

}  // namespace

formats::Json parse_cbor(std::string_view bytes) {
  CborReader reader(bytes);
  Json value = reader.item();
  if (!reader.is_at_end()) fail(Fault::bad_input, "CBOR: more than one item");
  return value;
}

std::string print_cbor(const Json& value) {
  std::string out;
  put(out, value, false);
  return out;
}

}  // namespace slipway::cloud
