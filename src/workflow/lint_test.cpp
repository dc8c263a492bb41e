// SPDX-License-Identifier: Apache-2.0
#include "workflow/lint.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace slipway::workflow {
namespace {

using Lines = std::vector<std::string>;

// "line rule" of every finding.
Lines lines_found(std::string_view text, const LintOptions& options = {}) {
  Lines result;
  for (const auto& one : lint(text, "w.yml", options)) result.push_back(fmt::format("{} {}", one.line, one.rule));
  return result;
}

bool has(std::string_view text, const std::string& line_and_rule) {
  auto found = lines_found(text);
  INFO(fmt::format("{}", fmt::join(found, "\n")));
  return std::find(found.begin(), found.end(), line_and_rule) != found.end();
}

bool has_rule(std::string_view text, std::string_view rule) {
  auto found = lint(text, "w.yml", {});
  return std::any_of(found.begin(), found.end(), [&](const auto& one) { return one.rule == rule; });
}

constexpr std::string_view kGood = R"(name: good
on:
  push: {branches: ['**'], tags: ['v*']}
permissions: {contents: read}
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      - run: npm test
  deploy:
    needs: test
    if: github.ref == 'refs/heads/main' || startsWith(github.ref, 'refs/tags/v')
    runs-on: ubuntu-latest
    environment: ${{ github.ref == 'refs/heads/main' && 'staging' || 'production' }}
    permissions: {contents: read, id-token: write}
    steps:
      - uses: aws-actions/configure-aws-credentials@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        with: {role-to-assume: "arn:aws:iam::1:role/x", aws-region: us-east-1}
      - uses: aws-actions/amazon-ecs-deploy-task-definition@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        with: {task-definition: t.json}
)";

