// SPDX-License-Identifier: Apache-2.0
#include "ledger/export.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "formats/ed25519.hpp"
#include "os/file.hpp"

using namespace slipway;
using namespace slipway::ledger;

namespace {

// A ledger of `count` entries, exported.
struct Exported {
  explicit Exported(int count) : ledger(directory.path() / "ledger.db") {
    for (int n = 1; n <= count; ++n)
      ledger.append("note", formats::Json::object(
                                {{"text", "entry \"" + std::to_string(n) + "\" für später"}}));
    export_ledger(ledger, [&](std::string_view part) { text += part; });
    lines = split(text, '\n');
    lines.pop_back();
  }
  [[nodiscard]] static std::string joined(const std::vector<std::string>& lines) {
    return join(lines, "\n") + "\n";
  }

  os::TempDir directory;
  Ledger ledger;
  std::string text;
  std::vector<std::string> lines;  // header, entries, checkpoint
};

}  // namespace

TEST_CASE("an export holds, and only for the key that it was made with") {
  Exported made(3);
  CHECK(made.lines.size() == 5);
  CHECK_FALSE(verify_export(made.text).has_value());
  CHECK_FALSE(verify_export(made.text, made.ledger.public_key()).has_value());
  CHECK(verify_export(made.text, formats::Ed25519Key::generate().public_bytes()).has_value());
  CHECK_FALSE(verify_export(Exported(0).text).has_value());
}

TEST_CASE("every single changed byte of 1,000 entries is found in its entry") {
  Exported made(1000);
  ChainCheck check(made.ledger.public_key());
  std::size_t missed = 0;
  std::size_t wrong = 0;
  for (std::size_t line = 1; line <= 1000; ++line) {
    std::string changed = made.lines[line];
    for (char& byte : changed) {
      char was = byte;
      byte = static_cast<char>(byte ^ 1);
      ChainCheck after = check;
      auto broken = check_line(after, changed);
      missed += broken ? 0 : 1;
      wrong += broken && broken->number != static_cast<std::int64_t>(line) ? 1 : 0;
      byte = was;
    }
    REQUIRE_FALSE(check_line(check, made.lines[line]).has_value());
  }
  CHECK(missed == 0);
  CHECK(wrong == 0);
}

TEST_CASE("every deletion, exchange of neighbours and truncation of 1,000 entries is found") {
  Exported made(1000);
  std::vector<ChainCheck> states = {ChainCheck(made.ledger.public_key())};
  for (std::size_t line = 1; line <= 1000; ++line) {
    ChainCheck next = states.back();
    REQUIRE_FALSE(check_line(next, made.lines[line]).has_value());
    states.push_back(next);
  }
  for (std::size_t line = 1; line < 1000; ++line) {
    // Without it, or with the next one before it, the next one comes too early.
    ChainCheck check = states[line - 1];
    auto broken = check_line(check, made.lines[line + 1]);
    REQUIRE(broken.has_value());
    CHECK(broken->number == static_cast<std::int64_t>(line));
  }
  for (std::size_t kept : {std::size_t{0}, std::size_t{1}, std::size_t{500}, std::size_t{999}}) {
    std::vector<std::string> lines(made.lines.begin(),
                                   made.lines.begin() + static_cast<std::ptrdiff_t>(kept) + 1);
    CHECK(verify_export(Exported::joined(lines)).has_value());
    lines.push_back(made.lines.back());
    CHECK(verify_export(Exported::joined(lines))->number == static_cast<std::int64_t>(kept + 1));
  }
  CHECK(verify_export(made.text.substr(0, made.text.size() - 1)).has_value());
}

TEST_CASE("the first and the last line of an export are held by its key, too") {
  Exported made(2);
  for (std::size_t line : {std::size_t{0}, made.lines.size() - 1}) {
    std::size_t missed = 0;
    for (std::size_t at = 0; at < made.lines[line].size(); ++at) {
      auto lines = made.lines;
      lines[line][at] = static_cast<char>(lines[line][at] ^ 1);
      missed += verify_export(Exported::joined(lines)) ? 0 : 1;
    }
    CHECK(missed == 0);
  }
}

TEST_CASE("a checkpoint holds while the ledger goes on, and no more when its entries change") {
  Exported made(3);
  auto checkpoint = made.ledger.checkpoint();
  made.ledger.append("note", formats::Json::object());
  CHECK_FALSE(verify_checkpoint(made.ledger, checkpoint).has_value());
  auto other = checkpoint;
  other["entries"] = 2;
  CHECK(verify_checkpoint(made.ledger, other).has_value());
  formats::Database database(made.directory.path() / "ledger.db");
  database.exec(
      "DROP TRIGGER entries_stay; UPDATE entries SET hash = replace(hash, 'a', 'b') WHERE number = "
      "3");
  CHECK(verify_checkpoint(made.ledger, checkpoint)->number == 3);
}
