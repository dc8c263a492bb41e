// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "deploy/calls.hpp"
#include "formats/json.hpp"

namespace slipway::deploy {

/// Reads a task definition file, JSON or YAML. throws Error{bad_input} with file:line:column, or naming what is missing
formats::Json read_task_definition(std::string_view text, const std::string& file);

/// What RegisterTaskDefinition is given.
struct Prepared {
  formats::Json input;
  std::vector<std::string>
      ignored;  ///< attributes that only DescribeTaskDefinition answers with, dropped: "revision", …
};
/// Removes nulls, empty texts, lists and objects at any depth, then drops what cannot be registered. Environment entries keep
/// an empty value.
///   keep_null_values  keys whose empty values stay
///   source            aws-actions/amazon-ecs-deploy-task-definition 2.6: removeIgnoredAttributes, cleanNullKeys
Prepared prepare(const formats::Json& task_definition,
                 const std::set<std::string>& keep_null_values = {});

/// The task definition ("family", "family:7" or an ARN) as DescribeTaskDefinition tells it, its tags as member "tags"; nothing
/// when there is none.
std::optional<formats::Json> describe_task_definition(Calls& calls, const std::string& name,
                                                      const std::stop_token& stop);
/// Registers; returns the answer's taskDefinition. throws Error with what was refused
formats::Json register_task_definition(Calls& calls, const formats::Json& input,
                                       const std::stop_token& stop);

/// "arn:aws:ecs:…:task-definition/web:7" -> "web:7"; other texts as they are.
std::string brief_task_definition(std::string_view arn);
/// The last part of an ARN's path: of a cluster, service or task ARN its name.
std::string last_part(std::string_view arn);

}  // namespace slipway::deploy
