// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <random>

#include "base/text.hpp"
#include "container/address_pool.hpp"
#include "container/dns_server.hpp"

namespace slipway::container {
namespace {

constexpr std::size_t kHeader = 12;
constexpr int kFormatError = 1;
constexpr int kNotImplemented = 4;
constexpr int kNoSuchName = 3;
constexpr std::uint16_t kTypeA = 1;
constexpr std::uint16_t kTypeSrv = 33;
constexpr std::uint16_t kTypeAny = 255;
constexpr std::uint16_t kClassIn = 1;
constexpr std::uint32_t kTimeToLive = 5;

std::uint16_t word_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8U |
                                    static_cast<unsigned char>(bytes[at + 1]));
}

void put16(std::string& out, unsigned value) {
  out += static_cast<char>(value >> 8U & 255U);
  out += static_cast<char>(value & 255U);
}

void put32(std::string& out, std::uint32_t value) {
  put16(out, value >> 16U);
  put16(out, value & 0xFFFFU);
}

struct Question {
  std::string name;  // dotted, as asked
  std::uint16_t type = 0;
  std::uint16_t klass = 0;
  std::size_t end = 0;  // behind it in the message
};

std::optional<Question> parse_question(std::string_view query) {
  Question question;
  std::size_t at = kHeader;
  for (;;) {
    if (at >= query.size()) return std::nullopt;
    auto length = static_cast<unsigned char>(query[at++]);
    if (length == 0) break;
    if (length > 63 || at + length > query.size() || question.name.size() + length > 254)
      return std::nullopt;
    if (!question.name.empty()) question.name += '.';
    question.name.append(query.substr(at, length));
    at += length;
  }
  if (at + 4 > query.size()) return std::nullopt;
  question.type = word_at(query, at);
  question.klass = word_at(query, at + 2);
  question.end = at + 4;
  return question;
}

// Header bytes 2 and 3: an answer, recursion as asked for and available.
std::string header(std::string_view query, int code, bool authoritative, std::uint16_t questions,
                   std::uint16_t answers) {
  std::string out(query.substr(0, 2));
  auto opcode_and_rd = static_cast<unsigned>(static_cast<unsigned char>(query[2]) & 0x79U);
  put16(out, (0x80U | opcode_and_rd | (authoritative ? 4U : 0U)) << 8U | 0x80U |
                 static_cast<unsigned>(code));
  put16(out, questions);
  put16(out, answers);
  put32(out, 0);
  return out;
}

void put_record(std::string& out, std::uint16_t type, std::uint32_t ttl, std::string_view data) {
  put16(out, 0xC000U | kHeader);  // the question's name
  put16(out, type);
  put16(out, kClassIn);
  put32(out, ttl);
  put16(out, static_cast<unsigned>(data.size()));
  out += data;
}

std::string address_data(std::uint32_t address) {
  std::string out;
  put32(out, address);
  return out;
}

// Priority and weight 1, as Cloud Map makes them; a target that is no name is left out of the answer.
std::string port_data(const DnsPort& port) {
  std::string out;
  put16(out, 1);
  put16(out, 1);
  put16(out, port.port);
  for (auto label : split(port.host, '.')) {
    if (label.empty() || label.size() > 63) return {};
    out += static_cast<char>(label.size());
    out += label;
  }
  out += '\0';
  return out.size() > 6 + 255 ? std::string() : out;
}

// `most` of what a name has, in an order of their own for each question.
std::vector<std::string> drawn(std::vector<std::string> data, std::size_t most) {
  thread_local std::minstd_rand dice(std::random_device{}());
  std::shuffle(data.begin(), data.end(), dice);
  if (data.size() > most) data.resize(most);
  return data;
}

// The zone that a name is in, by the longest name.
const std::map<std::string, DnsRecords>* zone_of(const DnsZones& zones, std::string_view name) {
  for (auto rest = name;; rest.remove_prefix(rest.find('.') + 1)) {
    if (auto zone = zones.find(std::string(rest)); zone != zones.end()) return &zone->second;
    if (rest.find('.') == std::string_view::npos) return nullptr;
  }
}

// An answer out of our zones, or nothing when the name is in none of them.
std::optional<std::string> answer_zone(std::string_view query, const Question& question,
                                       const DnsZones& zones) {
  std::string name = to_lower(question.name);
  const auto* zone = zone_of(zones, name);
  if (zone == nullptr || question.klass != kClassIn) return std::nullopt;
  auto asked = query.substr(kHeader, question.end - kHeader);
  auto found = zone->find(name);
  // A name above others that there are exists, without records of its own. RFC 8020
  bool exists = zones.contains(name) || found != zone->end() ||
                std::any_of(zone->begin(), zone->end(),
                            [&](const auto& entry) { return entry.first.ends_with("." + name); });
  if (!exists) return header(query, kNoSuchName, true, 1, 0).append(asked);
  std::vector<std::string> data;
  if (found != zone->end() && question.type == kTypeSrv) {
    for (const auto& port : found->second.ports) {
      if (auto one = port_data(port); !one.empty()) data.push_back(one);
    }
  } else if (found != zone->end() && (question.type == kTypeA || question.type == kTypeAny)) {
    for (const auto& address : found->second.addresses) {
      if (auto number = parse_address(address)) data.push_back(address_data(*number));
    }
  }
  if (found != zone->end()) data = drawn(std::move(data), found->second.most);
  std::string out = header(query, 0, true, 1, static_cast<std::uint16_t>(data.size()));
  out += asked;
  for (const auto& one : data)
    put_record(out, question.type == kTypeSrv ? kTypeSrv : kTypeA, found->second.ttl, one);
  return out;
}

}  // namespace

std::optional<std::string> look_up(const NameTable& names, std::string_view name) {
  std::string key = to_lower(name);
  if (key.ends_with('.')) key.pop_back();
  if (auto exact = names.find(key); exact != names.end()) return exact->second;
  for (auto dot = key.find('.'); dot != std::string::npos; dot = key.find('.', dot + 1)) {
    if (auto wild = names.find("*" + key.substr(dot)); wild != names.end()) return wild->second;
  }
  return std::nullopt;
}

std::optional<std::string> answer_dns(std::string_view query, const NameTable& names,
                                      const DnsZones& zones) {
  if (query.size() < kHeader || (static_cast<unsigned char>(query[2]) & 0x80U) != 0)
    return std::string();  // no question: no answer
  if ((static_cast<unsigned char>(query[2]) & 0x78U) != 0)
    return header(query, kNotImplemented, false, 0, 0);
  auto question = word_at(query, 4) == 1 ? parse_question(query) : std::nullopt;
  if (!question) return header(query, kFormatError, false, 0, 0);
  if (auto own = answer_zone(query, *question, zones)) return own;
  auto address = question->klass == kClassIn ? look_up(names, question->name) : std::nullopt;
  auto number = address ? parse_address(*address) : std::nullopt;
  if (!number) return std::nullopt;
  bool has_answer = question->type == kTypeA || question->type == kTypeAny;
  std::string out = header(query, 0, true, 1, has_answer ? 1 : 0);
  out += query.substr(kHeader, question->end - kHeader);
  if (has_answer) put_record(out, kTypeA, kTimeToLive, address_data(*number));
  return out;
}

}  // namespace slipway::container
