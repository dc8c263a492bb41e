// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/environment_access.hpp"
#include "cli/verbs.hpp"
#include "formats/ed25519.hpp"
#include "ledger/export.hpp"
#include "ledger/ledger.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

// What an entry is about, in one line.
std::string summary_of(const ledger::Entry& entry) {
  Json body = formats::parse_json(entry.body, "ledger");
  std::string text;
  for (const char* key : {"release", "environment", "service", "cause", "sha", "taskDefinition",
                          "deployment", "verdict", "who", "reason", "text"}) {
    const Json* value = body.find(key);
    if (!value || (value->is_string() && value->as_string().empty())) continue;
    std::string shown = value->is_string() ? value->as_string() : value->dump();
    if (std::string_view(key) == "sha") shown = shown.substr(0, 12);
    if (std::string_view(key) == "taskDefinition")
      shown = shown.substr(shown.find_last_of('/') + 1);
    text += fmt::format(" {}={}", key, shown);
  }
  return text;
}

int show(const Invocation& given, Surroundings& around, ledger::Ledger& ledger) {
  auto number = given.arguments.size() > 1 ? to_integer(given.arguments[1]) : std::nullopt;
  if (given.arguments.size() > 1 && !number)
    fail(Fault::bad_input, "'{}' is not an entry's number", given.arguments[1]);
  auto entries = number ? ledger.entries(*number, 1) : ledger.entries();
  if (number && (entries.empty() || entries.front().number != *number))
    fail(Fault::not_found, "the ledger has no entry {}", *number);
  for (const auto& entry : entries) {
    if (around.json) {
      print(ledger::to_json(entry).dump() + "\n");
    } else if (number) {
      print(fmt::format("{} {} {}\n{}\nhash {}\nprevious {}\nsignature {}\n", entry.number,
                        entry.at, entry.kind, formats::parse_json(entry.body, "ledger").pretty(),
                        entry.hash, entry.previous, entry.signature));
    } else {
      print(fmt::format("{:>5} {} {:<20}{}\n", entry.number, entry.at, entry.kind,
                        summary_of(entry)));
    }
  }
  return 0;
}

std::string key_given(const Invocation& given) {
  auto text = given.value("--public-key");
  if (!text) return "";
  auto key = unbase64(*text);
  if (!key || key->size() != 32)
    fail(Fault::bad_input,
         "--public-key takes 32 bytes in base64, as slipway audit key prints them");
  return *key;
}

int tell(const Surroundings& around, const std::optional<ledger::Broken>& broken,
         const std::string& good) {
  if (around.json) {
    Json out = Json::object({{"ok", !broken.has_value()}});
    if (broken) {
      out["entry"] = broken->number;
      out["what"] = broken->what;
    }
    print(out.dump() + "\n");
  } else {
    print(broken ? broken->what + "\n" : good + "\n");
  }
  return broken ? 1 : 0;
}

int verify(const Invocation& given, Surroundings& around, ledger::Ledger& ledger) {
  if (given.arguments.size() > 1) {
    std::string text = os::read_file(around.cwd / given.arguments[1]);
    std::string key = key_given(given);
    return tell(
        around, ledger::verify_export(text, key),
        fmt::format(
            "the export holds{}",
            key.empty()
                ? " (by the key that it names itself: give --public-key to be sure whose it is)"
                : ""));
  }
  auto broken = ledger.verify();
  if (auto file = given.value("--checkpoint"); file && !broken) {
    broken = ledger::verify_checkpoint(
        ledger, formats::parse_json(os::read_file(around.cwd / *file), *file));
  }
  if (broken) return tell(around, broken, "");
  auto entries = ledger.checkpoint().get_int("entries");
  return tell(around, broken,
              fmt::format("{} entries hold, signed by {}", entries, base64(ledger.public_key())));
}

// Beyond this machine: whoever has the repository's notes can tell that the ledger was not made anew.
int anchor(Surroundings& around, ledger::Ledger& ledger) {
  Json checkpoint = ledger.checkpoint();
  checkpoint["publicKey"] = base64(ledger.public_key());
  auto done = os::capture(
      {.argv = {"git", "notes", "--ref=slipway", "append", "-m", checkpoint.dump(), "HEAD"},
       .cwd = around.cwd.string()},
      around.stop, Deadline::in(std::chrono::seconds(20)));
  if (!done.exit.ok()) fail(Fault::failed, "git notes: {}", trim(done.err));
  print(checkpoint.dump() + "\n");
  return 0;
}

int audit(const Invocation& given, Surroundings& around) {
  ledger::Ledger ledger(around.state / "ledger.db");
  const std::string& what = given.arguments[0];
  if (what == "show") return show(given, around, ledger);
  if (what == "verify") return verify(given, around, ledger);
  if (what == "export") {
    ledger::export_ledger(ledger, [](std::string_view part) { print(part); });
    return 0;
  }
  if (what == "key") {
    (void)ledger.checkpoint();
    print(around.json ? Json::object({{"publicKey", base64(ledger.public_key())}}).dump() + "\n"
                      : base64(ledger.public_key()) + "\n" +
                            formats::ed25519_public_pem(ledger.public_key()));
    return 0;
  }
  if (what == "checkpoint") {
    if (given.has("--git")) return anchor(around, ledger);
    print(ledger.checkpoint().dump() + "\n");
    return 0;
  }
  if (what == "note" && given.arguments.size() == 2) {
    auto number =
        ledger.append("note", Json::object({{"who", user_name()}, {"text", given.arguments[1]}}));
    print(fmt::format("{}\n", number));
    return 0;
  }
  if (what == "approve" && given.arguments.size() == 3) {
    auto number = ledger.append("approval", Json::object({{"environment", given.arguments[1]},
                                                          {"sha", given.arguments[2]},
                                                          {"who", user_name()}}));
    print(fmt::format("{}\n", number));
    return 0;
  }
  fail(Fault::bad_input,
       "audit show [N], verify [EXPORT], export, key, checkpoint [--git], note TEXT, or approve "
       "ENV SHA; not '{}'",
       what);
}

}  // namespace

Verb audit_verb() {
  return {
      .name = "audit",
      .usage = "show [N]|verify [EXPORT]|export|key|checkpoint [--git]|note TEXT|approve ENV SHA",
      .summary = "the ledger's signed chain",
      .options = {{"--public-key", Option::Kind::value, "BASE64",
                   "verify EXPORT: who must have signed it"},
                  {"--checkpoint", Option::Kind::value, "FILE",
                   "verify: that this checkpoint's entries are still there"},
                  {"--git", Option::Kind::flag, "",
                   "checkpoint: also as a note of HEAD (refs/notes/slipway)"}},
      .min_arguments = 1,
      .max_arguments = 3,
      .run = audit};
}

}  // namespace slipway::cli
