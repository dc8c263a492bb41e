// SPDX-License-Identifier: Apache-2.0
#include "deploy/pull_request.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

constexpr std::size_t kMostText = 60'000;  // GitHub takes 65,536 characters
constexpr int kPage = 100;
constexpr int kMostPages = 30;

// What tells our comment from others; a reader does not see it.
std::string mark_of(const std::string& environment) {
  return fmt::format("<!-- slipway diff {} -->", environment);
}

std::string value_of(const std::map<std::string, std::string>& environment, const char* name) {
  auto it = environment.find(name);
  return it == environment.end() ? "" : it->second;
}

class Comments final {
 public:
  Comments(const PullRequest& to, const Poster& send)
      : base_(fmt::format("{}/repos/{}/issues", to.api, to.repository)),
        list_(fmt::format("{}/{}/comments", base_, to.number)),
        token_(to.token),
        send_(send) {}

  // The comment that has the mark; 0: none.
  [[nodiscard]] std::int64_t find(const std::string& mark) const {
    for (int page = 1; page <= kMostPages; ++page) {
      Json all = ask("GET", fmt::format("{}?per_page={}&page={}", list_, kPage, page), "");
      for (const auto& comment : all.as_array()) {
        if (comment.get_string("body").starts_with(mark)) return comment.get_int("id");
      }
      if (all.size() < kPage) break;
    }
    return 0;
  }

  [[nodiscard]] std::string put(std::int64_t id, const std::string& text) const {
    std::string body = Json::object({{"body", text}}).dump();
    Json answer = id == 0 ? ask("POST", list_, body)
                          : ask("PATCH", fmt::format("{}/comments/{}", base_, id), body);
    return answer.get_string("html_url");
  }

 private:
  [[nodiscard]] Json ask(const std::string& method, const std::string& url,
                         const std::string& body) const {
    auto [status, text] = send_({url,
                                 {{"authorization", "Bearer " + token_},
                                  {"accept", "application/vnd.github+json"},
                                  {"content-type", "application/json; charset=utf-8"}},
                                 body,
                                 method});
    if (status < 200 || status > 299)
      fail(Fault::failed, "GitHub: HTTP {}: {}", status, text.substr(0, 200));
    return formats::parse_json(text, "GitHub");
  }

  std::string base_;
  std::string list_;
  const std::string& token_;
  const Poster& send_;
};

}  // namespace

PullRequest pull_request_of(const std::string& number,
                            const std::map<std::string, std::string>& environment,
                            const std::string& repository) {
  PullRequest to;
  if (auto api = value_of(environment, "GITHUB_API_URL"); !api.empty()) to.api = api;
  to.token = value_of(environment, "GITHUB_TOKEN");
  if (to.token.empty()) to.token = value_of(environment, "GH_TOKEN");
  if (to.token.empty())
    fail(Fault::bad_input,
         "--pull-request needs GITHUB_TOKEN (in a job: env: GITHUB_TOKEN: ${{{{ github.token }}}}, "
         "with permissions: pull-requests: write)");
  to.repository = value_of(environment, "GITHUB_REPOSITORY");
  if (to.repository.empty()) to.repository = repository;
  std::string text = number;
  if (number == "auto") {  // refs/pull/7/merge
    auto parts = split(value_of(environment, "GITHUB_REF"), '/');
    if (parts.size() != 4 || parts[1] != "pull")
      fail(Fault::bad_input,
           "--pull-request auto is for jobs of pull requests; elsewhere give its number");
    text = parts[2];
  }
  auto value = to_integer(text);
  if (!value || *value < 1)
    fail(Fault::bad_input, "--pull-request takes a number or auto, not '{}'", number);
  to.number = *value;
  return to;
}

std::string comment_of(const std::string& environment, const std::string& changes) {
  std::string text = fmt::format("{}\n**What a deployment to `{}` would change**\n",
                                 mark_of(environment), environment);
  if (trim(changes).empty()) return text + "\nNothing.\n";
  std::string fence = "```";
  while (changes.find(fence) != std::string::npos) fence += '`';
  std::string shown = changes.substr(0, kMostText);
  if (shown.size() < changes.size()) shown += "\n…";
  return text + fmt::format("\n{}\n{}\n{}\n", fence, trim(shown), fence);
}

std::string tell_pull_request(const PullRequest& to, const std::string& environment,
                              const std::string& changes, const Poster& send) {
  return while_doing(fmt::format("telling pull request {} of {}", to.number, to.repository), [&] {
    Comments comments(to, send);
    return comments.put(comments.find(mark_of(environment)), comment_of(environment, changes));
  });
}

}  // namespace slipway::deploy
