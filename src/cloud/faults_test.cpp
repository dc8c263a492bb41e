// SPDX-License-Identifier: Apache-2.0
#include "cloud/faults.hpp"

#include <doctest/doctest.h>

#include "os/file.hpp"

namespace slipway::cloud {

TEST_CASE("a fault is met as often as it was asked for, and a changed file is read again") {
  os::TempDir directory;
  auto file = directory.path() / "faults.json";
  Faults faults(file);
  CHECK_FALSE(faults.next("ecs", "RunTask"));
  write_faults(file, {{"ecs:RunTask", "ThrottlingException", 2, std::chrono::milliseconds(0)},
                      {"sts:*", "", 0, std::chrono::milliseconds(5)}});
  CHECK(faults.next("ecs", "RunTask")->code == "ThrottlingException");
  CHECK_FALSE(faults.next("ecs", "StopTask"));
  CHECK(faults.next("ecs", "RunTask"));
  CHECK_FALSE(faults.next("ecs", "RunTask"));
  CHECK(faults.next("sts", "GetCallerIdentity")->delay == std::chrono::milliseconds(5));
  std::filesystem::remove(file);
  CHECK_FALSE(faults.next("sts", "GetCallerIdentity"));
}

TEST_CASE("the status of a fault follows from its code") {
  CHECK(fault_status("ThrottlingException") == 400);
  CHECK(fault_status("ServerException") == 500);
  CHECK(fault_status("ServiceUnavailable") == 503);
}

}  // namespace slipway::cloud
