// SPDX-License-Identifier: Apache-2.0
#include "deploy/compare.hpp"

#include <map>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;
using Flat = std::map<std::string, std::string>;  // place → value

// What identifies an item of a list of objects.
std::string name_of_item(const Json& item) {
  for (const char* key : {"name", "containerName", "sourceVolume", "key", "type"}) {
    if (item.is_object() && item.find(key) && item.at(key).is_string())
      return item.at(key).as_string();
  }
  if (item.is_object() && item.contains("containerPort")) return item.at("containerPort").dump();
  return "";
}

std::string join_place(const std::string& place, const std::string& name) {
  return place.empty() ? name : place + "." + name;
}

bool is_empty(const Json& value) {
  return value.is_null() || ((value.is_array() || value.is_object() || value.is_string()) &&
                             (value.is_string() ? value.as_string().empty() : value.empty()));
}

// A variable is one line, not two: {"name": N, "value": V} → N = V.
void flatten(const Json& value, const std::string& place, Flat& into) {
  if (value.is_object()) {
    bool is_pair = value.contains("name") && value.size() == 2 &&
                   (value.contains("value") || value.contains("valueFrom"));
    if (is_pair) {
      const Json* text = value.find("value");
      into[place] = text ? (text->is_string() ? text->as_string() : text->dump())
                         : "from " + value.get_string("valueFrom");
      return;
    }
    for (const auto& [key, member] : value.as_object()) {
      if (!is_empty(member))
        flatten(member, join_place(place, key == "containerDefinitions" ? "" : key), into);
    }
    return;
  }
  if (value.is_array()) {
    bool is_named = std::all_of(value.as_array().begin(), value.as_array().end(),
                                [](const Json& item) { return !name_of_item(item).empty(); });
    if (!is_named) {
      into[place] = value.dump();
      return;
    }
    for (const auto& item : value.as_array()) {
      std::string end = place.ends_with('.') || place.empty() ? place + name_of_item(item)
                                                              : place + "." + name_of_item(item);
      flatten(item, end, into);
    }
    return;
  }
  into[place] = value.is_string() ? value.as_string() : value.dump();
}

// What the cloud fills in where nothing was given.
bool is_default(const std::string& place, const std::string& value) {
  auto ends = [&](std::string_view end) { return place.ends_with(end); };
  if (ends(".protocol")) return value == "tcp";
  if (ends(".hostPort")) return true;  // awsvpc: the container's port
  if (ends(".essential")) return value == "true";
  if (ends(".cpu")) return value == "0";
  if (ends(".healthCheck.interval")) return value == "30";
  if (ends(".healthCheck.timeout")) return value == "5";
  if (ends(".healthCheck.retries")) return value == "3";
  return place == "placementConstraints" || place == "volumes" || ends(".name") ||
         place == "enableFaultInjection";
}

Json comparable(const Json& definition) {
  Json out = definition.is_null() ? Json::object() : definition;
  for (const char* key : {"taskDefinitionArn", "revision", "status", "registeredAt", "registeredBy",
                          "deregisteredAt", "compatibilities", "requiresAttributes", "tags"}) {
    out.erase(key);
  }
  return out;
}

}  // namespace

std::vector<Change> compare(const Json& before, const Json& after) {
  Flat old_values;
  Flat new_values;
  flatten(comparable(before), "", old_values);
  flatten(comparable(after), "", new_values);
  std::set<std::string> places;
  for (const auto& [place, value] : old_values) places.insert(place);
  for (const auto& [place, value] : new_values) places.insert(place);
  std::vector<Change> changes;
  for (const auto& place : places) {
    auto was = old_values.find(place);
    auto will = new_values.find(place);
    if (was != old_values.end() && will != new_values.end() && was->second == will->second)
      continue;
    if (will == new_values.end() && is_default(place, was->second)) continue;
    if (was == old_values.end() && is_default(place, will->second)) continue;
    std::string shown = place.starts_with('.') ? place.substr(1) : place;
    changes.push_back({shown,
                       was == old_values.end() ? "" : was->second,
                       will == new_values.end() ? "" : will->second,
                       {},
                       {}});
  }
  return changes;
}

std::string to_text(const std::vector<Change>& changes) {
  std::string text;
  for (const auto& change : changes) {
    if (change.before.empty()) {
      text += fmt::format("  + {}: {}\n", change.place, change.after);
    } else if (change.after.empty()) {
      text += fmt::format("  - {}: {}\n", change.place, change.before);
    } else {
      text += fmt::format("  ~ {}: {} → {}\n", change.place, change.before, change.after);
    }
    for (const auto& note : change.notes) text += fmt::format("      {}\n", note);
  }
  return text;
}

Json to_json(const std::vector<Change>& changes) {
  Json list = Json::array();
  for (const auto& change : changes) {
    Json item = Json::object({{"place", change.place}});
    if (!change.before.empty()) item["before"] = change.before;
    if (!change.after.empty()) item["after"] = change.after;
    if (!change.notes.empty()) item["note"] = join(change.notes, "\n");
    if (change.details.is_object()) {
      for (const auto& [key, value] : change.details.as_object()) item[key] = value;
    }
    list.push_back(std::move(item));
  }
  return list;
}

}  // namespace slipway::deploy
