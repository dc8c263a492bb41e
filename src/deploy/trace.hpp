// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "formats/otlp.hpp"
#include "ledger/ledger.hpp"

namespace slipway::deploy {

/// A release as a span below the one that its ledger entry names.
///   source  OpenTelemetry semantic conventions, "Deployment" and "VCS"
formats::Span span_of(const ledger::Release& release);
/// The verb that made releases, as the span around theirs.
///   context   its trace and its own id, as the releases name it
///   parent    the span above it; empty: none
///   name      "deploy staging"
///   releases  not empty, ended
formats::Span span_around(const formats::TraceContext& context, const std::string& parent,
                          const std::string& name, const std::vector<ledger::Release>& releases);

}  // namespace slipway::deploy
