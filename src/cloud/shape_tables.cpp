// SPDX-License-Identifier: Apache-2.0
#include "cloud/shape_tables.hpp"

// TABLE(name) puts shapes/name.json into the program; SLIPWAY_SHAPES is their folder.
#define TABLES(TABLE)         \
  TABLE(codedeploy)           \
  TABLE(ecr)                  \
  TABLE(ecs)                  \
  TABLE(elasticloadbalancing) \
  TABLE(iam)                  \
  TABLE(logs) TABLE(monitoring) TABLE(secretsmanager) TABLE(servicediscovery) TABLE(ssm) TABLE(sts)
#define TABLE(name)                                                               \
  asm(".section .rodata\n.global slipway_shapes_" #name "\nslipway_shapes_" #name \
      ":\n.incbin \"" SLIPWAY_SHAPES "/" #name ".json\"\n.byte 0\n.previous\n");  \
  extern "C" const char slipway_shapes_##name[];
TABLES(TABLE)
#undef TABLE

namespace slipway::cloud {

std::string_view shape_table([[maybe_unused]] std::string_view signing_name) {
#define TABLE(known) \
  if (signing_name == #known) return std::string_view(slipway_shapes_##known);
  TABLES(TABLE)
#undef TABLE
  return {};
}

}  // namespace slipway::cloud
