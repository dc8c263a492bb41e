#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench/steps.sh SLIPWAY: what the engine adds to the steps themselves: 200 steps of `true` over 200 starts of the shell, and 100 MB of output
# masked with ten secrets. Needs root, as jobs do.
set -euo pipefail
slipway=$(readlink -f "$1")
work=$(mktemp -d "${TMPDIR:-/tmp}/slipway-steps-XXXXXX")
export SLIPWAY_STATE=$work/state
trap '"$slipway" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
cd "$work"; git init -q -b main .; mkdir -p .github/workflows
{ printf 'on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n'; for _ in $(seq 200); do echo "      - run: 'true'"; done; } >.github/workflows/steps.yml
# Text as logs have it: lines of 80 bytes; the time is that of the step less that of the same into /dev/null.
cat >.github/workflows/output.yml <<'TEXT'
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - run: for i in $(seq 16384); do printf 'line %07d of a log that says what a compiler or a test runner usually says...\n' "$i"; done > block
      - run: for _ in $(seq 78); do cat block; done > /dev/null
      - run: for _ in $(seq 78); do cat block; done
TEXT
git add -A; git -c user.name=Bench -c user.email=bench@example.com commit -qm bench
took() { jq -r 'select(.type == "step_finished" and .step_name != "Set up job") | .took_ms' "$SLIPWAY_STATE/runs/$1/events.jsonl"; }
secrets=(); for i in $(seq 10); do secrets+=(--secret "S$i=secret-value-number-$i-$(head -c 12 /dev/urandom | base64)"); done
"$slipway" run --quiet --cloud none .github/workflows/steps.yml "${secrets[@]}"
ours=$(took 1 | awk '{ s += $1 } END { print s }')
start=$(date +%s%N); for _ in $(seq 200); do echo true >t.sh; bash -e t.sh; done; shells=$((($(date +%s%N) - start) / 1000000))
printf '200 steps of true: %5d ms, 200 shells alone: %5d ms: %s ms a step over the shell\n' "$ours" "$shells" "$(awk "BEGIN { printf \"%.1f\", ($ours - $shells) / 200 }")"
"$slipway" run --quiet --cloud none .github/workflows/output.yml "${secrets[@]}"
mapfile -t times < <(took 2)
bytes=$(wc -c <"$SLIPWAY_STATE/runs/2/logs/a/04.log")
printf 'masked output: %d MB in %d ms: %d MB/s\n' $((bytes / 1000000)) $((times[2] - times[1])) $((bytes / 1000 / (times[2] - times[1] + 1)))
