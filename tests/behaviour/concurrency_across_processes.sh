#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A concurrency group holds across processes, whatever its case: one runs, the newest that waits replaces the others, and
# cancel-in-progress ends the one that runs.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: jobs need root"; exit 77; }
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir -p "$work/app/.github/workflows"; cd "$work/app"; git init -qb main
cat >.github/workflows/a.yml <<'YML'
on: push
concurrency: {group: "Deploy-${{ github.ref_name }}"}
jobs: {a: {runs-on: ubuntu-latest, steps: [{run: "echo began-$$; until [ -e $GATE ]; do sleep 0.1; done"}]}}
YML
cat >.github/workflows/b.yml <<'YML'
on: workflow_dispatch
concurrency: {group: deploy-MAIN, cancel-in-progress: true}
jobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo mine}]}}
YML
git add -A; git -c user.name=T -c user.email=t@example.com commit -qm first
start() { "$SLIPWAY" run --cloud none --host --env GATE="$work/$2" >"$work/log$1" 2>&1 & }  # NUMBER GATE
says() { for _ in $(seq 300); do grep -q -- "$2" "$work/log$1" && return; sleep 0.1; done; cat "$work/log$1"; exit 1; }
ends() { local code=0; wait "$1" || code=$?; [ $code = "$2" ] || { echo "run ended with $code, not $2"; cat "$work"/log*; exit 1; }; }
start 1 go; first=$!; says 1 '|   began-[0-9]'
start 2 go; second=$!; says 2 "waiting for concurrency group 'Deploy-main', held by run 1"
start 3 never; third=$!
ends $second 130; kill -0 $third $first
touch "$work/go"; ends $first 0; says 3 '|   began-[0-9]'
"$SLIPWAY" run --event workflow_dispatch .github/workflows/b.yml --cloud none --host >"$work/log4" 2>&1
ends $third 130; says 4 '|   mine'
[ "$("$SLIPWAY" runs --json | jq -r '[.[].conclusion] | join(" ")')" = 'success cancelled cancelled success' ]
