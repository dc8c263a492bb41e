// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "ledger/chain.hpp"
#include "ledger/process.hpp"
#include "ledger/state.hpp"

// What the ledger keeps of environments beside their releases: pauses, locks, and messages to be delivered.
namespace slipway::ledger {
namespace {

using formats::Json;
using formats::Transaction;

// Steady, and the same for all processes of one boot.
std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

void Ledger::pause(const std::string& environment, const std::string& who,
                   const std::string& reason) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  append_entry(state_->database, state_->signer, "environment.paused",
               Json::object({{"environment", environment}, {"who", who}, {"reason", reason}}));
  state_->database.run(
      "INSERT OR REPLACE INTO pauses (environment, at, who, reason) VALUES (?, ?, ?, ?)",
      environment, formats::iso8601(formats::now()), who, reason);
  transaction.commit();
}

bool Ledger::resume(const std::string& environment, const std::string& who) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  state_->database.run("DELETE FROM pauses WHERE environment = ?", environment);
  if (state_->database.changes() == 0) return false;
  append_entry(state_->database, state_->signer, "environment.resumed",
               Json::object({{"environment", environment}, {"who", who}}));
  transaction.commit();
  return true;
}

std::optional<Pause> Ledger::paused(const std::string& environment) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare("SELECT at, who, reason FROM pauses WHERE environment = ?");
  query.bind(environment);
  if (!query.step()) return std::nullopt;
  return Pause{query.get_text(0), query.get_text(1), query.get_text(2)};
}

Ledger::LockAnswer Ledger::try_lock(const std::string& environment, const std::string& owner,
                                    std::chrono::milliseconds lease, bool take_over) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  std::string self = this_process();
  std::int64_t epoch = 0;
  {
    auto query = state_->database.prepare(
        "SELECT epoch, owner, process, holders, expires FROM locks WHERE environment = ?");
    query.bind(environment);
    if (query.step()) {
      epoch = query.get_int(0);
      bool is_held =
          query.get_int(3) > 0 && query.get_int(4) > steady_ms() && !has_died(query.get_text(2));
      if (is_held && query.get_text(1) == owner && query.get_text(2) == self) {
        state_->database.run("UPDATE locks SET holders = holders + 1 WHERE environment = ?",
                             environment);
        transaction.commit();
        return {epoch, owner};
      }
      if (is_held && !take_over) return {0, query.get_text(1)};
    }
  }
  ++epoch;
  state_->database.run(
      "INSERT OR REPLACE INTO locks (environment, epoch, owner, process, holders, expires) VALUES "
      "(?, ?, ?, ?, 1, ?)",
      environment, epoch, owner, self, steady_ms() + lease.count());
  transaction.commit();
  return {epoch, owner};
}

bool Ledger::renew_lock(const std::string& environment, std::int64_t epoch,
                        std::chrono::milliseconds lease) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  state_->database.run(
      "UPDATE locks SET expires = ? WHERE environment = ? AND epoch = ? AND holders > 0",
      steady_ms() + lease.count(), environment, epoch);
  bool is_held = state_->database.changes() > 0;
  transaction.commit();
  return is_held;
}

void Ledger::unlock(const std::string& environment, std::int64_t epoch) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  state_->database.run(
      "UPDATE locks SET holders = holders - 1 WHERE environment = ? AND epoch = ? AND holders > 0",
      environment, epoch);
  transaction.commit();
}

bool Ledger::holds_lock(const std::string& environment, std::int64_t epoch) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare(
      "SELECT 1 FROM locks WHERE environment = ? AND epoch = ? AND holders > 0");
  query.bind(environment, epoch);
  return query.step();
}

void Ledger::put_out(const std::string& place, const std::string& sink, const Json& body) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  state_->database.run(
      "INSERT INTO outbox (place, sink, body, attempts, due) VALUES (?, ?, ?, 0, 0)", place, sink,
      body.dump());
  transaction.commit();
}

// Due times are of the calendar: they outlive a boot.
std::vector<Outgoing> Ledger::outgoing() const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare(
      "SELECT id, place, sink, body, attempts FROM outbox WHERE due <= ? ORDER BY id");
  query.bind(formats::now().time_since_epoch().count());
  std::vector<Outgoing> all;
  while (query.step()) {
    all.push_back({query.get_int(0), query.get_text(1), query.get_text(2),
                   formats::parse_json(query.get_text(3), "outbox"),
                   static_cast<int>(query.get_int(4))});
  }
  return all;
}

std::optional<formats::Time> Ledger::next_outgoing(const std::string& place) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare(
      "SELECT due FROM outbox WHERE place IN (?, '') ORDER BY due LIMIT 1");
  query.bind(place);
  if (!query.step()) return std::nullopt;
  return formats::Time(std::chrono::milliseconds(query.get_int(0)));
}

bool Ledger::claim(const Outgoing& message, std::chrono::milliseconds span) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  auto now = formats::now();
  state_->database.run("UPDATE outbox SET due = ? WHERE id = ? AND attempts = ? AND due <= ?",
                       (now + span).time_since_epoch().count(), message.id, message.attempts,
                       now.time_since_epoch().count());
  bool is_ours = state_->database.changes() > 0;
  transaction.commit();
  return is_ours;
}

void Ledger::delivered(std::int64_t id) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  state_->database.run("DELETE FROM outbox WHERE id = ?", id);
  transaction.commit();
}

std::string Ledger::thread(const std::string& sink, const std::string& key) const {
  std::lock_guard lock(state_->mutex);
  auto query = state_->database.prepare("SELECT thread FROM threads WHERE sink = ? AND key = ?");
  query.bind(sink, key);
  return query.step() ? query.get_text(0) : std::string();
}

void Ledger::set_thread(const std::string& sink, const std::string& key,
                        const std::string& thread) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  state_->database.run("INSERT OR REPLACE INTO threads (sink, key, thread) VALUES (?, ?, ?)", sink,
                       key, thread);
  transaction.commit();
}

bool Ledger::not_delivered(std::int64_t id, std::chrono::milliseconds pause, int most_attempts) {
  std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->database);
  state_->database.run("UPDATE outbox SET attempts = attempts + 1, due = ? WHERE id = ?",
                       (formats::now() + pause).time_since_epoch().count(), id);
  state_->database.run("DELETE FROM outbox WHERE id = ? AND attempts >= ?", id, most_attempts);
  bool is_kept = state_->database.changes() == 0;
  transaction.commit();
  return is_kept;
}

}  // namespace slipway::ledger
