// SPDX-License-Identifier: Apache-2.0
#include "cloud/sts/sessions.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "cloud/iam/authoriser.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::sts {
namespace {

constexpr std::size_t kMostKnown = 1000;

std::string kind_name(Principal::Kind kind) {
  switch (kind) {
    case Principal::Kind::root:
      return "root";
    case Principal::Kind::user:
      return "user";
    case Principal::Kind::assumed_role:
      return "assumed_role";
    case Principal::Kind::anonymous:
      break;
  }
  return "anonymous";
}

Principal::Kind kind_of(std::string_view name) {
  if (name == "root") return Principal::Kind::root;
  if (name == "user") return Principal::Kind::user;
  return name == "assumed_role" ? Principal::Kind::assumed_role : Principal::Kind::anonymous;
}

std::int64_t milliseconds(Time time) { return time.time_since_epoch().count(); }

// A secret of 40 characters from the alphabet that AWS uses.
std::string new_secret() { return base64(random_bytes(30)); }

std::string new_session_token() { return "IQoJb3JpZ2luX2Vj" + base64(random_bytes(240)); }

void keep(Tables& tables, const Sessions::Key& key) {
  Json body = to_json(key.principal);
  body["secret"] = key.secret_access_key;
  body["token"] = key.session_token;
  body["active"] = key.is_active;
  std::optional<std::int64_t> expires;
  if (key.expires) expires = milliseconds(*key.expires);
  tables.database().run("INSERT INTO access_key VALUES(?,?,?)", key.principal.access_key_id,
                        expires, body.dump());
}

Credentials credentials_of(const Sessions::Key& key) {
  return {key.principal.access_key_id, key.secret_access_key, key.session_token,
          key.expires.value_or(Time{})};
}

Sessions::Key new_key(Principal principal, std::string_view prefix) {
  principal.access_key_id = std::string(prefix) + random_id(16);
  return {.principal = std::move(principal),
          .secret_access_key = new_secret(),
          .session_token = "",
          .expires = std::nullopt,
          .is_active = true};
}

Sessions::Key new_session(Principal principal, Time expires) {
  auto key = new_key(std::move(principal), "ASIA");
  key.session_token = new_session_token();
  key.expires = expires;
  return key;
}

}  // namespace

Json to_json(const Principal& who) {
  Json body = Json::object({{"kind", kind_name(who.kind)},
                            {"account", who.account},
                            {"arn", who.arn},
                            {"id", who.id},
                            {"entity", who.entity},
                            {"session_policy", who.session_policy}});
  Json arns = Json::array({});
  for (const auto& arn : who.session_policy_arns) arns.push_back(arn);
  body["session_policy_arns"] = std::move(arns);
  return body;
}

Principal principal_from(const Json& body, std::string access_key_id) {
  Principal who{.kind = kind_of(body.get_string("kind")),
                .account = body.get_string("account"),
                .arn = body.get_string("arn"),
                .id = body.get_string("id"),
                .access_key_id = std::move(access_key_id),
                .entity = body.get_string("entity"),
                .session_policy = body.get_string("session_policy"),
                .session_policy_arns = {}};
  for (const auto& arn : body.get_array("session_policy_arns"))
    who.session_policy_arns.push_back(arn.as_string());
  return who;
}

Credentials Sessions::root_keys(const std::string& account, Time) {
  return state_.write([&](Tables& tables) {
    const Scope scope{account, ""};
    if (auto known = tables.get("sts.root", scope, "keys")) {
      return Credentials{known->get_string("id"), known->get_string("secret"), "", Time{}};
    }
    auto key = new_key(Principal{.kind = Principal::Kind::root,
                                 .account = account,
                                 .arn = arn("iam", "", account, "root"),
                                 .id = account,
                                 .access_key_id = "",
                                 .entity = "",
                                 .session_policy = "",
                                 .session_policy_arns = {}},
                       "AKIA");
    keep(tables, key);
    tables.put(
        "sts.root", scope, "keys",
        Json::object({{"id", key.principal.access_key_id}, {"secret", key.secret_access_key}}));
    return credentials_of(key);
  });
}

