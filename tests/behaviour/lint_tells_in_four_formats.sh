#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# lint says the same in text, JSON, SARIF and annotations; a comment silences a rule; only errors fail, with --strict warnings, too.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir -p "$work/.github/workflows"; cd "$work"
cat > .github/workflows/a.yml <<'END'
on: pull_request
permissions: {contents: read}
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - uses: acme/thing@v1 # slipway: ignore[unpinned-uses]
      - uses: acme/other@v1
      - run: echo ${{ github.ref_name }}
END
lint() { "$SLIPWAY" lint --no-shellcheck "$@"; }
lint > text; grep -qx '\.github/workflows/a.yml:8:15: warning: .*\[unpinned-uses\]' text; ! grep -q ':7:.*unpinned-uses' text
[ "$(lint --format json | jq -c '[.findings[] | select(.level == "warning") | [.line, .rule]]')" = '[[8,"unpinned-uses"],[9,"template-injection"]]' ]
lint --format sarif | jq -e '.version == "2.1.0" and (.runs[0].results | length) == 2 and
  (.runs[0] as $run | all($run.results[]; . as $one | any($run.tool.driver.rules[]; .id == $one.ruleId)))' >/dev/null
lint --format github | grep -q '^::warning file=.github/workflows/a.yml,line=9,col=14,title=template-injection::'
code=0; lint --strict >/dev/null || code=$?; [ $code = 1 ]
sed -i 's/github.ref_name/github.head_ref/' .github/workflows/a.yml
code=0; lint >/dev/null || code=$?; [ $code = 1 ]
cp .github/workflows/a.yml ignored.yml; sed -i 's/on: pull_request/on: pull_requests/' ignored.yml
[ "$(lint ignored.yml --format json | jq -c '[.findings[] | [.line, .column, .rule]]')" = '[[1,5,"syntax"]]' ]
