// SPDX-License-Identifier: Apache-2.0
#include "deploy/trace.hpp"

#include <doctest/doctest.h>

using namespace slipway;
using namespace slipway::deploy;

TEST_CASE("releases are spans below what made them, in the trace that they were started in") {
  formats::TraceContext verb{"0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"};
  ledger::Release api{.id = 1, .environment = "staging", .service = "api", .sha = "c0ffee"};
  api.trace_parent = formats::print_traceparent(verb);
  api.started = formats::Time(std::chrono::milliseconds(1000));
  api.ended = formats::Time(std::chrono::milliseconds(4000));
  api.verdict = ledger::Verdict::succeeded;
  ledger::Release web = api;
  web.id = 2;
  web.service = "web";
  web.started = formats::Time(std::chrono::milliseconds(4000));
  web.ended = formats::Time(std::chrono::milliseconds(9000));
  web.verdict = ledger::Verdict::failed;
  web.reason = "container 'web' exited with code 1";
  auto whole = span_around(verb, "00f067aa0ba902b7", "deploy staging", {api, web});
  CHECK(whole.context == verb);
  CHECK(whole.parent == "00f067aa0ba902b7");
  CHECK(whole.start == api.started);
  CHECK(whole.end == web.ended);
  CHECK_FALSE(whole.ok);
  for (const auto* release : {&api, &web}) {
    auto span = span_of(*release);
    CHECK(span.parent == verb.span);
    CHECK(span.context.trace == verb.trace);
    CHECK(span.message == release->reason);
    CHECK(span.ok == release->reason.empty());
  }
  CHECK(span_of(api).context.span != span_of(web).context.span);
}
