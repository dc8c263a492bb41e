// SPDX-License-Identifier: Apache-2.0
#include "deploy/pull_request.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/text.hpp"

using namespace slipway;
using namespace slipway::deploy;
using formats::Json;

namespace {

// An issue's comments as GitHub has them.
struct GitHub {
  std::pair<int, std::string> answer(const Post& post) {
    asked.push_back(post.method + " " + post.url);
    if (post.method == "GET") {
      bool is_first = post.url.ends_with("page=1");
      Json list = Json::array();
      for (std::size_t at = 0; at < bodies.size(); ++at) {
        if ((at < 100) == is_first)
          list.push_back(Json::object({{"id", at + 1}, {"body", bodies[at]}}));
      }
      return {200, list.dump()};
    }
    std::string body = formats::parse_json(post.body).get_string("body");
    if (post.method == "POST") {
      bodies.push_back(body);
    } else {
      auto at = to_integer(post.url.substr(post.url.rfind('/') + 1));
      bodies.at(static_cast<std::size_t>(*at - 1)) = body;
    }
    return {201, R"({"html_url":"https://github.com/acme/shop/pull/7#c"})"};
  }
  std::vector<std::string> bodies;
  std::vector<std::string> asked;
};

}  // namespace

TEST_CASE("a pull request has one comment for each environment, kept up to date") {
  GitHub github;
  github.bodies.assign(120, "others talk");
  PullRequest to{.api = "http://api", .repository = "acme/shop", .number = 7, .token = "t"};
  Poster send = [&](const Post& post) { return github.answer(post); };
  CHECK(tell_pull_request(to, "staging", "web\n  + a: 1\n", send) ==
        "https://github.com/acme/shop/pull/7#c");
  CHECK(github.asked == std::vector<std::string>{
                            "GET http://api/repos/acme/shop/issues/7/comments?per_page=100&page=1",
                            "GET http://api/repos/acme/shop/issues/7/comments?per_page=100&page=2",
                            "POST http://api/repos/acme/shop/issues/7/comments"});
  CHECK(github.bodies.back().find("would change**\n\n```\nweb\n  + a: 1\n```\n") !=
        std::string::npos);
  tell_pull_request(to, "staging", "", send);
  tell_pull_request(to, "production", "a ``` b", send);
  REQUIRE(github.bodies.size() == 122);
  CHECK(github.bodies[120].ends_with("\nNothing.\n"));
  CHECK(github.bodies[121].ends_with("````\na ``` b\n````\n"));
  Poster refuse = [](const Post&) { return std::pair<int, std::string>(403, "no"); };
  CHECK_THROWS_WITH(tell_pull_request(to, "staging", "", refuse),
                    "telling pull request 7 of acme/shop: GitHub: HTTP 403: no");
  CHECK(comment_of("x", std::string(100'000, 'y')).size() < 65'536);
}

TEST_CASE("which pull request it is stands in the job's variables") {
  std::map<std::string, std::string> job = {{"GITHUB_TOKEN", "t"},
                                            {"GITHUB_REPOSITORY", "acme/shop"},
                                            {"GITHUB_REF", "refs/pull/12/merge"}};
  auto to = pull_request_of("auto", job, "");
  CHECK(to.number == 12);
  CHECK(to.repository == "acme/shop");
  CHECK(to.api == "https://api.github.com");
  CHECK(pull_request_of("3", job, "").number == 3);
  job["GITHUB_REF"] = "refs/heads/main";
  CHECK_THROWS_AS(pull_request_of("auto", job, ""), Error);
  CHECK_THROWS_AS(pull_request_of("x", job, ""), Error);
  CHECK_THROWS_AS(pull_request_of("3", {}, "acme/shop"), Error);
}
