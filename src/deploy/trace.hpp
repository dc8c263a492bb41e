// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "formats/json.hpp"
#include "formats/time.hpp"
#include "ledger/ledger.hpp"

namespace slipway::deploy {

/// Releases as OpenTelemetry spans: one for the whole, one for each service below it.
///   releases      of one deployment, ended
///   name          "deploy staging"
///   trace_parent  $TRACEPARENT (W3C): the trace that they belong to; empty or broken: a new one
///   returns       an ExportTraceServiceRequest in OTLP's JSON
///   source        OpenTelemetry protocol 1.x, "JSON Protobuf Encoding"; semantic conventions for CI/CD and deployments
formats::Json to_spans(const std::vector<ledger::Release>& releases, const std::string& name,
                       const std::string& trace_parent);

}  // namespace slipway::deploy
