// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "container/address_pool.hpp"
#include "container/dns_server.hpp"

namespace slipway::container {
namespace {

constexpr std::size_t kHeader = 12;
constexpr int kFormatError = 1;
constexpr int kNotImplemented = 4;
constexpr std::uint16_t kTypeA = 1;
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

std::optional<std::string> answer_dns(std::string_view query, const NameTable& names) {
  if (query.size() < kHeader || (static_cast<unsigned char>(query[2]) & 0x80U) != 0)
    return std::string();  // no question: no answer
  if ((static_cast<unsigned char>(query[2]) & 0x78U) != 0)
    return header(query, kNotImplemented, false, 0, 0);
  auto question = word_at(query, 4) == 1 ? parse_question(query) : std::nullopt;
  if (!question) return header(query, kFormatError, false, 0, 0);
  auto address = question->klass == kClassIn ? look_up(names, question->name) : std::nullopt;
  auto number = address ? parse_address(*address) : std::nullopt;
  if (!number) return std::nullopt;
  bool has_answer = question->type == kTypeA || question->type == kTypeAny;
  std::string out = header(query, 0, true, 1, has_answer ? 1 : 0);
  out += query.substr(kHeader, question->end - kHeader);
  if (has_answer) {
    put16(out, 0xC000U | kHeader);  // the question's name
    put16(out, kTypeA);
    put16(out, kClassIn);
    put32(out, kTimeToLive);
    put16(out, 4);
    put32(out, *number);
  }
  return out;
}

}  // namespace slipway::container
