// SPDX-License-Identifier: Apache-2.0
#include "actions/aws_access.hpp"
#include "actions/builtin.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "formats/time.hpp"
#include "formats/yaml.hpp"
#include "net/http_client.hpp"
#include "net/url.hpp"
#include "os/file.hpp"

// slackapi/slack-github-action: a message to an incoming webhook or by an API method.
namespace slipway::actions {
namespace {

using formats::Json;
using workflow::ActionContext;

Json read_payload(const std::string& text, const std::string& where) {
  if (trim(text).empty()) return Json::object();
  if (trim(text).starts_with('{')) return formats::parse_json(text, where);
  auto document = formats::parse_yaml(text, where);
  if (!document.ok()) throw_diagnostics(document.diagnostics);
  auto payload = formats::yaml_to_json(document.root, where);
  if (!payload.is_object())
    fail(Fault::bad_input, "Failed to parse the provided payload: it is {}", payload.kind_name());
  return payload;
}

class Slack final : public workflow::Action {
 public:
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    std::vector<workflow::ActionInput> all = {{"errors", "false"},
                                              {"payload-delimiter", std::nullopt},
                                              {"payload-templated", "false"},
                                              {"retries", "5"}};
    for (const char* name : {"api", "method", "payload", "payload-file-path", "proxy", "token",
                             "webhook", "webhook-type"})
      all.push_back({name, std::nullopt});
    return all;
  }

  void run(ActionContext& context) override {
    if (!context.text("proxy").empty())
      fail(Fault::unsupported, "the input proxy is not supported yet");
    std::string webhook = context.text("webhook").empty() ? context.env_or("SLACK_WEBHOOK_URL")
                                                          : context.text("webhook");
    std::string token =
        context.text("token").empty() ? context.env_or("SLACK_TOKEN") : context.text("token");
    std::string method = context.text("method");
    if (webhook.empty() && method.empty())
      fail(Fault::bad_input,
           "Missing input! Either a method or webhook is required to take action.");
    if (!method.empty() && token.empty())
      fail(Fault::bad_input, "Missing input! A token must be provided to use the method decided.");
    Json payload = payload_of(context);
    if (!webhook.empty()) context.mask(webhook);
    if (!token.empty()) context.mask(token);
    context.set_output(
        "time", std::to_string(static_cast<long long>(formats::epoch_seconds(formats::now()))));
    method.empty() ? to_webhook(context, webhook, payload)
                   : by_method(context, method, token, payload);
  }

 private:
  static Json payload_of(ActionContext& context) {
    auto text = context.text("payload");
    auto file = context.text("payload-file-path");
    if (!text.empty() && !file.empty())
      fail(
          Fault::bad_input,
          "Invalid input! Found both inline payload and payload file path. Only one is supported.");
    return file.empty() ? read_payload(text, "payload")
                        : read_payload(os::read_file(job_file(context, file)), file);
  }

  static net::HttpResponse send(ActionContext& context, net::HttpRequest request) {
    net::HttpClientOptions options{.ca_file = context.ca_bundle().string()};
    auto url = net::parse_url(request.url);
    if (!url) fail(Fault::bad_input, "the webhook is no URL");
    if (auto route = context.route(url->host)) {
      options.connect_to.emplace_back(
          fmt::format("{}:{}", url->host, url->port),
          route->find(':') == std::string::npos ? fmt::format("{}:{}", *route, url->port) : *route);
    }
    net::HttpClient client(options);
    return client.request(request, context.stop(), Deadline::in(std::chrono::seconds(30)));
  }

  static void finish(ActionContext& context, bool ok, const std::string& response,
                     const std::string& problem) {
    context.set_output("ok", ok ? "true" : "false");
    context.set_output("response", response);
    if (ok) return context.log("Slack took the message");
    if (context.flag("errors", false)) fail(Fault::failed, "{}", problem);
    context.warning(problem);
  }

  static void to_webhook(ActionContext& context, const std::string& webhook, const Json& payload) {
    std::string type = context.text("webhook-type");
    if (type != "incoming-webhook" && type != "webhook-trigger") {
      fail(Fault::bad_input,
           "Missing input! The webhook type must be 'incoming-webhook' or 'webhook-trigger'.");
    }
    auto response = send(context, {.method = "POST",
                                   .url = webhook,
                                   .headers = {{"Content-Type", "application/json"}},
                                   .body = payload.dump()});
    finish(context, response.ok(), formats::json_quote(response.body),
           fmt::format("Slack answered {}: {}", response.status, response.body.substr(0, 200)));
  }

  static void by_method(ActionContext& context, const std::string& method, const std::string& token,
                        const Json& payload) {
    std::string api = context.text("api").empty() ? "https://slack.com/api/" : context.text("api");
    if (!api.ends_with('/')) api += '/';
    auto response = send(context, {.method = "POST",
                                   .url = api + method,
                                   .headers = {{"Content-Type", "application/json; charset=utf-8"},
                                               {"Authorization", "Bearer " + token}},
                                   .body = payload.dump()});
    Json answer =
        response.ok() ? formats::parse_json(response.body, "Slack's answer") : Json::object();
    bool ok = answer.get_bool("ok");
    for (auto [output, member] : {std::pair{"channel_id", "channel"}, std::pair{"ts", "ts"}}) {
      if (const Json* value = answer.find(member); value && value->is_string())
        context.set_output(output, value->as_string());
    }
    finish(context, ok, response.body,
           fmt::format("An API error occurred: {}",
                       answer.get_string("error", std::to_string(response.status))));
  }
};

}  // namespace

std::unique_ptr<workflow::Action> make_slack() { return std::make_unique<Slack>(); }

}  // namespace slipway::actions
