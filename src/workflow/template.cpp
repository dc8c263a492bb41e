// SPDX-License-Identifier: Apache-2.0
#include "workflow/template.hpp"

#include "base/error.hpp"

namespace slipway::workflow {
namespace {

const Template kAbsent;

Value evaluate_scalar(const Template& value, const Contexts& contexts) {
  switch (value.kind) {
    case Template::Kind::boolean:
      return Value(value.boolean);
    case Template::Kind::number:
      return Value(value.number);
    case Template::Kind::string:
      return Value(value.text);
    case Template::Kind::expression:
      break;
    default:
      return {};
  }
  try {
    return evaluate(value.expression, contexts);
  } catch (const Error& error) {
    if (value.place.line == 0) throw;
    throw Error(error.fault(), fmt::format("(Line: {}, Col: {}): {}", value.place.line,
                                           value.place.column, error.what()));
  }
}

Value evaluate_mapping(const Template& value, const Contexts& contexts, KeyCase keys) {
  std::vector<Value::Member> members;
  for (const auto& entry : value.entries) {
    if (entry.is_insert) {
      Value inserted = evaluate(entry.value, contexts, keys);
      if (inserted.is_null()) continue;
      if (!inserted.is_object()) {
        fail(Fault::failed, "(Line: {}, Col: {}): a mapping was expected after '${{{{ insert }}}}'",
             entry.key.place.line, entry.key.place.column);
      }
      for (const auto& member : inserted.members()) members.push_back(member);
      continue;
    }
    Value key = evaluate_scalar(entry.key, contexts);
    if (!key.is_primitive()) {
      fail(Fault::failed, "(Line: {}, Col: {}): a key was expected, found {}", entry.key.place.line,
           entry.key.place.column, key.kind_name());
    }
    members.emplace_back(key.to_string(), evaluate(entry.value, contexts, keys));
  }
  return Value::object(std::move(members), keys);
}

}  // namespace

const Template& Template::operator[](std::string_view key) const {
  for (const auto& entry : entries) {
    if (entry.key.is_string() && compare_ignoring_case(entry.key.text, key) == 0)
      return entry.value;
  }
  return kAbsent;
}

Template Template::take(std::string_view key) {
  Template taken;
  for (auto& entry : entries) {
    if (!entry.key.is_string() || compare_ignoring_case(entry.key.text, key) != 0) continue;
    std::swap(taken, entry.value);
    break;
  }
  return taken;
}

bool Template::has_expression() const {
  if (is_expression()) return true;
  for (const auto& item : items) {
    if (item.has_expression()) return true;
  }
  for (const auto& entry : entries) {
    if (entry.is_insert || entry.key.is_expression() || entry.value.has_expression()) return true;
  }
  return false;
}

bool Template::uses_context(std::string_view name) const {
  if (is_expression() && expression.uses_context(name)) return true;
  for (const auto& item : items) {
    if (item.uses_context(name)) return true;
  }
  for (const auto& entry : entries) {
    if (entry.key.uses_context(name) || entry.value.uses_context(name)) return true;
  }
  return false;
}

std::string Template::literal() const {
  return is_expression() ? "${{ " + expression.text() + " }}" : text;
}

Value evaluate(const Template& value, const Contexts& contexts, KeyCase keys) {
  if (value.is_mapping()) return evaluate_mapping(value, contexts, keys);
  if (!value.is_sequence()) return evaluate_scalar(value, contexts);
  std::vector<Value> items;
  for (const auto& item : value.items) items.push_back(evaluate(item, contexts, keys));
  return Value::array(std::move(items));
}

std::string evaluate_text(const Template& value, const Contexts& contexts, std::string otherwise) {
  // Literal numbers keep the form that a file gives them (G15), which is not that of an expression.
  if (value.is_scalar() && !value.is_expression() && value.kind != Template::Kind::null)
    return value.text;
  Value result = evaluate(value, contexts);
  return result.is_null() ? std::move(otherwise) : result.to_string();
}

}  // namespace slipway::workflow
