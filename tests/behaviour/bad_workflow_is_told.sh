#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A wrong workflow: every mistake with file:line:column, exit 2 from plan, exit 1 from lint, nothing started.
set -euo pipefail
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > w.yml <<'END'
on: push
jobs:
  a:
    needs: nobody
    runs-on: ubuntu-latest
    steps:
      - runn: echo
      - run: echo ${{ secret.x }}
END
code=0; said=$("$SLIPWAY" plan w.yml 2>&1) || code=$?
[ $code = 2 ]
for part in "w.yml:7:9: Unexpected value 'runn'" "w.yml:8:14: Unrecognized named-value: 'secret'" "w.yml:4"; do
  grep -qF "$part" <<<"$said" || { echo "not '$part' but: $said"; exit 1; }
done
code=0; said=$("$SLIPWAY" lint --format json w.yml) || code=$?
[ $code = 1 ] && [ "$(jq '[.findings[] | select(.rule == "syntax")] | length' <<<"$said")" = 5 ]