// The good workflow with one part replaced.
std::string changed(std::string_view from, std::string_view to) {
  std::string text(kGood);
  auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("a workflow without faults has no findings") { CHECK(lines_found(kGood) == Lines{}); }

TEST_CASE("what GitHub would refuse is an error with its place, and nothing else is looked at") {
  auto found = lint("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - runn: x\n", "w.yml", {});
  REQUIRE(found.size() == 2);
  CHECK(found[0].rule == "syntax");
  CHECK(found[0].level == LintLevel::error);
  CHECK(found[0].line == 6);
  CHECK(found[0].column == 9);
}

TEST_CASE("strangers' text in a script is an error, loose text a warning, text in env is fine") {
  auto with = [](const std::string& step) { return changed("      - run: npm test\n", "      - run: npm test\n" + step); };
  CHECK(has(with("      - run: echo ${{ github.event.pull_request.title }}\n"), "11 template-injection"));
  CHECK(has(with("      - run: echo ${{ github.event.commits[0].message }}\n"), "11 template-injection"));
  CHECK(has(with("      - run: echo ${{ github.ref_name }}\n"), "11 template-injection"));
  CHECK(has(with("      - run: echo ${{ secrets.KEY }}\n"), "11 secret-in-script"));
  CHECK_FALSE(has_rule(with("      - run: echo \"$T\"\n        env: {T: \"${{ github.head_ref }}\"}\n"), "template-injection"));
  CHECK_FALSE(has_rule(with("      - run: echo ${{ github.sha }}\n"), "template-injection"));
}

TEST_CASE("actions named by a tag or branch") {
  CHECK(has(changed("checkout@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "checkout@v4"), "9 unpinned-action"));
  CHECK(has(changed("actions/checkout@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "acme/x@main"), "9 unpinned-action"));
  CHECK_FALSE(has_rule(changed("actions/checkout@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "./.github/x"), "unpinned-action"));
}

TEST_CASE("permissions: none given, everything given, too much for all, too little for OIDC") {
  CHECK(has(changed("permissions: {contents: read}\n", ""), "5 excessive-permissions"));
  CHECK(has(changed("permissions: {contents: read}\n", "permissions: write-all\n"), "4 excessive-permissions"));
  CHECK(has(changed("permissions: {contents: read}\n", "permissions: {contents: write}\n"), "4 excessive-permissions"));
  CHECK(has(changed(", id-token: write", ""), "11 missing-permission"));
}

TEST_CASE("AWS keys that live long") {
  CHECK(has_rule(changed("role-to-assume: \"arn:aws:iam::1:role/x\"", "aws-access-key-id: \"${{ secrets.K }}\""), "static-aws-keys"));
  CHECK(has_rule(changed("    runs-on: ubuntu-latest\n    steps:\n", "    runs-on: ubuntu-latest\n    env: {AWS_SECRET_ACCESS_KEY: x}\n    steps:\n"),
                 "static-aws-keys"));
}

TEST_CASE(":latest in commands, tags, rendered task definitions and containers") {
  auto with = [](const std::string& step) { return changed("      - run: npm test\n", "      - run: npm test\n" + step); };
  CHECK(has(with("      - run: docker push app:latest\n"), "11 latest-tag"));
  CHECK_FALSE(has_rule(with("      - run: docker push app:latest-1\n"), "latest-tag"));
  CHECK(has_rule(with("      - uses: docker/build-push-action@v6\n        with: {tags: 'a/b:latest'}\n"), "latest-tag"));
  CHECK(has_rule(with("      - uses: aws-actions/amazon-ecs-render-task-definition@v1\n        with: {image: 'a:latest'}\n"), "latest-tag"));
}

TEST_CASE("a deploy job needs a test job, directly or not, and must not run when it failed") {
  CHECK(has_rule(changed("    needs: test\n", ""), "ungated-deploy"));
  CHECK(has_rule(changed("    if: github.ref", "    if: always() && github.ref"), "ungated-deploy"));
  CHECK_FALSE(has_rule(kGood, "ungated-deploy"));
}

TEST_CASE("production is for tags: a branch, a pull request or a start by hand that reaches it is told") {
  CHECK(has(changed("'staging' || 'production'", "'production' || 'staging'"), "11 production-from-branch"));
  CHECK(has_rule(changed("environment: ${{ github.ref == 'refs/heads/main' && 'staging' || 'production' }}", "environment: production"),
                 "production-from-branch"));
  CHECK_FALSE(has_rule(kGood, "production-from-branch"));
}

TEST_CASE("names that lead nowhere") {
  auto with = [](const std::string& step) { return changed("      - run: npm test\n", "      - run: npm test\n" + step); };
  CHECK(has(with("      - run: echo ${{ steps.nope.outputs.x }}\n"), "11 unknown-reference"));
  CHECK(has(with("      - run: echo ${{ matrix.nope }}\n"), "11 unknown-reference"));
  CHECK(has(with("      - run: echo ${{ needs.deploy.result }}\n"), "11 unknown-reference"));
  CHECK(has_rule(changed("      - uses: aws-actions/conf", "      - run: echo ${{ needs.test.outputs.x }}\n      - uses: aws-actions/conf"),
                 "unknown-reference"));
}

TEST_CASE("pull_request_target that checks out the head") {
  CHECK(has_rule("on: pull_request_target\npermissions: {}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n"
                 "        with: {ref: \"${{ github.event.pull_request.head.sha }}\"}\n",
                 "dangerous-trigger"));
}

TEST_CASE("a comment silences a rule on its line or the line below") {
  CHECK_FALSE(has_rule(changed("checkout@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "checkout@v4 # slipway: ignore[unpinned-action]"),
                       "unpinned-action"));
  CHECK_FALSE(has_rule(changed("      - uses: actions/checkout@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                               "      # slipway: ignore[unpinned-action]\n      - uses: actions/checkout@v4"),
                       "unpinned-action"));
}

TEST_CASE("task definitions that the workflow renders: plain secrets") {
  LintOptions options;
  options.read_file = [](const std::string& path) -> std::optional<std::string> {
    if (path != "t.json") return std::nullopt;
    return "{\"containerDefinitions\": [\n {\"image\": \"x\", \"environment\": [\n  {\"name\": \"DB_PASSWORD\", \"value\": \"x\"}]}]}";
  };
  auto found = lint(kGood, "w.yml", options);
  REQUIRE(found.size() == 1);
  CHECK(found[0].rule == "plain-secret");
  CHECK(found[0].file == "t.json");
  CHECK(found[0].line == 3);
}

TEST_CASE("reports: text, annotations, JSON and SARIF name the place and the rule") {
  std::vector<LintFinding> findings = {{"a.yml", 3, 5, LintLevel::error, "latest-tag", "no, 100% no", "mend"}};
  CHECK(report(findings, LintFormat::text) == "a.yml:3:5: error: no, 100% no [latest-tag]\n    mend\n");
  CHECK(report(findings, LintFormat::github) == "::error file=a.yml,line=3,col=5,title=latest-tag::no, 100%25 no%0Amend\n");
  auto json = formats::parse_json(report(findings, LintFormat::json));
  CHECK(json.at("findings").at(0).at("rule").as_string() == "latest-tag");
  auto sarif = formats::parse_json(report(findings, LintFormat::sarif));
  const auto& result = sarif.at("runs").at(0).at("results").at(0);
  CHECK(result.at("locations").at(0).at("physicalLocation").at("region").at("startLine").as_int() == 3);
  for (const auto& one : findings) {
    const auto& rules = lint_rules();
    CHECK(std::any_of(rules.begin(), rules.end(), [&](const auto& rule) { return rule.name == one.rule; }));
  }
}

}  // namespace
}  // namespace slipway::workflow
