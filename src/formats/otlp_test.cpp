// SPDX-License-Identifier: Apache-2.0
#include "formats/otlp.hpp"

#include <doctest/doctest.h>

using namespace slipway::formats;

namespace {

const char* const kTrace = "0af7651916cd43dd8448eb211c80319c";
const char* const kSpan = "b7ad6b7169203331";

}  // namespace

TEST_CASE("a traceparent is read as W3C has it; what is broken gives a new trace") {
  std::string good = fmt::format("00-{}-{}-01", kTrace, kSpan);
  CHECK(read_traceparent(good) == TraceContext{kTrace, kSpan});
  CHECK(print_traceparent({kTrace, kSpan}) == good);
  CHECK(read_traceparent(fmt::format("01-{}-{}-00-later", kTrace, kSpan)).trace == kTrace);
  CHECK(print_traceparent({}).empty());
  for (const auto& broken :
       {std::string(), std::string("nonsense"), fmt::format("ff-{}-{}-01", kTrace, kSpan),
        fmt::format("00-{}-{}-01", std::string(32, '0'), kSpan),
        fmt::format("00-{}-{}-01", kTrace, "xyz"), fmt::format("00-{}-{}", kTrace, kSpan)}) {
    auto fresh = read_traceparent(broken);
    CHECK(fresh.trace.size() == 32);
    CHECK(fresh.trace != kTrace);
    CHECK(fresh.span.empty());
  }
  CHECK(span_id(kTrace, {"job", "test"}) == span_id(kTrace, {"job", "test"}));
  CHECK(span_id(kTrace, {"job", "test"}) != span_id(kTrace, {"job", "deploy"}));
  CHECK(span_id(kTrace, {"job"}).size() == 16);
}

TEST_CASE("spans are what a collector takes") {
  Span span{.context = {kTrace, kSpan},
            .parent = "00f067aa0ba902b7",
            .name = "build",
            .start = Time(std::chrono::milliseconds(1000)),
            .end = Time(std::chrono::milliseconds(900)),
            .attributes = {{"a", "1"}, {"b", ""}},
            .ok = false,
            .message = "no"};
  CHECK(to_otlp({span}, {{"service.name", "slipway"}}) == parse_json(R"({"resourceSpans":[
    {"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"slipway"}}]},
     "scopeSpans":[{"scope":{"name":"slipway"},"spans":[
      {"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","parentSpanId":"00f067aa0ba902b7","name":"build","kind":1,
       "startTimeUnixNano":"1000000000","endTimeUnixNano":"1000000000","attributes":[{"key":"a","value":{"stringValue":"1"}}],
       "status":{"code":2,"message":"no"}}]}]}]})"));
}

TEST_CASE("pairs in OTEL variables are percent-decoded") {
  CHECK(read_pairs("a=1, b = c%20d ,nothing,=x,e=") ==
        Attributes{{"a", "1"}, {"b", "c d"}, {"e", ""}});
  CHECK(read_pairs("a=%zz%2") == Attributes{{"a", "%zz%2"}});
  CHECK(read_pairs("").empty());
}
