// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "formats/json.hpp"

namespace slipway::cloud::ecs {

/// Checks the body of RegisterTaskDefinition by ECS's rules (those of Fargate where it is asked for) and returns it as it is
/// kept: defaults filled in, numbers normalised, unknown members left out; without arn, revision and status.
///   throws  Refusal ClientException (or InvalidParameterException, SerializationException) with AWS's message
///   source  ECS API reference, RegisterTaskDefinition and ContainerDefinition; shared facts ecs-deploy.md 5.1, 5.7
formats::Json normalised_task_definition(const formats::Json& input);

/// Task-level cpu in units of 1/1024 vCPU from "256", ".25 vCPU"; -1 when it is neither.
int cpu_units(const std::string& text);
/// Task-level memory in MiB from "512", "1 GB"; -1 when it is neither.
int memory_mib(const std::string& text);

}  // namespace slipway::cloud::ecs
