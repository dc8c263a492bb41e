// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "cloud/service.hpp"

namespace slipway::cloud {

/// How AWS's protocols write calls and answers. Without the API models: what a query request means is decided by its form
/// (`A.member.2.B` is a list of structures, `A.entry.1.key` a map), and every scalar in it stays a string.

/// The members of a query or ec2 request's form, without Action and Version.
///   body    application/x-www-form-urlencoded
///   throws  Refusal MalformedQueryString
///   source  AWS Query protocol (Smithy 2.0, "AWS query protocol"); ec2: `A.1` instead of `A.member.1`
Json decode_query(std::string_view body);
/// One field of the form (decoded), such as "Action"; nothing when it is not there.
std::optional<std::string> query_field(std::string_view body, std::string_view name);

/// The body of an answer. In query answers lists are <member> elements (ec2: <item>); a list whose items have a name of their own is
/// written {"DBInstances": {"*DBInstance": […]}}.
std::string encode_answer(const ServiceDescription& service, const Call& call, const Json& output);
/// The same for a service that speaks several protocols.
std::string encode_answer(Protocol protocol, const std::string& xml_namespace, const Call& call,
                          const Json& output);
/// The body of an error.
std::string encode_error(Protocol protocol, const std::string& xml_namespace,
                         const Refusal& refusal, const std::string& request_id);
/// The Content-Type of answers and errors.
std::string_view content_type(Protocol protocol);

/// Percent-decoding; with `plus_is_space` also "+". Nothing when a "%" is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);
/// Percent-encoding of everything but A-Z a-z 0-9 - _ . ~ (and "/" when asked to keep it), hexadecimal in capitals.
std::string percent_encode(std::string_view text, bool keep_slash = false);

}  // namespace slipway::cloud
