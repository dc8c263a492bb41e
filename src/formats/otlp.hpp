// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/json.hpp"
#include "formats/time.hpp"

// Spans of OpenTelemetry as they go to a collector.
namespace slipway::formats {

/// Where a span belongs: a trace, and the span above it.
struct TraceContext {
  std::string trace;  ///< 32 hexadecimal digits; empty: nothing is traced
  std::string span;   ///< 16; empty: none is above
  bool operator==(const TraceContext&) const = default;
};
/// Reads "00-TRACE-SPAN-FLAGS". Anything else gives a new trace with nothing above.
///   source  W3C Trace Context, 3.2 "Traceparent Header"
TraceContext read_traceparent(std::string_view text);
/// "00-TRACE-SPAN-01"; empty when nothing is traced.
std::string print_traceparent(const TraceContext& context);
/// A span's id made of what it stands for: the same names give the same id within a trace.
std::string span_id(std::string_view trace, std::initializer_list<std::string_view> names);

struct Span {
  TraceContext context;  ///< its trace and its own id
  std::string parent;    ///< empty: it is a root
  std::string name;
  Time start{};
  Time end{};
  std::vector<std::pair<std::string, std::string>>
      attributes;  ///< those without a value are left out
  bool ok = true;
  std::string message;  ///< why not
};

using Attributes = std::vector<std::pair<std::string, std::string>>;

/// "a=1,b=c%20d" as OTEL_RESOURCE_ATTRIBUTES and OTEL_EXPORTER_OTLP_HEADERS have it; what is no pair is left out.
///   source  OpenTelemetry specification, "Resource SDK" (W3C Baggage's form)
Attributes read_pairs(std::string_view text);

/// An ExportTraceServiceRequest in OTLP's JSON.
///   resource  what made the spans: "service.name" and its like
///   source    OpenTelemetry protocol 1.x, "JSON Protobuf Encoding"
Json to_otlp(const std::vector<Span>& spans, const Attributes& resource);

}  // namespace slipway::formats
