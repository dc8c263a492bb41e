// SPDX-License-Identifier: Apache-2.0
#include "cloud/ssm/ssm.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::ssm {
namespace {

constexpr std::string_view kBad = "ValidationException";
constexpr std::size_t kMostVersions = 100;

// "name:3" or "name:label" taken apart.
struct Selected {
  std::string name;
  std::string selector;
};
Selected selected(std::string_view text) {
  auto start = text.starts_with("arn:") ? text.find("parameter/") : 0;
  if (text.starts_with("arn:") && start != std::string_view::npos) text = text.substr(start + 9);
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return {std::string(text), ""};
  return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

const Json* pick(const Json& parameter, const std::string& selector) {
  const auto& versions = parameter.get_array("versions");
  if (selector.empty()) return versions.empty() ? nullptr : &versions.back();
  for (const auto& version : versions) {
    if (std::to_string(version.get_int("Version")) == selector) return &version;
    const auto& labels = version.get_array("labels");
    if (std::find(labels.begin(), labels.end(), Json(selector)) != labels.end()) return &version;
  }
  return nullptr;
}

// SecureString values are shown encrypted unless decryption is asked for.
std::string shown_value(const Json& parameter, const Json& version, bool decrypted) {
  auto value = version.get_string("Value");
  if (parameter.get_string("Type") != "SecureString" || decrypted) return value;
  return "AQICAH" + base64(fmt::format("slipway-encrypted:{}:{}", parameter.get_string("Name"),
                                       version.get_int("Version")));
}

Json parameter_json(const Scope& scope, const Json& parameter, const Json& version,
                    const std::string& selector, bool decrypted) {
  Json answer = Json::object({{"Name", parameter.at("Name")},
                              {"Type", parameter.at("Type")},
                              {"Value", shown_value(parameter, version, decrypted)},
                              {"Version", version.at("Version")}});
  if (!selector.empty()) answer["Selector"] = ":" + selector;
  answer["LastModifiedDate"] = version.at("date");
  answer["ARN"] = parameter_arn(scope, parameter.get_string("Name"));
  answer["DataType"] = parameter.get_string("DataType", "text");
  return answer;
}

class Ssm final : public Service {
 public:
  explicit Ssm(State& state) : state_(state) {}

  [[nodiscard]] const ServiceDescription& description() const override {
    static const ServiceDescription about{.signing_name = "ssm",
                                          .target_prefix = "AmazonSSM",
                                          .api_version = "",
                                          .xml_namespace = "",
                                          .protocol = Protocol::json_1_1,
                                          .host_prefixes = {"ssm"},
                                          .action_prefix = ""};
    return about;
  }
  [[nodiscard]] bool has(std::string_view operation) const override {
    return operations().contains(operation);
  }
  [[nodiscard]] std::vector<Permission> permissions(const Call& call) const override {
    Input in(call.input, kBad);
    auto names = in.texts("Names");
    for (const auto* key : {"Name", "Path", "ResourceId"}) {
      if (auto name = in.optional_text(key)) names.push_back(*name);
    }
    std::vector<Permission> wanted;
    for (const auto& name : names)
      wanted.push_back({.action = "ssm:" + call.operation,
                        .resource = parameter_arn(scope(call), selected(name).name),
                        .context = {}});
    if (wanted.empty())
      wanted.push_back({.action = "ssm:" + call.operation, .resource = "*", .context = {}});
    return wanted;
  }
  Json call(const Call& call) override { return dispatch(*this, operations(), call); }

 private:
  static const Operations<Ssm>& operations();
  static Scope scope(const Call& call) { return {call.account, call.region}; }
  std::optional<Json> find(const Call& call, const std::string& name) {
    return state_.read(
        [&](Tables& tables) { return tables.get(kParameterKind, scope(call), name); });
  }

  static void check_name(const Input& in, const std::string& name) {
    constexpr std::string_view kAllowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_.-";
    auto bare = name.starts_with('/') ? name.substr(1) : name;
    if (name.find_first_not_of(kAllowed) != std::string::npos || bare.empty()) {
      in.refuse(
          "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, "
          "it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a "
          "mix of letters, numbers and the following 3 symbols .-_");
    }
    if (to_lower(bare).starts_with("aws") || to_lower(bare).starts_with("ssm")) {
      in.refuse(to_lower(bare).starts_with("aws")
                    ? "No access to reserved parameter name: " + name + "."
                    : "Parameter name: can't be prefixed with \"ssm\" (case-insensitive).");
    }
    if (name.find('/') != std::string::npos && !name.starts_with('/'))
      in.refuse("Parameter name must be a fully qualified name.");
    if (std::count(name.begin(), name.end(), '/') > 15)
      throw Refusal("HierarchyLevelLimitExceededException",
                    "Hierarchy depth must be at most 15 levels");
  }

  Json put_parameter(const Call& call) {
    Input in(call.input, kBad);
    auto name = in.text("Name");
    check_name(in, name);
    auto value = in.text("Value");
    auto tier = in.text_or("Tier", "Standard");
    if (value.size() > (tier == "Advanced" ? 8192U : 4096U)) {
      in.refuse(
          "Standard tier parameters support a maximum parameter value of 4096 characters. To "
          "create a larger parameter value, upgrade the parameter to use the advanced-parameter "
          "tier.");
    }
    auto overwrite = in.boolean_or("Overwrite", false);
    return state_.write([&](Tables& tables) {
      auto known = tables.get(kParameterKind, scope(call), name);
      if (known && !overwrite)
        throw Refusal("ParameterAlreadyExists",
                      "The parameter already exists. To overwrite this value, set the overwrite "
                      "option in the request to true.");
      if (!known && !in.has("Type"))
        in.refuse("A parameter type is required when you create a parameter.");
      if (known && overwrite && !in.items("Tags").empty())
        in.refuse(
            "Invalid request: tags and overwrite can't be used together. To create a parameter "
            "with tags, please remove overwrite flag.");
      Json parameter = known.value_or(Json::object({{"Name", name},
                                                    {"tags", Json(in.items("Tags"))},
                                                    {"versions", Json::array({})},
                                                    {"next", 1}}));
      auto type = in.text_or("Type", parameter.get_string("Type"));
      if (type != "String" && type != "StringList" && type != "SecureString") {
        throw Refusal("UnsupportedParameterType",
                      fmt::format("The parameter type {} is not supported", type));
      }
      parameter["Type"] = type;
      parameter["Tier"] = tier == "Intelligent-Tiering" ? "Standard" : tier;
      parameter["DataType"] = in.text_or("DataType", "text");
      for (const auto* key : {"Description", "AllowedPattern", "KeyId"}) {
        if (auto text = in.optional_text(key)) parameter[key] = *text;
      }
      if (type == "SecureString" && !parameter.contains("KeyId"))
        parameter["KeyId"] = "alias/aws/ssm";
      auto number = parameter.get_int("next");
      parameter["next"] = number + 1;
      auto& versions = parameter["versions"].as_array();
      versions.push_back(Json::object({{"Version", number},
                                       {"Value", value},
                                       {"date", formats::epoch_seconds(call.now)},
                                       {"labels", Json::array({})},
                                       {"user", call.caller.arn}}));
      if (versions.size() > kMostVersions) {
        if (!versions.front().get_array("labels").empty())
          throw Refusal("ParameterMaxVersionLimitExceeded",
                        "The oldest version has a label; move the label to delete it");
        versions.erase(versions.begin());
      }
      tables.put(kParameterKind, scope(call), name, parameter);
      return Json::object({{"Version", number}, {"Tier", parameter.at("Tier")}});
    });
  }

  Json get_parameter(const Call& call) {
    Input in(call.input, kBad);
    auto wanted = selected(in.text("Name"));
    auto parameter = find(call, wanted.name);
    if (!parameter)
      throw Refusal("ParameterNotFound", fmt::format("Parameter {} not found.", wanted.name));
    const auto* version = pick(*parameter, wanted.selector);
    if (version == nullptr)
      throw Refusal(
          "ParameterVersionNotFound",
          fmt::format(
              "Systems Manager could not find version {} of {}. Verify the version and try again.",
              wanted.selector, wanted.name));
    return Json::object(
        {{"Parameter", parameter_json(scope(call), *parameter, *version, wanted.selector,
                                      in.boolean_or("WithDecryption", false))}});
  }
  Json get_parameters(const Call& call) {
    Input in(call.input, kBad);
    auto names = in.texts("Names");
    if (names.empty() || names.size() > 10)
      in.refuse(validation_message("[" + join(names, ", ") + "]", "names",
                                   "Member must have length between 1 and 10"));
    Json found = Json::array({});
    Json invalid = Json::array({});
    for (const auto& name : names) {
      auto wanted = selected(name);
      auto parameter = find(call, wanted.name);
      const auto* version = parameter ? pick(*parameter, wanted.selector) : nullptr;
      if (version == nullptr) {
        invalid.push_back(name);
      } else {
        found.push_back(parameter_json(scope(call), *parameter, *version, wanted.selector,
                                       in.boolean_or("WithDecryption", false)));
      }
    }
    return Json::object(
        {{"Parameters", std::move(found)}, {"InvalidParameters", std::move(invalid)}});
  }
  // Lists from a token on; `use` returns whether the parameter is taken.
  template <typename Use>
  Json listed(const Call& call, const Input& in, std::string_view key, const std::string& prefix,
              std::size_t most, Use&& use) {
    auto size = in.page_size("MaxResults", most, 50);
    std::string after;
    if (auto token = in.optional_text("NextToken"); token && !token->empty()) {
      auto position = read_page_token(*token);
      if (!position) throw Refusal("InvalidNextToken", "The specified token isn't valid.");
      after = *position;
    }
    Json list = Json::array({});
    Json answer = Json::object({});
    std::string last;
    for (const auto& stored : state_.read([&](Tables& tables) {
           return tables.list(kParameterKind, scope(call), prefix, after);
         })) {
      auto item = use(stored.body);
      if (item.is_null()) continue;
      if (list.size() == size) {
        answer["NextToken"] = page_token(last);
        break;
      }
      list.push_back(std::move(item));
      last = stored.id;
    }
    answer[key] = std::move(list);
    return answer;
  }
  Json get_parameters_by_path(const Call& call) {
    Input in(call.input, kBad);
    auto path = in.text("Path");
    if (!path.starts_with('/'))
      in.refuse(
          "The parameter doesn't meet the parameter name requirements. The parameter name must "
          "begin with a forward slash \"/\".");
    if (!path.ends_with('/')) path += '/';
    bool recursive = in.boolean_or("Recursive", false);
    bool decrypted = in.boolean_or("WithDecryption", false);
    return listed(call, in, "Parameters", path, 10, [&](const Json& parameter) {
      auto rest = parameter.get_string("Name").substr(path.size());
      if (!recursive && rest.find('/') != std::string::npos) return Json();
      return parameter_json(scope(call), parameter, *pick(parameter, ""), "", decrypted);
    });
  }
  Json describe_parameters(const Call& call) {
    Input in(call.input, kBad);
    return listed(call, in, "Parameters", "", 50, [&](const Json& parameter) {
      if (!passes(in, parameter)) return Json();
      const auto& version = *pick(parameter, "");
      Json item = Json::object({{"Name", parameter.at("Name")},
                                {"Type", parameter.at("Type")},
                                {"LastModifiedDate", version.at("date")},
                                {"LastModifiedUser", version.at("user")},
                                {"Version", version.at("Version")},
                                {"Tier", parameter.at("Tier")},
                                {"Policies", Json::array({})},
                                {"DataType", parameter.get_string("DataType", "text")}});
      for (const auto* key : {"KeyId", "Description", "AllowedPattern"}) {
        if (const auto* value = parameter.find(key)) item[key] = *value;
      }
      return item;
    });
  }
  // ParameterFilters [{Key, Option, Values}] and the older Filters [{Key, Values}].
  static bool passes(const Input& in, const Json& parameter) {
    auto filters = in.items("ParameterFilters");
    for (const auto& old : in.items("Filters")) filters.push_back(old);
    for (const auto& filter : filters) {
      auto key = filter.get_string("Key");
      auto option = filter.get_string("Option", "Equals");
      bool any = false;
      for (const auto& each : filter.get_array("Values")) {
        const auto& value = each.as_string();
        auto field = key == "Type"    ? parameter.get_string("Type")
                     : key == "KeyId" ? parameter.get_string("KeyId")
                     : key == "Tier"  ? parameter.get_string("Tier")
                                      : parameter.get_string("Name");
        if (key == "Path") {
          auto prefix = value.ends_with('/') ? value : value + "/";
          any = any ||
                (field.starts_with(prefix) &&
                 (option == "Recursive" || field.find('/', prefix.size()) == std::string::npos));
        } else if (option == "BeginsWith") {
          any = any || field.starts_with(value);
        } else if (option == "Contains") {
          any = any || field.find(value) != std::string::npos;
        } else {
          any = any || field == value;
        }
      }
      if (!any) return false;
    }
    return true;
  }
  Json get_parameter_history(const Call& call) {
    Input in(call.input, kBad);
    auto name = in.text("Name");
    auto parameter = find(call, name);
    if (!parameter)
      throw Refusal("ParameterNotFound", fmt::format("Parameter {} not found.", name));
    Json list = Json::array({});
    for (const auto& version : parameter->get_array("versions")) {
      list.push_back(Json::object(
          {{"Name", name},
           {"Type", parameter->at("Type")},
           {"LastModifiedDate", version.at("date")},
           {"LastModifiedUser", version.at("user")},
           {"Value", shown_value(*parameter, version, in.boolean_or("WithDecryption", false))},
           {"Version", version.at("Version")},
           {"Labels", version.at("labels")},
           {"Tier", parameter->at("Tier")},
           {"Policies", Json::array({})},
           {"DataType", parameter->get_string("DataType", "text")}}));
    }
    return Json::object({{"Parameters", std::move(list)}});
  }
  Json label_parameter_version(const Call& call) {
    Input in(call.input, kBad);
    auto labels = in.texts("Labels");
    return change(call, in.text("Name"), [&](Json& parameter) {
      auto number = in.integer_or("ParameterVersion",
                                  parameter.get_array("versions").back().get_int("Version"));
      if (pick(parameter, std::to_string(number)) == nullptr)
        throw Refusal("ParameterVersionNotFound",
                      fmt::format("Systems Manager could not find version {} of {}. Verify the "
                                  "version and try again.",
                                  number, parameter.get_string("Name")));
      for (auto& version : parameter["versions"].as_array()) {
        for (const auto& label : labels) {
          std::erase(version["labels"].as_array(), Json(label));
          if (version.get_int("Version") == number) version["labels"].push_back(label);
        }
      }
      return Json::object({{"InvalidLabels", Json::array({})}, {"ParameterVersion", number}});
    });
  }
  Json delete_parameter(const Call& call) {
    auto name = Input(call.input, kBad).text("Name");
    bool had = state_.write(
        [&](Tables& tables) { return tables.erase(kParameterKind, scope(call), name); });
    if (!had) throw Refusal("ParameterNotFound", fmt::format("Parameter {} not found.", name));
    return Json::object({});
  }
  Json delete_parameters(const Call& call) {
    Json deleted = Json::array({});
    Json invalid = Json::array({});
    state_.write([&](Tables& tables) {
      for (const auto& name : Input(call.input, kBad).texts("Names"))
        (tables.erase(kParameterKind, scope(call), name) ? deleted : invalid).push_back(name);
    });
    return Json::object(
        {{"DeletedParameters", std::move(deleted)}, {"InvalidParameters", std::move(invalid)}});
  }
  template <typename Change>
  Json change(const Call& call, const std::string& name, Change&& how) {
    return state_.write([&](Tables& tables) {
      auto parameter = tables.get(kParameterKind, scope(call), name);
      if (!parameter)
        throw Refusal(call.operation.find("Tags") != std::string::npos ? "InvalidResourceId"
                                                                       : "ParameterNotFound",
                      fmt::format("Parameter {} not found.", name));
      Json answer = how(*parameter);
      tables.put(kParameterKind, scope(call), name, *parameter);
      return answer;
    });
  }
  Json add_tags(const Call& call) {
    Input in(call.input, kBad);
    return change(call, in.text("ResourceId"), [&](Json& parameter) {
      for (const auto& tag : in.items("Tags")) {
        std::erase_if(parameter["tags"].as_array(), [&](const Json& each) {
          return each.get_string("Key") == tag.get_string("Key");
        });
        parameter["tags"].push_back(tag);
      }
      return Json::object({});
    });
  }
  Json remove_tags(const Call& call) {
    Input in(call.input, kBad);
    return change(call, in.text("ResourceId"), [&](Json& parameter) {
      for (const auto& key : in.texts("TagKeys"))
        std::erase_if(parameter["tags"].as_array(),
                      [&](const Json& each) { return each.get_string("Key") == key; });
      return Json::object({});
    });
  }
  Json list_tags(const Call& call) {
    return change(call, Input(call.input, kBad).text("ResourceId"), [](Json& parameter) {
      return Json::object({{"TagList", parameter.at("tags")}});
    });
  }

  State& state_;
};

const Operations<Ssm>& Ssm::operations() {
  static const Operations<Ssm> table = {
      {"AddTagsToResource", &Ssm::add_tags},
      {"DeleteParameter", &Ssm::delete_parameter},
      {"DeleteParameters", &Ssm::delete_parameters},
      {"DescribeParameters", &Ssm::describe_parameters},
      {"GetParameter", &Ssm::get_parameter},
      {"GetParameterHistory", &Ssm::get_parameter_history},
      {"GetParameters", &Ssm::get_parameters},
      {"GetParametersByPath", &Ssm::get_parameters_by_path},
      {"LabelParameterVersion", &Ssm::label_parameter_version},
      {"ListTagsForResource", &Ssm::list_tags},
      {"PutParameter", &Ssm::put_parameter},
      {"RemoveTagsFromResource", &Ssm::remove_tags},
  };
  return table;
}

}  // namespace

std::string parameter_arn(const Scope& scope, std::string_view name) {
  if (name.starts_with("arn:")) return std::string(name);
  return arn("ssm", scope.region, scope.account,
             fmt::format("parameter{}{}", name.starts_with('/') ? "" : "/", name));
}

std::optional<std::string> parameter_value(Tables& tables, const Scope& scope,
                                           std::string_view name) {
  auto wanted = selected(name);
  auto parameter = tables.get(kParameterKind, scope, wanted.name);
  const auto* version = parameter ? pick(*parameter, wanted.selector) : nullptr;
  if (version == nullptr) return std::nullopt;
  return version->get_string("Value");
}

std::unique_ptr<Service> make_ssm(State& state) { return std::make_unique<Ssm>(state); }

}  // namespace slipway::cloud::ssm
