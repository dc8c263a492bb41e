// SPDX-License-Identifier: Apache-2.0
#include "ledger/export.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/ed25519.hpp"

namespace slipway::ledger {
namespace {

using formats::Json;

constexpr int kForm = 1;

// A line that is exactly what was written: no other spelling of the same values is accepted.
std::optional<Json> exact(std::string_view line) {
  try {
    Json value = formats::parse_json(line, "export");
    if (value.is_object() && value.dump() == line) return value;
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the caller names the line
  }
  return std::nullopt;
}

std::optional<std::string> key_of(const Json& header) {
  if (header.get_int("slipwayLedger") != kForm || header.size() != 2) return std::nullopt;
  return unbase64(header.get_string("publicKey"));
}

std::string trouble_of_checkpoint(const Json& checkpoint, const std::string& key) {
  auto signature = unbase64(checkpoint.get_string("signature"));
  std::string text = checkpoint_text(checkpoint.get_int("entries"), checkpoint.get_string("head"),
                                     checkpoint.get_string("at"));
  if (!signature || !formats::verify_ed25519(key, text, *signature))
    return "the checkpoint's signature is not by the ledger's key";
  return "";
}

// Takes `text` off the front.
bool take(std::string_view& line, std::string_view text) {
  if (!line.starts_with(text)) return false;
  line.remove_prefix(text.size());
  return true;
}

// Takes `before` and a string with the quote that ends it. What an entry holds has no other escapes than \" and \\.
bool take_string(std::string_view& line, std::string_view before, std::string& into) {
  if (!take(line, before)) return false;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] == '"') {
      line.remove_prefix(at + 1);
      return true;
    }
    if (line[at] == '\\' && (++at == line.size() || (line[at] != '"' && line[at] != '\\')))
      return false;
    into += line[at];
  }
  return false;
}

}  // namespace

Json to_json(const Entry& entry) {
  return Json::object({{"number", entry.number},
                       {"at", entry.at},
                       {"kind", entry.kind},
                       {"body", entry.body},
                       {"previous", entry.previous},
                       {"hash", entry.hash},
                       {"signature", entry.signature}});
}

std::optional<Broken> check_line(ChainCheck& check, std::string_view line) {
  std::int64_t number = check.head().number + 1;
  Entry entry;
  bool is_well_formed = take(line, fmt::format("{{\"number\":{}", number)) &&
                        take_string(line, ",\"at\":\"", entry.at) &&
                        take_string(line, ",\"kind\":\"", entry.kind) &&
                        take_string(line, ",\"body\":\"", entry.body) &&
                        take_string(line, ",\"previous\":\"", entry.previous) &&
                        take_string(line, ",\"hash\":\"", entry.hash) &&
                        take_string(line, ",\"signature\":\"", entry.signature) && line == "}";
  if (!is_well_formed)
    return Broken{number, fmt::format("entry {} is missing or was changed", number)};
  entry.number = number;
  return check.next(entry);
}

std::string checkpoint_text(std::int64_t entries, const std::string& head, const std::string& at) {
  return fmt::format("slipway ledger checkpoint\n{}\n{}\n{}\n", entries, head, at);
}

void export_ledger(Ledger& ledger, const std::function<void(std::string_view)>& write) {
  Json checkpoint = ledger.checkpoint();
  write(
      Json::object({{"slipwayLedger", kForm}, {"publicKey", base64(ledger.public_key())}}).dump() +
      "\n");
  auto last = checkpoint.get_int("entries");
  constexpr std::int64_t kPage = 1000;
  for (std::int64_t from = 1; from <= last; from += kPage) {
    auto most = static_cast<std::size_t>(std::min(kPage, last - from + 1));
    for (const auto& entry : ledger.entries(from, most)) write(to_json(entry).dump() + "\n");
  }
  write(checkpoint.dump() + "\n");
}

std::optional<Broken> verify_export(std::string_view text, const std::string& public_key) {
  if (text.empty() || text.back() != '\n') return Broken{0, "the export is cut off"};
  text.remove_suffix(1);
  auto lines = split(text, '\n');
  auto header = exact(lines.front());
  auto key = header ? key_of(*header) : std::nullopt;
  if (!key) return Broken{0, "the first line does not name the ledger's public key"};
  if (!public_key.empty() && *key != public_key)
    return Broken{0, "the export names another public key"};
  ChainCheck check(*key);
  for (std::size_t line = 1; line + 1 < lines.size(); ++line) {
    if (auto broken = check_line(check, lines[line])) return broken;
  }
  auto checkpoint = lines.size() > 1 ? exact(lines.back()) : std::nullopt;
  if (!checkpoint || !checkpoint->contains("entries")) {
    return Broken{
        check.head().number + 1,
        fmt::format("the export ends after entry {} without a checkpoint", check.head().number)};
  }
  if (auto trouble = trouble_of_checkpoint(*checkpoint, *key); !trouble.empty())
    return Broken{0, trouble};
  if (checkpoint->get_int("entries") != check.head().number ||
      checkpoint->get_string("head") != check.head().hash) {
    return Broken{check.head().number + 1,
                  fmt::format("entries end at {}, {} were exported", check.head().number,
                              checkpoint->get_int("entries"))};
  }
  return std::nullopt;
}

std::optional<Broken> verify_checkpoint(const Ledger& ledger, const Json& checkpoint) {
  if (auto trouble = trouble_of_checkpoint(checkpoint, ledger.public_key()); !trouble.empty())
    return Broken{0, trouble};
  auto number = checkpoint.get_int("entries");
  if (number == 0) return std::nullopt;
  auto found = ledger.entries(number, 1);
  if (found.empty() || found.front().number != number)
    return Broken{number, fmt::format("entry {} is missing, the checkpoint covers it", number)};
  if (found.front().hash != checkpoint.get_string("head"))
    return Broken{number,
                  fmt::format("entry {} is not the one that the checkpoint covers", number)};
  return std::nullopt;
}

}  // namespace slipway::ledger
