// SPDX-License-Identifier: Apache-2.0
#include "oci/htpasswd.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace slipway;
using namespace slipway::oci;

TEST_CASE("a password file admits bcrypt's and SHA-256's users by their passwords only") {
  HtpasswdPolicy policy(
      "# users\n"
      "ann:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"
      "bob:{SHA256}5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8\n",
      "users");
  CHECK(policy.admits("bob", "password"));
  CHECK(policy.admits("bob", "password"));  // by its mark
  CHECK_FALSE(policy.admits("bob", "Password"));
  CHECK(policy.admits("ann", "secret"));
  CHECK_FALSE(policy.admits("ann", "password"));
  CHECK_FALSE(policy.admits("carl", "password"));
  CHECK_FALSE(policy.admits("", ""));
}

TEST_CASE("a line that is no user and hash is refused with its number") {
  for (const char* bad : {"ann", "ann:", ":x", "ann:plain",
                          "ann:$apr1$abcdefgh$xxxxxxxxxxxxxxxxxxxxxx", "ann:{SHA256}12"}) {
    CHECK_THROWS_WITH_AS(HtpasswdPolicy(std::string("\n") + bad + "\n", "users"),
                         doctest::Contains("users:2"), Error);
  }
}
