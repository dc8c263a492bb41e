// SPDX-License-Identifier: Apache-2.0
#include "formats/otlp.hpp"

#include "base/percent.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"

namespace slipway::formats {
namespace {

constexpr std::size_t kTraceDigits = 32;
constexpr std::size_t kSpanDigits = 16;

bool is_id(std::string_view text, std::size_t digits) {
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
         text.find_first_not_of('0') != std::string_view::npos;
}

Json attributes_of(const Attributes& pairs) {
  Json list = Json::array();
  for (const auto& [key, value] : pairs) {
    if (!value.empty())
      list.push_back(
          Json::object({{"key", key}, {"value", Json::object({{"stringValue", value}})}}));
  }
  return list;
}

std::string nanoseconds(Time time) {
  return std::to_string(time.time_since_epoch().count()) + "000000";
}

Json to_json(const Span& span) {
  constexpr int kOk = 1;
  constexpr int kError = 2;
  constexpr int kInternal = 1;
  Json status = Json::object({{"code", span.ok ? kOk : kError}});
  if (!span.message.empty()) status["message"] = span.message;
  Json out = Json::object({{"traceId", span.context.trace}, {"spanId", span.context.span}});
  if (!span.parent.empty()) out["parentSpanId"] = span.parent;
  out["name"] = span.name;
  out["kind"] = kInternal;
  out["startTimeUnixNano"] = nanoseconds(span.start);
  out["endTimeUnixNano"] = nanoseconds(std::max(span.start, span.end));
  out["attributes"] = attributes_of(span.attributes);
  out["status"] = std::move(status);
  return out;
}

}  // namespace

TraceContext read_traceparent(std::string_view text) {
  auto parts = split(text, '-');
  bool is_good = parts.size() >= 4 && is_id(parts[1], kTraceDigits) &&
                 is_id(parts[2], kSpanDigits) && parts[0].size() == 2 && parts[0] != "ff";
  if (is_good) return {parts[1], parts[2]};
  return {hex(random_bytes(kTraceDigits / 2)), ""};
}

std::string print_traceparent(const TraceContext& context) {
  return context.trace.empty() ? "" : fmt::format("00-{}-{}-01", context.trace, context.span);
}

std::string span_id(std::string_view trace, std::initializer_list<std::string_view> names) {
  std::string text(trace);
  for (auto name : names) {
    text += '\n';
    text += name;
  }
  return sha256_hex(text).substr(0, kSpanDigits);
}

Attributes read_pairs(std::string_view text) {
  Attributes pairs;
  for (const auto& part : split(text, ',')) {
    auto at = part.find('=');
    if (at == std::string::npos) continue;
    auto key = trim(std::string_view(part).substr(0, at));
    auto value = trim(std::string_view(part).substr(at + 1));
    if (!key.empty()) pairs.emplace_back(percent_decoded(key), percent_decoded(value));
  }
  return pairs;
}

Json to_otlp(const std::vector<Span>& spans, const Attributes& resource) {
  Json list = Json::array();
  for (const auto& span : spans) list.push_back(to_json(span));
  Json scope = Json::object({{"scope", Json::object({{"name", "slipway"}})}, {"spans", list}});
  Json made_by = Json::object({{"attributes", attributes_of(resource)}});
  return Json::object(
      {{"resourceSpans", Json::array({Json::object(
                             {{"resource", made_by}, {"scopeSpans", Json::array({scope})}})})}});
}

}  // namespace slipway::formats
