// SPDX-License-Identifier: Apache-2.0
#include "cloud/iam/policy.hpp"
#include "cloud/service.hpp"

// Policy documents: refused, or they can be asked.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::cloud;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (auto kind : {iam::PolicyKind::identity, iam::PolicyKind::trust, iam::PolicyKind::resource}) {
    try {
      auto policy = iam::parse_policy(text, kind);
      iam::Request request{.action = "sts:AssumeRoleWithWebIdentity",
                           .resource = "arn:aws:iam::1:role/r",
                           .context = {{"aws:SourceIp", {"10.0.0.1"}},
                                       {"i:sub", {"repo:a/b:ref:refs/heads/main"}},
                                       {"aws:CurrentTime", {"2026-01-01T00:00:00Z"}}},
                           .principal_kind = "Federated",
                           .principal_names = {"arn:p"}};
      (void)iam::evaluate(policy, request);
      (void)iam::explain(policy, request);
    } catch (const Refusal&) {
      // malformed
    }
  }
  return 0;
}
