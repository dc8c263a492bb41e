// SPDX-License-Identifier: Apache-2.0
#include "cloud/protocol.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "cloud/cbor.hpp"
#include "formats/xml.hpp"

namespace slipway::cloud {
namespace {

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxFields = 5000;

// The form's keys as a tree before it is known which nodes are lists; children keep their order of appearance.
struct Node {
  struct Named;
  std::optional<std::string> value;
  std::vector<Named> children;
  Node& child(const std::string& name);
};

struct Node::Named {
  std::string first;
  Node second;
};

Node& Node::child(const std::string& name) {
  for (auto& [key, node] : children) {
    if (key == name) return node;
  }
  return children.emplace_back(Named{name, Node{}}).second;
}

std::optional<std::size_t> index_of(const std::string& key) {
  auto number = to_integer(key);
  if (!number || *number < 1 || key.front() == '+') return std::nullopt;
  return static_cast<std::size_t>(*number);
}

bool is_list(const Node& node) {
  if (node.children.empty()) return false;
  return std::all_of(node.children.begin(), node.children.end(),
                     [](const auto& child) { return index_of(child.first).has_value(); });
}

Json to_json(const Node& node);

Json list_of(const Node& node) {
  std::map<std::size_t, const Node*> sorted;
  for (const auto& [key, child] : node.children) sorted[*index_of(key)] = &child;
  Json list = Json::array({});
  for (const auto& [index, child] : sorted) list.push_back(to_json(*child));
  return list;
}

Json map_of(const Node& entries) {
  Json map = Json::object({});
  for (const auto& [index, entry] : entries.children) {
    const Node* key = nullptr;
    const Node* value = nullptr;
    for (const auto& [name, part] : entry.children) (name == "key" ? key : value) = &part;
    if (key == nullptr || !key->value)
      throw Refusal("MalformedQueryString", "a map entry without a key");
    map[*key->value] = value != nullptr ? to_json(*value) : Json("");
  }
  return map;
}

Json to_json(const Node& node) {
  if (node.children.empty()) return node.value.value_or("");
  if (node.children.size() == 1) {
    const auto& [name, only] = node.children.front();
    if (name == "member" && is_list(only)) return list_of(only);
    if (name == "entry" && is_list(only)) return map_of(only);
  }
  if (is_list(node)) return list_of(node);
  Json object = Json::object({});
  for (const auto& [name, child] : node.children) object[name] = to_json(child);
  return object;
}

// Calls `use(name, value)` for each field.
template <typename Use>
void each_field(std::string_view body, Use&& use) {
  std::size_t count = 0;
  while (!body.empty()) {
    auto end = body.find('&');
    auto field = body.substr(0, end);
    body = end == std::string_view::npos ? std::string_view{} : body.substr(end + 1);
    if (field.empty()) continue;
    if (++count > kMaxFields) throw Refusal("MalformedQueryString", "too many parameters");
    auto equals = field.find('=');
    auto name = percent_decode(field.substr(0, equals), true);
    auto value = percent_decode(
        equals == std::string_view::npos ? std::string_view{} : field.substr(equals + 1), true);
    if (!name || !value)
      throw Refusal("MalformedQueryString", "the request body is not form-encoded");
    use(*name, *value);
  }
}

std::string scalar_text(const Json& value) {
  return value.is_string() ? value.as_string() : value.dump();
}

void write_members(formats::XmlWriter& xml, const Json& object, std::string_view item);

// A member "*Name" holds a list whose items stand side by side as <Name> (models with a locationName for list members: RDS).
// A list's items are named `item` ("member", in ec2 "item").
void write_value(formats::XmlWriter& xml, std::string_view name, const Json& value,
                 std::string_view item) {
  if (value.is_null()) return;
  if (value.is_array()) {
    xml.open(name);
    for (const auto& each : value.as_array()) write_value(xml, item, each, item);
    xml.close();
  } else if (value.is_object()) {
    xml.open(name);
    write_members(xml, value, item);
    xml.close();
  } else {
    xml.element(name, scalar_text(value));
  }
}

void write_members(formats::XmlWriter& xml, const Json& object, std::string_view item) {
  for (const auto& [name, value] : object.as_object()) {
    if (name.starts_with('*')) {
      for (const auto& each : value.as_array())
        write_value(xml, std::string_view(name).substr(1), each, item);
    } else {
      write_value(xml, name, value, item);
    }
  }
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] == '%') {
      auto byte = i + 2 < text.size() ? unhex(text.substr(i + 1, 2)) : std::nullopt;
      if (!byte || byte->size() != 1) return std::nullopt;
      out += *byte;
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '_' || c == '.' || c == '~' || (keep_slash && c == '/');
    if (plain) {
      out += c;
    } else {
      auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

std::optional<std::string> query_field(std::string_view body, std::string_view name) {
  std::optional<std::string> found;
  each_field(body, [&](const std::string& key, const std::string& value) {
    if (key == name && !found) found = value;
  });
  return found;
}

Json decode_query(std::string_view body) {
  Node root;
  each_field(body, [&](const std::string& name, const std::string& value) {
    if (name == "Action" || name == "Version") return;
    auto path = split(name, '.');
    if (path.size() > kMaxDepth)
      throw Refusal("MalformedQueryString", "a parameter's name is nested too deep");
    Node* node = &root;
    for (const auto& step : path) {
      if (step.empty())
        throw Refusal("MalformedQueryString", "a parameter's name has an empty part");
      node = &node->child(step);
    }
    node->value = value;
  });
  Json members = Json::object({});
  for (const auto& [name, child] : root.children) members[name] = to_json(child);
  return members;
}

std::string encode_answer(const ServiceDescription& service, const Call& call, const Json& output) {
  return encode_answer(service.protocol, service.xml_namespace, call, output);
}

std::string encode_answer(Protocol protocol, const std::string& xml_namespace, const Call& call,
                          const Json& output) {
  if (protocol == Protocol::json_1_0 || protocol == Protocol::json_1_1)
    return output.is_null() ? "{}" : output.dump();
  if (protocol == Protocol::cbor) return print_cbor(output.is_null() ? Json::object() : output);
  bool ec2 = protocol == Protocol::ec2;
  formats::XmlWriter xml(ec2);
  xml.open(call.operation + "Response", {{"xmlns", xml_namespace}});
  if (ec2) {
    xml.element("requestId", call.request_id);
    if (output.is_object()) write_members(xml, output, "item");
  } else {
    // Also when there is nothing to say: boto3 looks for it where the model has an output without members.
    xml.open(call.operation + "Result");
    if (output.is_object()) write_members(xml, output, "member");
    xml.close();
    xml.open("ResponseMetadata").element("RequestId", call.request_id).close();
  }
  xml.close();
  return xml.str();
}

std::string encode_error(Protocol protocol, const std::string& xml_namespace,
                         const Refusal& refusal, const std::string& request_id) {
  if (protocol == Protocol::json_1_0 || protocol == Protocol::json_1_1 ||
      protocol == Protocol::cbor) {
    // Models spell the member either way (facts/aws-endpoints.md 2.3): both suit every client.
    Json body = Json::object({{"__type", refusal.code()},
                              {"message", refusal.message()},
                              {"Message", refusal.message()}});
    for (const auto& [name, value] : refusal.members().as_object()) body[name] = value;
    return protocol == Protocol::cbor ? print_cbor(body) : body.dump();
  }
  formats::XmlWriter xml(protocol == Protocol::ec2);
  if (protocol == Protocol::ec2) {
    xml.open("Response").open("Errors").open("Error");
    xml.element("Code", refusal.code()).element("Message", refusal.message());
    xml.close().close().element("RequestID", request_id).close();
  } else {
    xml.open("ErrorResponse", {{"xmlns", xml_namespace}}).open("Error");
    xml.element("Type", refusal.status() >= 500 ? "Receiver" : "Sender");
    xml.element("Code", refusal.code()).element("Message", refusal.message()).close();
    xml.element("RequestId", request_id).close();
  }
  return xml.str();
}

std::string_view content_type(Protocol protocol) {
  switch (protocol) {
    case Protocol::json_1_0:
      return "application/x-amz-json-1.0";
    case Protocol::json_1_1:
      return "application/x-amz-json-1.1";
    case Protocol::cbor:
      return "application/cbor";
    case Protocol::query:
      return "text/xml";
    case Protocol::ec2:
      break;
  }
  return "text/xml;charset=UTF-8";
}

}  // namespace slipway::cloud