Credentials Sessions::assume(const SessionRequest& request, Time now) {
  return state_.write([&](Tables& tables) {
    auto role_arn = parse_arn(request.role_arn);
    auto name = iam::role_name_of(request.role_arn);
    auto role = role_arn ? tables.get("iam.role", {role_arn->account, ""}, name) : std::nullopt;
    if (!role || role->get_string("Arn") != request.role_arn) {
      throw Refusal(
          "AccessDenied",
          fmt::format("Not authorized to assume {}: there is no such role", request.role_arn), 403);
    }
    Principal who{.kind = Principal::Kind::assumed_role,
                  .account = role_arn->account,
                  .arn = fmt::format("arn:{}:sts::{}:assumed-role/{}/{}", role_arn->partition,
                                     role_arn->account, name, request.session_name),
                  .id = role->get_string("RoleId") + ":" + request.session_name,
                  .access_key_id = "",
                  .entity = name,
                  .session_policy = request.session_policy,
                  .session_policy_arns = request.session_policy_arns};
    auto key = new_session(std::move(who), now + request.duration);
    keep(tables, key);
    return credentials_of(key);
  });
}

Credentials Sessions::session_for(const Principal& caller, std::chrono::seconds duration,
                                  Time now) {
  auto key = new_session(caller, now + duration);
  state_.write([&](Tables& tables) { keep(tables, key); });
  return credentials_of(key);
}

Credentials Sessions::create_user_key(const Principal& user, Time) {
  auto key = new_key(user, "AKIA");
  state_.write([&](Tables& tables) { keep(tables, key); });
  return credentials_of(key);
}

// A key is read while `known_` is held, so that forget(), which drops it afterwards, drops it for good.
std::optional<Sessions::Key> Sessions::find(const std::string& access_key_id) {
  return known_.with([&](std::map<std::string, Key>& known) -> std::optional<Key> {
    if (auto it = known.find(access_key_id); it != known.end()) return it->second;
    auto key = read(access_key_id);
    if (!key) return std::nullopt;
    if (known.size() >= kMostKnown) known.clear();
    known.emplace(access_key_id, *key);
    return key;
  });
}

std::optional<Sessions::Key> Sessions::read(const std::string& access_key_id) {
  return state_.read([&](Tables& tables) -> std::optional<Key> {
    auto row = tables.database().prepare("SELECT expires, body FROM access_key WHERE id=?");
    row.bind(access_key_id);
    if (!row.step()) return std::nullopt;
    auto body = formats::parse_json(row.get_text(1));
    Key key{.principal = principal_from(body, access_key_id),
            .secret_access_key = body.get_string("secret"),
            .session_token = body.get_string("token"),
            .expires = std::nullopt,
            .is_active = body.get_bool("active", true)};
    if (!row.is_null(0)) key.expires = Time(std::chrono::milliseconds(row.get_int(0)));
    return key;
  });
}

bool Sessions::forget(const std::string& access_key_id) {
  bool was_there = state_.write([&](Tables& tables) {
    tables.database().run("DELETE FROM access_key WHERE id=?", access_key_id);
    return tables.database().changes() > 0;
  });
  known_.with([&](std::map<std::string, Key>& known) { known.erase(access_key_id); });
  return was_there;
}

void Sessions::purge(Time now) {
  state_.write([&](Tables& tables) {
    auto limit = milliseconds(now - std::chrono::hours(24));
    tables.database().run("DELETE FROM access_key WHERE expires IS NOT NULL AND expires < ?",
                          limit);
    tables.database().run("DELETE FROM registry_token WHERE expires < ?", limit);
  });
}

}  // namespace slipway::cloud::sts
