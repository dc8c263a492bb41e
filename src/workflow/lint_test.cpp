// SPDX-License-Identifier: Apache-2.0
#include "workflow/lint.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/text.hpp"
#include "os/process.hpp"
#include "workflow/lint_rules.hpp"

namespace slipway::workflow {
namespace {

using Lines = std::vector<std::string>;

// "line rule" of every finding.
Lines lines_found(std::string_view text, const LintOptions& options = {}) {
  Lines result;
  for (const auto& one : lint(text, "w.yml", options))
    result.push_back(fmt::format("{} {}", one.line, one.rule));
  return result;
}

bool has(std::string_view text, const std::string& line_and_rule) {
  auto found = lines_found(text);
  INFO(fmt::format("{}", fmt::join(found, "\n")));
  return std::find(found.begin(), found.end(), line_and_rule) != found.end();
}

bool has_rule(std::string_view text, std::string_view rule) {
  LintOptions options;
  options.pedantic = true;
  auto found = lint(text, "w.yml", options);
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
      - {with: {persist-credentials: false}, uses: actions/checkout@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}
      - run: npm test
  deploy:
    needs: test
    if: github.ref == 'refs/heads/main' || startsWith(github.ref, 'refs/tags/v')
    runs-on: ubuntu-latest
    environment: ${{ github.ref == 'refs/heads/main' && 'staging' || 'production' }}
    permissions: {contents: read, id-token: write}
    concurrency: {group: deploy}
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
  auto found =
      lint("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - runn: x\n", "w.yml", {});
  REQUIRE(found.size() == 2);
  CHECK(found[0].rule == "syntax");
  CHECK(found[0].level == LintLevel::error);
  CHECK(found[0].line == 6);
  CHECK(found[0].column == 9);
}

TEST_CASE("strangers' text in a script is an error, loose text a warning, text in env is fine") {
  auto with = [](const std::string& step) {
    return changed("      - run: npm test\n", "      - run: npm test\n" + step);
  };
  CHECK(has(with("      - run: echo ${{ github.event.pull_request.title }}\n"),
            "11 template-injection"));
  CHECK(has(with("      - run: echo ${{ github.event.commits[0].message }}\n"),
            "11 template-injection"));
  CHECK(has(with("      - run: echo ${{ github.ref_name }}\n"), "11 template-injection"));
  CHECK(has(with("      - run: echo ${{ secrets.KEY }}\n"), "11 secret-in-script"));
  CHECK_FALSE(
      has_rule(with("      - run: echo \"$T\"\n        env: {T: \"${{ github.head_ref }}\"}\n"),
               "template-injection"));
  CHECK_FALSE(has_rule(with("      - run: echo ${{ github.sha }}\n"), "template-injection"));
}

TEST_CASE("actions named by a tag or branch") {
  CHECK(has(changed("checkout@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "checkout@v4"),
            "9 unpinned-uses"));
  CHECK(has(changed("actions/checkout@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "acme/x@main"),
            "9 unpinned-uses"));
  CHECK_FALSE(
      has_rule(changed("actions/checkout@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "./.github/x"),
               "unpinned-uses"));
}

TEST_CASE("permissions: none given, everything given, too much for all, too little for OIDC") {
  CHECK(has(changed("permissions: {contents: read}\n", ""), "5 excessive-permissions"));
  CHECK(has(changed("permissions: {contents: read}\n", "permissions: write-all\n"),
            "4 excessive-permissions"));
  CHECK(has(changed("permissions: {contents: read}\n", "permissions: {contents: write}\n"),
            "4 excessive-permissions"));
  CHECK(has(changed(", id-token: write", ""), "11 missing-permission"));
}

TEST_CASE("AWS keys that live long") {
  CHECK(has_rule(changed("role-to-assume: \"arn:aws:iam::1:role/x\"",
                         "aws-access-key-id: \"${{ secrets.K }}\""),
                 "static-aws-keys"));
  CHECK(has_rule(
      changed("    runs-on: ubuntu-latest\n    steps:\n",
              "    runs-on: ubuntu-latest\n    env: {AWS_SECRET_ACCESS_KEY: x}\n    steps:\n"),
      "static-aws-keys"));
}

TEST_CASE(":latest in commands, tags, rendered task definitions and containers") {
  auto with = [](const std::string& step) {
    return changed("      - run: npm test\n", "      - run: npm test\n" + step);
  };
  CHECK(has(with("      - run: docker push app:latest\n"), "11 latest-tag"));
  CHECK_FALSE(has_rule(with("      - run: docker push app:latest-1\n"), "latest-tag"));
  CHECK(has_rule(
      with("      - uses: docker/build-push-action@v6\n        with: {tags: 'a/b:latest'}\n"),
      "latest-tag"));
  CHECK(has_rule(with("      - uses: aws-actions/amazon-ecs-render-task-definition@v1\n        "
                      "with: {image: 'a:latest'}\n"),
                 "latest-tag"));
}

TEST_CASE("a deploy job needs a test job, directly or not, and must not run when it failed") {
  CHECK(has_rule(changed("    needs: test\n", ""), "ungated-deploy"));
  CHECK(
      has_rule(changed("    if: github.ref", "    if: always() && github.ref"), "ungated-deploy"));
  CHECK_FALSE(has_rule(kGood, "ungated-deploy"));
}

TEST_CASE(
    "production is for tags: a branch, a pull request or a start by hand that reaches it is told") {
  CHECK(has(changed("'staging' || 'production'", "'production' || 'staging'"),
            "11 production-from-branch"));
  CHECK(has_rule(
      changed("environment: ${{ github.ref == 'refs/heads/main' && 'staging' || 'production' }}",
              "environment: production"),
      "production-from-branch"));
  CHECK_FALSE(has_rule(kGood, "production-from-branch"));
}

TEST_CASE("names that lead nowhere") {
  auto with = [](const std::string& step) {
    return changed("      - run: npm test\n", "      - run: npm test\n" + step);
  };
  CHECK(has(with("      - run: echo ${{ steps.nope.outputs.x }}\n"), "11 unknown-reference"));
  CHECK(has(with("      - run: echo ${{ matrix.nope }}\n"), "11 unknown-reference"));
  CHECK(has(with("      - run: echo ${{ needs.deploy.result }}\n"), "11 unknown-reference"));
  CHECK(has_rule(
      changed("      - uses: aws-actions/conf",
              "      - run: echo ${{ needs.test.outputs.x }}\n      - uses: aws-actions/conf"),
      "unknown-reference"));
}

TEST_CASE("pull_request_target that checks out the head") {
  CHECK(
      has_rule("on: pull_request_target\npermissions: {}\njobs:\n  a:\n    runs-on: x\n    "
               "steps:\n      - uses: actions/checkout@v4\n"
               "        with: {ref: \"${{ github.event.pull_request.head.sha }}\"}\n",
               "dangerous-triggers"));
}

TEST_CASE("code of a pull request comes by its ref, its repository or a command, too") {
  auto with = [](const std::string& step) {
    auto found = lint("on: pull_request_target\njobs: {a: {runs-on: x, steps: [" + step + "]}}",
                      "w.yml", {});
    return std::any_of(found.begin(), found.end(), [](const auto& one) {
      return one.rule == "dangerous-triggers" && one.level == LintLevel::error;
    });
  };
  CHECK(with(
      "{uses: actions/checkout@v4, with: {ref: 'refs/pull/${{ github.event.number }}/merge'}}"));
  CHECK(
      with("{uses: actions/checkout@v4, with: {repository: '${{ "
           "github.event.pull_request.head.repo.full_name }}'}}"));
  CHECK(with("{run: gh pr checkout 1}"));
  CHECK_FALSE(with("{uses: actions/checkout@v4}"));
}

TEST_CASE("a comment silences a rule on its line or the line below") {
  CHECK_FALSE(has_rule(changed("checkout@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                               "checkout@v4} # slipway: ignore[unpinned-uses]\n        #"),
                       "unpinned-uses"));
  CHECK_FALSE(
      has_rule(changed("      - {with: {persist-credentials: false}, uses: "
                       "actions/checkout@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}",
                       "      # slipway: ignore[unpinned-uses]\n      - uses: actions/checkout@v4"),
               "unpinned-uses"));
}

TEST_CASE("task definitions that the workflow renders: plain secrets") {
  LintOptions options;
  options.read_file = [](const std::string& path) -> std::optional<std::string> {
    if (path != "t.json") return std::nullopt;
    return "{\"containerDefinitions\": [\n {\"image\": \"x\", \"environment\": [\n  {\"name\": "
           "\"DB_PASSWORD\", \"value\": \"x\"}]}]}";
  };
  auto found = lint(kGood, "w.yml", options);
  REQUIRE(found.size() == 1);
  CHECK(found[0].rule == "plain-secret");
  CHECK(found[0].file == "t.json");
  CHECK(found[0].line == 3);
}

// What a rule says something about, and what it leaves alone: each is a job's steps, or more when it starts at the margin.
struct RuleCase {
  const char* rule;
  const char* bad;
  const char* good;
};

std::string workflow_of(const std::string& part) {
  if (part.find("jobs:") != std::string::npos) return part;
  if (part.starts_with("    ")) return "on: push\njobs:\n  a:\n" + part;
  return "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      " +
         replace_all(part, "\n", "\n      ") + "\n";
}

constexpr RuleCase kRules[] = {
    {"adhoc-packages", "- run: pip install ruff", "- run: pip install -r requirements.txt"},
    {"adhoc-packages", "- run: cd web && npm install -g vite@5", "- run: cd web && npm install"},
    {"adhoc-packages", "- run: sudo python3 -m pip install -q ruff==1.0",
     "- run: python3 -m pip install --upgrade pip -e ."},
    {"anonymous-definition", "- run: x",
     "name: w\non: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}"},
    {"input-default",
     "on: {workflow_dispatch: {inputs: {a: {type: choice, options: [x, x]}}}}\njobs: {a: {runs-on: "
     "x, steps: []}}",
     "on: {workflow_dispatch: {inputs: {a: {type: choice, options: [x, y]}}}}\njobs: {a: {runs-on: "
     "x, steps: []}}"},
    {"misfeature", "- run: x\n  shell: cmd", "- run: x\n  shell: pwsh"},
    {"misfeature", "- uses: actions/setup-python@v5\n  with: {pip-install: ruff}",
     "- uses: actions/setup-python@v5"},
    {"ref-version-mismatch",
     "- uses: a/b@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa # v1\n- uses: "
     "a/b@bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb # v1",
     "- uses: a/b@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa # v1\n- uses: "
     "a/b@bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb # v2"},
    {"runner-label", "    runs-on: linux-latest\n    steps: []\n",
     "    runs-on: [self-hosted, linux]\n    steps: []\n"},
    {"secrets-outside-env", "- run: x\n  env: {A: '${{ secrets.A }}'}",
     "    runs-on: x\n    environment: e\n    steps: [{run: x, env: {A: '${{ secrets.A }}'}}]\n"},
    {"superfluous-actions", "- uses: softprops/action-gh-release@v2",
     "- run: gh release create v1"},
    {"type-mismatch", "- run: x\n  if: steps.a.outputs.b == true",
     "- run: x\n  if: steps.a.outputs.b == 'true'"},
    {"type-mismatch", "- run: x\n  if: false != env.A", "- run: x\n  if: env.A != 'false'"},
    {"typosquat-uses", "- uses: action/checkout@v4", "- uses: actions/checkout@v4"},
    {"typosquat-uses", "- uses: docker/build-push-actions@v6", "- uses: someone/else@v6"},
    {"undocumented-permissions",
     "    runs-on: x\n    permissions:\n      id-token: write\n    steps: []\n",
     "    runs-on: x\n    permissions:\n      id-token: write  # for the role\n    steps: []\n"},
    {"unknown-context", "- run: echo ${{ github.repository.owner }}",
     "- run: echo ${{ github.event.repository.owner }}"},
    {"unknown-context", "- run: echo ${{ job.container.os }}",
     "- run: echo ${{ job.container.id }}"},
    {"unpinned-tools", "- uses: a/setup-b@v1\n  with: {b-version: latest}",
     "- uses: a/setup-b@v1\n  with: {b-version: 1.2}"},
    {"archived-uses", "- uses: actions/create-release@v1", "- uses: actions/checkout@v4"},
    {"artipacked", "- uses: actions/checkout@v4",
     "- uses: actions/checkout@v4\n  with: {persist-credentials: false}"},
    {"bot-conditions", "- run: x\n  if: github.actor == 'dependabot[bot]'",
     "- run: x\n  if: github.actor == 'mona'"},
    {"cache-poisoning", "- uses: actions/cache@v4\n  with: {path: x, key: y}\n- run: npm publish",
     "- uses: actions/cache@v4\n  with: {path: x, key: y}\n- run: npm test"},
    {"concurrency-limits", "- run: terraform apply", "- run: terraform plan"},
    {"constant-condition", "- run: x\n  if: ${{ false }}", "- run: x\n  if: github.ref == 'x'"},
    {"deprecated-commands", "- run: echo ::set-output name=a::b",
     "- run: echo a=b >> $GITHUB_OUTPUT"},
    {"duplicate-needs",
     "    needs: [b, B]\n    runs-on: x\n    steps: []\n  b:\n    runs-on: x\n    steps: []\n",
     "    needs: [b]\n    runs-on: x\n    steps: []\n  b:\n    runs-on: x\n    steps: []\n"},
    {"env-name", "- run: x\n  env: {'a b': c}", "- run: x\n  env: {a_b: c}"},
    {"exclusive-filters",
     "on: {push: {branches: [a], branches-ignore: [b]}}\njobs: {a: {runs-on: x, steps: []}}",
     "on: {push: {branches: [a]}}\njobs: {a: {runs-on: x, steps: []}}"},
    {"filter-pattern", "on: {push: {branches: ['!a']}}\njobs: {a: {runs-on: x, steps: []}}",
     "on: {push: {branches: ['**', '!a']}}\njobs: {a: {runs-on: x, steps: []}}"},
    {"filter-pattern",
     "on: {push: {branches: [refs/heads/main]}}\njobs: {a: {runs-on: x, steps: []}}",
     "on: {push: {paths: [src/**]}}\njobs: {a: {runs-on: x, steps: []}}"},
    {"filter-pattern", "on: {push: {paths: [./src/**]}}\njobs: {a: {runs-on: x, steps: []}}",
     "on: {push: {paths: [refs/**]}}\njobs: {a: {runs-on: x, steps: []}}"},
    {"github-app",
     "- uses: actions/create-github-app-token@v2\n  with: {app-id: 1, private-key: '${{ secrets.K "
     "}}'}",
     "- uses: actions/create-github-app-token@v2\n  with: {app-id: 1, permission-contents: read}"},
    {"github-env",
     "on: workflow_run\njobs: {a: {runs-on: x, steps: [{run: 'echo A=$B >> $GITHUB_ENV'}]}}",
     "- run: echo A=$B >> $GITHUB_ENV"},
    {"hardcoded-credentials",
     "- uses: docker/login-action@v3\n  with: {username: u, password: hunter2}",
     "- uses: docker/login-action@v3\n  with: {username: u, password: '${{ secrets.P }}'}"},
    {"hardcoded-credentials",
     "    runs-on: x\n    container: {image: 'a:1', credentials: {username: u, password: p}}\n    "
     "steps: []\n",
     "    runs-on: x\n    container: {image: 'a:1', credentials: {username: u, password: '${{ "
     "secrets.P }}'}}\n    steps: []\n"},
    {"hardcoded-credentials", "- run: curl -H 'token ghp_abcdefghijklmnopqrstuvwxyz0123456789' x",
     "- run: echo ghp_short"},
    {"input-default",
     "on: {workflow_dispatch: {inputs: {a: {type: choice, options: [x], default: y}}}}\njobs: {a: "
     "{runs-on: x, steps: []}}",
     "on: {workflow_dispatch: {inputs: {a: {type: choice, options: [x], default: x}}}}\njobs: {a: "
     "{runs-on: x, steps: []}}"},
    {"insecure-commands", "- run: x\n  env: {ACTIONS_ALLOW_UNSECURE_COMMANDS: true}",
     "- run: x\n  env: {A: true}"},
    {"invalid-shell", "- run: x\n  shell: fish", "- run: x\n  shell: perl {0}"},
    {"missing-input", "- uses: actions/cache@v4\n  with: {path: x}",
     "- uses: actions/cache@v4\n  with: {path: x, key: y}"},
    {"obfuscation", "- uses: actions/checkout//x@v4", "- uses: actions/checkout/x@v4"},
    {"overprovisioned-secrets", "- run: x\n  env: {A: '${{ toJSON(secrets) }}'}",
     "- run: x\n  env: {A: '${{ secrets.A }}'}"},
    {"overprovisioned-secrets", "- run: x\n  env: {A: '${{ secrets[matrix.name] }}'}",
     "- run: x\n  env: {A: \"${{ secrets['A'] }}\"}"},
    {"retired-action", "- uses: actions/upload-artifact@v3\n  with: {path: x}",
     "- uses: actions/upload-artifact@v4\n  with: {path: x}"},
    {"runner-label", "    runs-on: ubuntu-20.04\n    steps: []\n",
     "    runs-on: ubuntu-24.04\n    steps: []\n"},
    {"runner-label", "    runs-on: ubuntu-23.10\n    steps: []\n",
     "    runs-on: [self-hosted, ubuntu-big]\n    steps: []\n"},
    {"schedule-interval",
     "on: {schedule: [{cron: '*/2 * * * *'}]}\njobs: {a: {runs-on: x, steps: []}}",
     "on: {schedule: [{cron: '*/5 * * * *'}]}\njobs: {a: {runs-on: x, steps: []}}"},
    {"self-hosted-runner", "on: pull_request\njobs: {a: {runs-on: [self-hosted], steps: []}}",
     "    runs-on: [self-hosted]\n    steps: []\n"},
    {"type-mismatch", "- run: echo '${{ github.event }}'",
     "- run: echo '${{ toJSON(github.event) }}'"},
    {"type-mismatch", "- run: x\n  if: github == 'x'", "- run: x\n  if: github.ref == 'x'"},
    {"type-mismatch", "- run: echo ${{ format('{0} {1}', github.sha) }}",
     "- run: echo ${{ format('{0} {{1}}', github.sha) }}"},
    {"type-mismatch", "- run: echo ${{ fromJSON('{a}').b }}",
     "- run: echo ${{ fromJSON('{\"b\":1}').b }}"},
    {"unknown-context", "- run: echo ${{ github.refname }}", "- run: echo ${{ github.ref_name }}"},
    {"unknown-context", "- id: a\n  run: x\n- run: echo ${{ steps.a.output.x }}",
     "- id: a\n  run: x\n- run: echo ${{ steps.a.outputs.x }}"},
    {"unknown-input", "- uses: actions/setup-node@v4\n  with: {node-versions: 20}",
     "- uses: actions/setup-node@v4\n  with: {node-version: 20}"},
    {"unknown-reference",
     "- id: c\n  uses: actions/cache@v4\n  with: {path: x, key: y}\n- run: echo ${{ "
     "steps.c.outputs.hit }}",
     "- id: c\n  uses: actions/cache@v4\n  with: {path: x, key: y}\n- run: echo ${{ "
     "steps.c.outputs.cache-hit }}"},
    {"unknown-reference", "- run: echo ${{ steps.b.outputs.x }}\n- id: b\n  run: x",
     "- id: b\n  run: x\n- run: echo ${{ steps.b.outputs.x }}"},
    {"unknown-reference",
     "on: {workflow_dispatch: {inputs: {a: {type: string}}}}\njobs: {a: {runs-on: x, steps: [{run: "
     "'${{ inputs.b "
     "}}'}]}}",
     "on: {workflow_dispatch: {inputs: {a: {type: string}}}}\njobs: {a: {runs-on: x, steps: [{run: "
     "'${{ inputs.a "
     "}}'}]}}"},
    {"unpinned-images", "    runs-on: x\n    container: node\n    steps: []\n",
     "    runs-on: x\n    container: node:22\n    steps: []\n"},
    {"unredacted-secrets", "- run: x\n  env: {A: '${{ fromJSON(secrets.A).b }}'}",
     "- run: x\n  env: {A: '${{ fromJSON(vars.A).b }}'}"},
    {"unsound-condition", "- run: x\n  if: ${{ github.ref == 'a' }} && true",
     "- run: x\n  if: ${{ github.ref == 'a' && true }}"},
    {"unsound-condition", "- run: x\n  if: |\n    ${{ github.ref == 'a' }}",
     "- run: x\n  if: |-\n    ${{ github.ref == 'a' }}"},
    {"unsound-contains", "- run: x\n  if: contains('refs/heads/main refs/heads/x', github.ref)",
     "- run: x\n  if: contains(fromJSON('[\"refs/heads/main\"]'), github.ref)"},
    {"unsound-ternary", "- run: echo ${{ github.ref == 'a' && '' || 'x' }}",
     "- run: echo ${{ github.ref == 'a' && 'y' || 'x' }}"},
    {"use-trusted-publishing",
     "- uses: pypa/gh-action-pypi-publish@v1\n  with: {password: '${{ secrets.P }}'}",
     "- uses: pypa/gh-action-pypi-publish@v1"},
};

TEST_CASE("every rule finds what it is about and leaves its mended form alone") {
  for (const auto& one : kRules) {
    CAPTURE(std::string(one.rule));
    CAPTURE(std::string(one.bad));
    CHECK_FALSE(has_rule(workflow_of(one.bad), "syntax"));
    CHECK(has_rule(workflow_of(one.bad), one.rule));
    CAPTURE(std::string(one.good));
    CHECK_FALSE(has_rule(workflow_of(one.good), "syntax"));
    CHECK_FALSE(has_rule(workflow_of(one.good), one.rule));
  }
}

TEST_CASE("an action.yml is held against the rules for steps") {
  auto rules = [](std::string_view steps) {
    std::string names;
    auto text =
        "name: x\ndescription: x\ninputs: {who: {description: x}}\nruns:\n  using: composite\n  "
        "steps:\n" +
        std::string(steps);
    for (const auto& one : lint(text, ".github/x/action.yml", {}))
      names += fmt::format("{} {}\n", one.line, one.rule);
    return names;
  };
  CHECK(rules("    - {run: 'echo ${{ inputs.who }}', shell: bash}\n") == "7 template-injection\n");
  CHECK(
      rules("    - {run: 'echo ${{ inputs.whom }}', shell: bash}\n").find("7 unknown-reference") !=
      std::string::npos);
  CHECK(rules("    - {run: echo, shell: bash}\n").empty());
}

TEST_CASE("local actions: inputs, outputs, and whether they are there") {
  LintOptions options;
  options.read_file = [](const std::string& path) -> std::optional<std::string> {
    if (path != "a/action.yml") return std::nullopt;
    return "name: x\ndescription: x\ninputs: {who: {description: x}}\noutputs: {out: {description: "
           "x, value: y}}\n"
           "runs: {using: composite, steps: []}\n";
  };
  auto has = [&](const std::string& steps, const std::string& rule) {
    auto found = lint(workflow_of(steps), "w.yml", options);
    return std::any_of(found.begin(), found.end(),
                       [&](const auto& one) { return one.rule == rule; });
  };
  CHECK(has("- uses: ./b", "unknown-action"));
  CHECK_FALSE(has("- uses: ./a", "unknown-action"));
  CHECK(has("- uses: ./a\n  with: {whom: x}", "unknown-input"));
  CHECK_FALSE(has("- uses: ./a\n  with: {who: x}", "unknown-input"));
  CHECK(has("- uses: ./a\n  id: i\n- run: echo ${{ steps.i.outputs.nope }}", "unknown-reference"));
  CHECK_FALSE(
      has("- uses: ./a\n  id: i\n- run: echo ${{ steps.i.outputs.out }}", "unknown-reference"));
}

TEST_CASE("an action's own path; Dependabot's settings") {
  LintOptions options;
  options.pedantic = true;
  auto rules = [&](const std::string& text, const std::string& file) {
    std::string names;
    for (const auto& one : lint(text, file, options))
      names += fmt::format("{}:{} {}\n", one.line, one.column, one.rule);
    return names;
  };
  CHECK(rules("name: x\ndescription: x\nruns: {using: composite, steps: [{uses: ./y}]}\n",
              "x/action.yml")
            .find("self-repository") != std::string::npos);
  CHECK(rules("version: 2\nupdates:\n  - package-ecosystem: pip\n    "
              "insecure-external-code-execution: allow\n",
              ".github/dependabot.yml") == "3:5 dependabot-cooldown\n4:39 dependabot-execution\n");
  CHECK(
      rules("updates: [{package-ecosystem: pip, cooldown: {default-days: 7}}]\n", "dependabot.yml")
          .empty());
}

TEST_CASE("pyflakes' findings stand where the script's characters stand") {
  if (!os::find_program("pyflakes3")) {
    MESSAGE("skipped: no pyflakes3");
    return;
  }
  auto text =
      workflow_of("- shell: python\n  run: |\n    import os\n    print(${{ github.sha }}, nme)");
  LintOptions options;
  options.shellcheck = [&](const Workflow& workflow, LintReport& report) {
    shellcheck(workflow, text, {}, report);
  };
  std::string found;
  for (const auto& one : lint(text, "w.yml", options)) {
    if (one.rule == "pyflakes")
      found += fmt::format("{}:{} {}\n", one.line, one.column, one.message);
  }
  CHECK(found == "8:11 'os' imported but unused\n9:36 undefined name 'nme'\n");
}

TEST_CASE("shellcheck's findings stand where the script's characters stand") {
  if (!os::find_program("shellcheck")) {
    MESSAGE("skipped: no shellcheck");
    return;
  }
  auto places = [](const std::string& text) {
    LintOptions options;
    options.shellcheck = [&](const Workflow& workflow, LintReport& report) {
      shellcheck(workflow, text, {}, report);
    };
    std::string found;
    for (const auto& one : lint(text, "w.yml", options)) {
      if (one.rule == "shellcheck")
        found += fmt::format("{}:{} {}\n", one.line, one.column, one.message.substr(0, 6));
    }
    return found;
  };
  CHECK(places(workflow_of("- run: |\n    echo ok\n    echo ${{ github.sha }} $HOME/x")) ==
        "8:34 SC2086\n");
  CHECK(places(workflow_of("- run: rm $HOME/x")) == "6:14 SC2086\n");
  CHECK(places(workflow_of("- {run: rm $HOME/x, shell: python}")).empty());
}

TEST_CASE("reports: text, annotations, JSON and SARIF name the place and the rule") {
  std::vector<LintFinding> findings = {
      {"a.yml", 3, 5, LintLevel::error, "latest-tag", "no, 100% no", "mend"}};
  CHECK(report(findings, LintFormat::text) ==
        "a.yml:3:5: error: no, 100% no [latest-tag]\n    mend\n");
  CHECK(report(findings, LintFormat::github) ==
        "::error file=a.yml,line=3,col=5,title=latest-tag::no, 100%25 no%0Amend\n");
  auto json = formats::parse_json(report(findings, LintFormat::json));
  CHECK(json.at("findings").at(0).at("rule").as_string() == "latest-tag");
  auto sarif = formats::parse_json(report(findings, LintFormat::sarif));
  const auto& result = sarif.at("runs").at(0).at("results").at(0);
  CHECK(result.at("locations").at(0).at("physicalLocation").at("region").at("startLine").as_int() ==
        3);
  for (const auto& one : findings) {
    const auto& rules = lint_rules();
    CHECK(std::any_of(rules.begin(), rules.end(),
                      [&](const auto& rule) { return rule.name == one.rule; }));
  }
}

}  // namespace
}  // namespace slipway::workflow
