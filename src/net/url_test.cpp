// SPDX-License-Identifier: Apache-2.0
#include "net/url.hpp"

#include <doctest/doctest.h>

#include "net/http_message.hpp"

using namespace slipway::net;

TEST_CASE("URLs come apart and together") {
  auto url = parse_url("HTTPS://us%40er:pw@Example.com:8443/a/b%20c?x=1#frag");
  REQUIRE(url);
  CHECK(url->scheme == "https");
  CHECK(url->host == "example.com");
  CHECK(url->port == 8443);
  CHECK(url->path == "/a/b%20c");
  CHECK(url->query == "x=1");
  CHECK(url->user_info == "us@er:pw");
  CHECK(url->to_string() == "https://example.com:8443/a/b%20c?x=1");
  CHECK(parse_url("http://h")->to_string() == "http://h/");
  CHECK(parse_url("http://h:80?q")->authority() == "h");
  CHECK(parse_url("http://[::1]:8080/x")->host == "::1");
  CHECK(parse_url("http://[::1]:8080/x")->authority() == "[::1]:8080");
}

TEST_CASE("what is no http URL is nothing") {
  for (const std::string text :
       {"", "h", "ftp://h/", "http://", "http:///x", "http://h:99999/", "http://h:x/",
        "http://a b/", "http://h/a\r\nb", "http://[::1/", "http://%zz@h/", "http://h:-1/"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_url(text));
  }
}

TEST_CASE("references resolve as RFC 3986 5.4 shows") {
  Url base = *parse_url("http://a/b/c/d;p?q");
  auto resolved = [&](std::string_view reference) {
    return resolve_url(base, reference)->to_string();
  };
  CHECK(resolved("http://g/x") == "http://g/x");
  CHECK(resolved("//g") == "http://g/");
  CHECK(resolved("/g") == "http://a/g");
  CHECK(resolved("g") == "http://a/b/c/g");
  CHECK(resolved("./g/") == "http://a/b/c/g/");
  CHECK(resolved("../g") == "http://a/b/g");
  CHECK(resolved("../../../g") == "http://a/g");
  CHECK(resolved("..") == "http://a/b/");
  CHECK(resolved("?y") == "http://a/b/c/d;p?y");
  CHECK(resolved("/go?to=http://x/y") == "http://a/go?to=http://x/y");
}

TEST_CASE("percent encoding and queries") {
  CHECK(percent_encode("a b/ä~") == "a%20b%2F%C3%A4~");
  CHECK(percent_encode("a/b c", true) == "a/b%20c");
  CHECK(percent_decode("a%20b+c") == "a b+c");
  CHECK_FALSE(percent_decode("a%2"));
  CHECK_FALSE(percent_decode("a%zz"));
  auto pairs = parse_query("a=1&b=x+y%21&c&&d=%zz");
  REQUIRE(pairs.size() == 4);
  CHECK(pairs[1].second == "x y!");
  CHECK(pairs[2].second.empty());
  CHECK(pairs[3].second == "%zz");
  CHECK(query_value("a=1&a=2", "a") == "1");
  CHECK_FALSE(query_value("a=1", "b"));
  CHECK(print_query({{"a b", "1&2"}, {"c", ""}}) == "a%20b=1%262&c=");
}

TEST_CASE("hosts with and without ports") {
  CHECK(parse_host_port("Host:80") == HostPort{"host", 80});
  CHECK(parse_host_port("[fe80::1]") == HostPort{"fe80::1", 0});
  CHECK(parse_host_port("1.2.3.4:5000")->port == 5000);
  for (const std::string text : {"", ":80", "h:", "h:1:2", "[h]:80", "h/x", "h:+80", "h:123456"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_host_port(text));
  }
}

TEST_CASE("headers compare without case and keep their order") {
  Headers headers{{"Content-Type", "a"}, {"X", "1"}};
  headers.add("x", "2");
  CHECK(headers.get("content-type") == "a");
  CHECK(headers.all("X") == std::vector<std::string>{"1", "2"});
  headers.set("X", "3");
  CHECK(headers.all("x") == std::vector<std::string>{"3"});
  headers.remove("CONTENT-TYPE");
  CHECK_FALSE(headers.contains("Content-Type"));
  CHECK(headers.get("none", "d") == "d");
}
