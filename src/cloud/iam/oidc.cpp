// SPDX-License-Identifier: Apache-2.0
#include "cloud/iam/oidc.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cloud/iam/entities.hpp"

namespace slipway::cloud::iam {
namespace {

constexpr std::string_view kMalformed = "ValidationError";
constexpr std::string_view kKind = "iam.oidc";

Json need_provider(Tables& tables, const Call& call, const std::string& provider_arn) {
  auto provider = tables.get(kKind, {call.account, ""}, provider_arn);
  if (!provider)
    throw Refusal("NoSuchEntity",
                  fmt::format("OpenIDConnect Provider not found for arn {}", provider_arn), 404);
  return *provider;
}

template <typename Change>
Json change_provider(State& state, const Call& call, Change&& change) {
  Input in(call.input, kMalformed);
  auto provider_arn = in.text("OpenIDConnectProviderArn");
  return state.write([&](Tables& tables) {
    auto provider = need_provider(tables, call, provider_arn);
    change(in, provider);
    tables.put(kKind, {call.account, ""}, provider_arn, provider);
    return Json();
  });
}

Json text_list(const std::vector<std::string>& texts) {
  Json list = Json::array({});
  for (const auto& text : texts) list.push_back(text);
  return list;
}

void check_thumbprints(const Input& in, const std::vector<std::string>& thumbprints) {
  for (const auto& each : thumbprints) {
    if (each.size() != 40) in.refuse("Invalid thumbprint: it must be 40 hexadecimal characters");
  }
}

}  // namespace

Json create_oidc_provider(State& state, const Call& call) {
  Input in(call.input, kMalformed);
  auto url = in.text("Url");
  auto scheme = url.find("://");
  if (scheme != std::string::npos && !url.starts_with("https://"))
    in.refuse("Invalid Open ID Connect Provider URL");
  if (scheme == std::string::npos) url = "https://" + url;
  auto name = url.substr(8);
  if (name.empty() || name.size() > 247) in.refuse("Invalid Open ID Connect Provider URL");
  while (name.ends_with('/')) name.pop_back();
  auto thumbprints = in.texts("ThumbprintList");
  check_thumbprints(in, thumbprints);
  if (in.texts("ClientIDList").size() > 100)
    throw Refusal("LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100",
                  409);
  auto provider_arn = arn("iam", "", call.account, "oidc-provider/" + name);
  Json provider = Json::object({{"Url", name},
                                {"ClientIDList", text_list(in.texts("ClientIDList"))},
                                {"ThumbprintList", text_list(thumbprints)},
                                {"CreateDate", formats::iso8601_millis(call.now)},
                                {"tags", Json::array({})}});
  put_tags(provider, in);
  state.write([&](Tables& tables) {
    if (tables.get(kKind, {call.account, ""}, provider_arn)) {
      throw Refusal("EntityAlreadyExists",
                    fmt::format("Provider with url https://{} already exists.", name), 409);
    }
    tables.put(kKind, {call.account, ""}, provider_arn, provider);
  });
  return Json::object({{"OpenIDConnectProviderArn", provider_arn}, {"Tags", provider.at("tags")}});
}

Json get_oidc_provider(State& state, const Call& call) {
  auto provider_arn = Input(call.input, kMalformed).text("OpenIDConnectProviderArn");
  auto provider =
      state.read([&](Tables& tables) { return need_provider(tables, call, provider_arn); });
  return Json::object({{"Url", provider.at("Url")},
                       {"ClientIDList", provider.at("ClientIDList")},
                       {"ThumbprintList", provider.at("ThumbprintList")},
                       {"CreateDate", provider.at("CreateDate")},
                       {"Tags", provider.at("tags")}});
}

Json list_oidc_providers(State& state, const Call& call) {
  Json list = Json::array({});
  for (const auto& stored : state.read([&](Tables& tables) {
         return tables.list(kKind, {call.account, ""});
       })) {
    list.push_back(Json::object({{"Arn", stored.id}}));
  }
  return Json::object({{"OpenIDConnectProviderList", std::move(list)}});
}

Json delete_oidc_provider(State& state, const Call& call) {
  auto provider_arn = Input(call.input, kMalformed).text("OpenIDConnectProviderArn");
  state.write([&](Tables& tables) {
    need_provider(tables, call, provider_arn);
    tables.erase(kKind, {call.account, ""}, provider_arn);
  });
  return {};
}

Json add_oidc_client_id(State& state, const Call& call) {
  return change_provider(state, call, [](const Input& in, Json& provider) {
    auto& ids = provider["ClientIDList"].as_array();
    Json id = in.text("ClientID");
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  });
}

Json remove_oidc_client_id(State& state, const Call& call) {
  return change_provider(state, call, [](const Input& in, Json& provider) {
    std::erase(provider["ClientIDList"].as_array(), Json(in.text("ClientID")));
  });
}

Json update_oidc_thumbprint(State& state, const Call& call) {
  return change_provider(state, call, [](const Input& in, Json& provider) {
    check_thumbprints(in, in.texts("ThumbprintList"));
    provider["ThumbprintList"] = text_list(in.texts("ThumbprintList"));
  });
}

Json tag_oidc_provider(State& state, const Call& call) {
  return change_provider(state, call,
                         [](const Input& in, Json& provider) { put_tags(provider, in); });
}

Json untag_oidc_provider(State& state, const Call& call) {
  return change_provider(state, call,
                         [](const Input& in, Json& provider) { remove_tags(provider, in); });
}

Json list_oidc_provider_tags(State& state, const Call& call) {
  auto provider_arn = Input(call.input, kMalformed).text("OpenIDConnectProviderArn");
  auto provider =
      state.read([&](Tables& tables) { return need_provider(tables, call, provider_arn); });
  return page_of(Input(call.input, kMalformed), "Tags", provider.get_array("tags"));
}

}  // namespace slipway::cloud::iam
