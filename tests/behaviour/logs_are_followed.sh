#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `logs -f` shows what a step prints while it runs, and ends with the run; the log of a step is there while later ones run.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: jobs need root"; exit 77; }
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir -p "$work/app/.github/workflows"; cd "$work/app"; git init -qb main
printf 'on: push\njobs:\n  a: {runs-on: ubuntu-latest, steps: [{run: "echo one; until [ -e $GATE ]; do sleep 0.1; done; echo two"}, {id: last, run: echo three}]}\n' >.github/workflows/a.yml
git add -A; git -c user.name=T -c user.email=t@example.com commit -qm first
"$SLIPWAY" run --quiet --cloud none --host --env GATE="$work/go" >/dev/null 2>&1 & run=$!
for _ in $(seq 100); do "$SLIPWAY" events 1 >"$work/events" 2>/dev/null && grep -q step_started "$work/events" && break; sleep 0.1; done
"$SLIPWAY" logs 1 -f >"$work/log" & follow=$!
for _ in $(seq 100); do grep -qx one "$work/log" && break; sleep 0.1; done
grep -qx one "$work/log" && ! grep -qx two "$work/log" && kill -0 $follow $run
touch "$work/go"
wait $run && wait $follow
[ "$(grep -xE 'one|two|three' "$work/log" | tr '\n' ' ')" = 'one two three ' ]
[ "$("$SLIPWAY" logs 1 a/last | grep -cx three)" = 1 ]
