// SPDX-License-Identifier: Apache-2.0
#include "deploy/template.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

// Splits {{ name "one" `two` }} into its words; quotes as in Go: "" with \" and \\, `` without escapes.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!(text = trim(text)).empty()) {
    std::string word;
    std::size_t at = 0;
    if (char quote = text.front(); quote == '"' || quote == '`') {
      for (at = 1; at < text.size() && text[at] != quote; ++at) {
        if (quote == '"' && text[at] == '\\' && at + 1 < text.size()) ++at;
        word += text[at];
      }
      if (at == text.size()) fail(Fault::bad_input, "a quote is not closed");
      ++at;
    } else {
      at = std::min(text.find_first_of(" \t\"`|"), text.size());
      if (at == 0)
        fail(Fault::bad_input,
             "'{}' is not understood here: there are functions with quoted arguments",
             text.front());
      word = text.substr(0, at);
    }
    words.push_back(word);
    text.remove_prefix(at);
  }
  return words;
}

std::string evaluate(std::string_view inside, const TemplateFunctions& functions) {
  auto words = words_of(inside);
  if (words.empty()) fail(Fault::bad_input, "nothing is inside {{{{ }}}}");
  auto function = functions.find(words.front());
  if (function == functions.end()) {
    std::vector<std::string> names;
    for (const auto& [name, use] : functions) names.push_back(name);
    fail(Fault::bad_input, "there is no function '{}': there are {}", words.front(),
         join(names, ", "));
  }
  return while_doing(words.front(), [&] {
    return function->second({words.begin() + 1, words.end()});
  });
}

std::string expand_text(std::string_view text, const TemplateFunctions& functions) {
  std::string out;
  for (;;) {
    auto open = text.find("{{");
    if (open == std::string_view::npos) return out + std::string(text);
    auto close = text.find("}}", open);
    if (close == std::string_view::npos) fail(Fault::bad_input, "'{{{{' is not closed");
    out += text.substr(0, open);
    out += evaluate(text.substr(open + 2, close - open - 2), functions);
    text.remove_prefix(close + 2);
  }
}

Json expand(const Json& value, const TemplateFunctions& functions, const std::string& place) {
  if (value.is_string())
    return while_doing(place, [&] { return Json(expand_text(value.as_string(), functions)); });
  if (value.is_array()) {
    Json out = Json::array();
    for (std::size_t at = 0; at < value.size(); ++at)
      out.push_back(expand(value.at(at), functions, fmt::format("{}[{}]", place, at)));
    return out;
  }
  if (!value.is_object()) return value;
  Json out = Json::object();
  for (const auto& [key, member] : value.as_object())
    out[key] = expand(member, functions, place.empty() ? key : place + "." + key);
  return out;
}

const std::string& one(const std::vector<std::string>& arguments) {
  if (arguments.size() != 1)
    fail(Fault::bad_input, "takes one argument, {} were given", arguments.size());
  return arguments.front();
}

// "aws_subnet.private[0].id", "aws_subnet.private['a'].id", "output.vpc_id", "data.aws_vpc.main.id", "module.net.aws_vpc.main.id".
std::string lookup_tfstate(const Json& state, const std::string& address) {
  if (address.starts_with("output.")) {
    const Json* outputs = state.find("outputs");
    const Json* output = outputs ? outputs->find(address.substr(7)) : nullptr;
    if (!output) fail(Fault::bad_input, "the state has no output '{}'", address.substr(7));
    const Json& value = output->at("value");
    return value.is_string() ? value.as_string() : value.dump();
  }
  for (const auto& resource : state.get_array("resources")) {
    std::string name = resource.get_string("module");
    if (!name.empty()) name += ".";
    if (resource.get_string("mode") == "data") name += "data.";
    name += resource.get_string("type") + "." + resource.get_string("name");
    for (const auto& instance : resource.get_array("instances")) {
      std::string whole = name;
      if (const Json* key = instance.find("index_key"))
        whole += key->is_string() ? "['" + key->as_string() + "']" : "[" + key->dump() + "]";
      if (!replace_all(address, "\"", "'").starts_with(whole + ".")) continue;
      const Json* value = &instance.at("attributes");
      for (const auto& part : split(std::string_view(address).substr(whole.size() + 1), '.')) {
        auto index = to_integer(part);
        value = value->is_array() && index && *index >= 0 &&
                        static_cast<std::size_t>(*index) < value->size()
                    ? &value->at(static_cast<std::size_t>(*index))
                    : value->find(part);
        if (!value) fail(Fault::bad_input, "the state's {} has no '{}'", whole, part);
      }
      return value->is_string() ? value->as_string() : value->dump();
    }
  }
  fail(Fault::bad_input, "the state has no '{}'", address);
}

}  // namespace

TemplateFunctions template_functions(const std::map<std::string, std::string>& environment,
                                     const std::string& tfstate, Calls* calls,
                                     const std::stop_token& stop) {
  TemplateFunctions functions;
  functions["env"] = [environment](const std::vector<std::string>& arguments) {
    if (arguments.empty())
      fail(Fault::bad_input, "takes a name, and values for when it is not set");
    for (std::size_t at = 0; at < arguments.size(); ++at) {
      if (at + 1 == arguments.size() && at > 0) return arguments.back();
      auto it = environment.find(arguments[at]);
      if (it != environment.end() && !it->second.empty()) return it->second;
    }
    return std::string();
  };
  functions["must_env"] = [environment](const std::vector<std::string>& arguments) {
    auto it = environment.find(one(arguments));
    if (it == environment.end())
      fail(Fault::bad_input, "the environment variable {} is not set", arguments.front());
    return it->second;
  };
  functions["tfstate"] = [tfstate](const std::vector<std::string>& arguments) {
    if (tfstate.empty())
      fail(Fault::bad_input, "no state was given: name its file in slipway.yml as tfstate");
    return lookup_tfstate(formats::parse_json(tfstate, "tfstate"), one(arguments));
  };
  functions["secretsmanager_arn"] = [calls, stop](const std::vector<std::string>& arguments) {
    if (!calls) fail(Fault::bad_input, "there is no AWS to ask here");
    auto answer = calls->call("secretsmanager", "DescribeSecret",
                              Json::object({{"SecretId", one(arguments)}}), stop);
    if (const auto* error = answer.error())
      fail(Fault::bad_input, "secret '{}': {}", arguments.front(), error->message);
    return answer.value().get_string("ARN");
  };
  functions["ssm"] = [calls, stop](const std::vector<std::string>& arguments) {
    if (!calls) fail(Fault::bad_input, "there is no AWS to ask here");
    auto answer =
        calls->call("ssm", "GetParameter",
                    Json::object({{"Name", one(arguments)}, {"WithDecryption", true}}), stop);
    if (const auto* error = answer.error())
      fail(Fault::bad_input, "parameter '{}': {}", arguments.front(), error->code);
    return answer.value().at("Parameter").get_string("Value");
  };
  return functions;
}

Json expand_templates(const Json& document, const TemplateFunctions& functions,
                      const std::string& file) {
  return while_doing(file, [&] { return expand(document, functions, ""); });
}

bool has_templates(const Json& document) {
  if (document.is_string()) return document.as_string().find("{{") != std::string::npos;
  if (document.is_array())
    return std::any_of(document.as_array().begin(), document.as_array().end(), has_templates);
  if (!document.is_object()) return false;
  return std::any_of(document.as_object().begin(), document.as_object().end(),
                     [](const auto& member) { return has_templates(member.second); });
}

}  // namespace slipway::deploy
