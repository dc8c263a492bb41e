// SPDX-License-Identifier: Apache-2.0
#include "oci/reference.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

namespace slipway::oci {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST_CASE("a short name means Docker Hub's library, tag latest") {
  Reference image = Reference::parse("alpine");
  CHECK(image.host == "docker.io");
  CHECK(image.repository == "library/alpine");
  CHECK(image.tag == "latest");
  CHECK(image.str() == "docker.io/library/alpine:latest");
  CHECK(image.familiar() == "alpine:latest");
}

TEST_CASE("the part before the first slash is a host when it has a dot, a port or is localhost") {
  CHECK(Reference::parse("myapp/web:1").str() == "docker.io/myapp/web:1");
  CHECK(Reference::parse("localhost/web").str() == "localhost/web:latest");
  CHECK(Reference::parse("127.0.0.1:5000/a/b:c").str() == "127.0.0.1:5000/a/b:c");
  CHECK(Reference::parse("ghcr.io/a/b").str() == "ghcr.io/a/b:latest");
  CHECK(Reference::parse("[::1]:5000/a").str() == "[::1]:5000/a:latest");
  CHECK(Reference::parse("123456789012.dkr.ecr.us-east-1.amazonaws.com/myapp/frontend:4f2a")
            .repository == "myapp/frontend");
  CHECK(Reference::parse("index.docker.io/library/alpine:3").str() == "docker.io/library/alpine:3");
  CHECK(Reference::parse("Host/a").host == "Host");
}

TEST_CASE("a digest stands alone or beside a tag, and wins") {
  CHECK(Reference::parse("a@" + kDigest).tag == "");
  CHECK(Reference::parse("a@" + kDigest).str() == "docker.io/library/a@" + kDigest);
  Reference both = Reference::parse("x.y/a:1@" + kDigest);
  CHECK(both.tag == "1");
  CHECK(both.tag_or_digest() == kDigest);
  CHECK(both.str() == "x.y/a:1@" + kDigest);
}

TEST_CASE("what is printed reads back as the same image") {
  for (const char* text : {"alpine", "a/b", "library/a/b", "docker.io/library/library",
                           "localhost:1/x:2", "a.b/c__d/e---f:G.h"}) {
    Reference image = Reference::parse(text);
    CHECK(Reference::parse(image.str()) == image);
    CHECK(Reference::parse(image.familiar()) == image);
  }
}

TEST_CASE("what is no image name is refused") {
  const std::vector<std::string> bad = {"",          "/",      "a/",       "/a",
                                        "a//b",      "A",      "a/B",      "a:",
                                        "a:-x",      "a:b:c",  "a@",       "a@sha256:1",
                                        "a b",       "a_-b",   "a.-b",     "-a",
                                        "a-",        "x.y/",   "x.y",      "a:/b",
                                        "h:99999/a", "h:p/a",  "..",       "a/../b",
                                        "a/./b",     "a\n",    "\xc3\xa9", "a?b",
                                        "a#b",       "x..y/a", "[::1/a",   "a@" + kDigest + "0",
                                        "h:1:2/a",   "a/b___c"};
  for (const std::string& text : bad) {
    INFO(text);
    if (text == "x.y") {
      CHECK(Reference::parse(text).repository == "library/x.y");  // without a slash it is no host
      continue;
    }
    CHECK_THROWS_AS(Reference::parse(text), Error);
  }
  CHECK_THROWS_AS(Reference::parse(std::string(256, 'a')), Error);
  CHECK_THROWS_AS(Reference::parse("a:" + std::string(129, 't')), Error);
}

TEST_CASE("digests are sha256 and sha512 in lower case") {
  CHECK(Digest::of("").str() ==
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Digest() == Digest::of(""));
  Digester long_one("sha512");
  long_one.update("abc");
  CHECK(long_one.digest().hex().substr(0, 16) == "ddaf35a193617aba");
  CHECK(Digest::try_parse("sha512:" + std::string(128, '0')));
  CHECK_FALSE(Digest::try_parse("sha256:" + std::string(64, 'A')));
  CHECK_FALSE(Digest::try_parse("sha256:" + std::string(63, 'a')));
  CHECK_FALSE(Digest::try_parse("md5:" + std::string(32, 'a')));
  CHECK_FALSE(Digest::try_parse("sha512:" + std::string(64, 'a')));
  CHECK_FALSE(Digest::try_parse("sha256:../" + std::string(61, 'a')));
}

TEST_CASE("a digest goes on after it was asked for") {
  Digester digester;
  digester.update("a");
  CHECK(digester.digest() == Digest::of("a"));
  digester.update("b");
  CHECK(digester.digest() == Digest::of("ab"));
}

}  // namespace
}  // namespace slipway::oci
