// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "formats/json.hpp"

namespace slipway::deploy {

/// What is put into a task definition; with the meanings (and quirks) of amazon-ecs-render-task-definition 1.9.
struct RenderRequest {
  std::vector<std::string> containers;  ///< names; all get the same
  std::string image;
  std::vector<std::string>
      environment;  ///< "NAME=value": replaces the variable of that name, else is added
  std::vector<std::string> secrets;        ///< "NAME=valueFrom"
  std::vector<std::string> env_files;      ///< S3 ARNs; not empty: replace the container's list
  std::vector<std::string> docker_labels;  ///< "key=value"
  std::string log_driver;                  ///< empty: as it is
  std::vector<std::string> log_options;    ///< "key=value"
  std::string command;                     ///< split at each space; empty: as it is
  std::string task_role_arn;
  std::string execution_role_arn;
};

/// The task definition with the request applied and what DescribeTaskDefinition adds dropped.
///   throws  Error{bad_input} naming the container, variable, driver or role that is wrong
formats::Json render(formats::Json task_definition, const RenderRequest& request);

}  // namespace slipway::deploy
