// SPDX-License-Identifier: Apache-2.0
#include "cli/tracing.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/trace.hpp"
#include "net/http_client.hpp"
#include "os/process.hpp"

namespace slipway::cli {
namespace {

using formats::Span;
using formats::TraceContext;

constexpr std::size_t kMostSpans = 500;  // of one request
constexpr auto kAnswerTime = std::chrono::seconds(10);

std::string variable(const std::string& name) {
  auto all = os::environment();
  auto it = all.find(name);
  return it == all.end() ? "" : it->second;
}

// Where spans go; empty: nothing is traced.
std::string collector() {
  if (variable("OTEL_SDK_DISABLED") == "true") return "";
  if (auto own = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); !own.empty()) return own;
  std::string base = variable("OTEL_EXPORTER_OTLP_ENDPOINT");
  if (base.empty()) return "";
  return base + (base.ends_with('/') ? "" : "/") + "v1/traces";
}

formats::Attributes resource() {
  auto attributes = formats::read_pairs(variable("OTEL_RESOURCE_ATTRIBUTES"));
  std::string name = variable("OTEL_SERVICE_NAME");
  bool is_named = std::any_of(attributes.begin(), attributes.end(),
                              [](const auto& pair) { return pair.first == "service.name"; });
  if (!name.empty())
    std::erase_if(attributes, [](const auto& pair) { return pair.first == "service.name"; });
  if (!name.empty() || !is_named)
    attributes.emplace_back("service.name", name.empty() ? "slipway" : name);
  return attributes;
}

void send(const std::vector<Span>& spans) {
  std::string url = collector();
  if (url.empty()) return;
  net::HttpClient http;
  try {
    for (std::size_t at = 0; at < spans.size(); at += kMostSpans) {
      std::vector<Span> part(
          spans.begin() + static_cast<std::ptrdiff_t>(at),
          spans.begin() + static_cast<std::ptrdiff_t>(std::min(spans.size(), at + kMostSpans)));
      net::HttpRequest request{
          .method = "POST", .url = url, .body = formats::to_otlp(part, resource()).dump()};
      request.headers.add("content-type", "application/json");
      for (const char* name : {"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"}) {
        for (const auto& [key, value] : formats::read_pairs(variable(name)))
          request.headers.add(key, value);
      }
      // A run that was cancelled is told of, too.
      auto answer = http.request(request, {}, Deadline::in(kAnswerTime));
      if (answer.status >= 300) {
        print_error(fmt::format("slipway: {} took no spans: HTTP {}\n", url, answer.status));
        return;
      }
    }
  } catch (const Error& error) {
    print_error(fmt::format("slipway: spans were not delivered: {}\n", error.what()));
  }
}

// The trace that this process is to belong to, and the span above what it does.
TraceContext above() {
  return collector().empty() ? TraceContext{} : formats::read_traceparent(variable("TRACEPARENT"));
}

}  // namespace

VerbSpan::VerbSpan() {
  auto outer = above();
  if (outer.trace.empty()) return;
  parent_ = outer.span;
  context_ = {outer.trace, hex(random_bytes(8))};
}

void VerbSpan::end(const std::string& name, const std::vector<ledger::Release>& releases) const {
  if (context_.trace.empty() || releases.empty()) return;
  std::vector<Span> spans;
  for (const auto& release : releases) spans.push_back(deploy::span_of(release));
  spans.push_back(deploy::span_around(context_, parent_, name, releases));
  send(spans);
}

RunSpan::RunSpan(workflow::RunFacts& facts, const std::string& title,
                 const workflow::Event& event) {
  auto outer = above();
  if (outer.trace.empty()) return;
  facts.trace = {outer.trace, hex(random_bytes(8))};
  spans_ =
      std::make_unique<workflow::RunSpans>(facts.trace, outer.span,
                                           workflow::RunLabels{.workflow = title,
                                                               .run_id = facts.run_id,
                                                               .sha = event.sha,
                                                               .ref = event.ref,
                                                               .repository = event.repository});
}

void RunSpan::end(const std::vector<ledger::Release>& releases) const {
  if (!spans_) return;
  auto spans = spans_->spans();
  for (const auto& release : releases) spans.push_back(deploy::span_of(release));
  send(spans);
}

std::vector<ledger::Release> releases_of(const ledger::Ledger& ledger,
                                         const std::vector<deploy::ServiceOutcome>& outcomes) {
  std::vector<ledger::Release> releases;
  for (const auto& outcome : outcomes) {
    auto release = ledger.find(outcome.released.id);
    if (!outcome.is_skipped && release) releases.push_back(*release);
  }
  return releases;
}

}  // namespace slipway::cli
