// SPDX-License-Identifier: Apache-2.0
#include "deploy/trace.hpp"

#include <doctest/doctest.h>

using namespace slipway;
using namespace slipway::deploy;

TEST_CASE(
    "releases are spans below one of their deployment, in the trace that they were started in") {
  ledger::Release api{.environment = "staging", .service = "api", .sha = "c0ffee"};
  api.started = formats::Time(std::chrono::milliseconds(1000));
  api.ended = formats::Time(std::chrono::milliseconds(4000));
  api.verdict = ledger::Verdict::succeeded;
  ledger::Release web = api;
  web.service = "web";
  web.started = formats::Time(std::chrono::milliseconds(4000));
  web.ended = formats::Time(std::chrono::milliseconds(9000));
  web.verdict = ledger::Verdict::failed;
  web.reason = "container 'web' exited with code 1";
  auto request = to_spans({api, web}, "deploy staging",
                          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const auto& spans =
      request.get_array("resourceSpans").front().get_array("scopeSpans").front().get_array("spans");
  REQUIRE(spans.size() == 3);
  const auto& whole = spans.back();
  CHECK(whole.get_string("name") == "deploy staging");
  CHECK(whole.get_string("parentSpanId") == "b7ad6b7169203331");
  CHECK(whole.get_string("startTimeUnixNano") == "1000000000");
  CHECK(whole.get_string("endTimeUnixNano") == "9000000000");
  CHECK(whole.at("status").get_int("code") == 2);
  CHECK(spans[1].get_string("parentSpanId") == whole.get_string("spanId"));
  CHECK(spans[1].at("status").get_string("message") == web.reason);
  for (const auto& span : spans)
    CHECK(span.get_string("traceId") == "0af7651916cd43dd8448eb211c80319c");
  CHECK(to_spans({api}, "x", "nonsense")
            .get_array("resourceSpans")
            .front()
            .get_array("scopeSpans")
            .front()
            .get_array("spans")
            .size() == 2);
  CHECK(to_spans({}, "x", "").get_array("resourceSpans").empty());
}
