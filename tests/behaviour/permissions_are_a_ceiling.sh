#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A token is there for who may have it: through called workflows it can only get less, and one that asks for more starts nothing.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root: jobs are containers"; exit 77; }
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir -p "$work/app/.github/workflows"; cd "$work/app/.github/workflows"; git init -q -b main ../..
printf 'on: workflow_call\njobs:\n  leaf:\n    runs-on: ubuntu-latest\n    steps: [{run: "echo oidc:${ACTIONS_ID_TOKEN_REQUEST_URL:+yes}"}]\n' >leaf.yml
printf 'on: workflow_call\njobs: {mid: {uses: ./.github/workflows/leaf.yml}}\n' >mid.yml
printf 'on: workflow_call\npermissions: {id-token: write}\njobs: {leaf: {runs-on: ubuntu-latest, steps: [{run: echo x}]}}\n' >asks.yml
cat >main.yml <<'END'
on: [push, pull_request]
permissions: { contents: read }
jobs:
  gets: { uses: ./.github/workflows/mid.yml, permissions: { id-token: write } }
  not: { uses: ./.github/workflows/mid.yml }
END
printf 'on: workflow_dispatch\npermissions: {contents: read}\njobs: {call: {uses: ./.github/workflows/asks.yml}}\n' >wrong.yml
git add -A; git -c user.name=a -c user.email=a@b commit -qm first
cd ../..; "$SLIPWAY" run --cloud none .github/workflows/main.yml >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
grep -q 'gets / mid / leaf |   oidc:yes' "$work/log" && grep -q 'not / mid / leaf |   oidc:$' "$work/log" && grep -q '|   IdToken: write' "$work/log"
echo '{"pull_request": {"head": {"repo": {"full_name": "someone/fork", "fork": true}}}}' >"$work/fork.json"
"$SLIPWAY" run --cloud none --event pull_request --payload "$work/fork.json" .github/workflows/main.yml >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
grep -q 'gets / mid / leaf |   oidc:$' "$work/log"  # a fork's code signs nothing
! "$SLIPWAY" run --cloud none .github/workflows/wrong.yml 2>"$work/log"
grep -q "wrong.yml:3:8: Error calling workflow .* is requesting 'id-token: write', but is only allowed 'id-token: none'" "$work/log"
