#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of a run: the next command ends its processes, mounts, networks and control groups, and says that the run is lost; with
# --host, too.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: jobs need root"; exit 77; }
for tool in crun nft jq; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir -p "$work/app/.github/workflows"; cd "$work/app"; git init -qb main
printf 'on: push\njobs:\n  a: {runs-on: ubuntu-latest, steps: [{run: "echo mark-%s; sleep 4321"}]}\n' "$$" >.github/workflows/a.yml
git add -A; git -c user.name=T -c user.email=t@example.com commit -qm first
"$SLIPWAY" run --quiet --cloud none & run=$!
for _ in $(seq 300); do pgrep -f 'sleep 4321' >/dev/null && break; sleep 0.1; done
job=$(pgrep -f '^sleep 4321' | head -1)
kill -9 "$run"; wait "$run" || true
[ "$("$SLIPWAY" runs --json | jq -r '.[0].conclusion')" = lost ]
[ ! -d "/proc/$job" ] || ! grep -q 4321 "/proc/$job/cmdline"
! grep -q "$SLIPWAY_STATE" /proc/self/mountinfo
[ ! -e "$SLIPWAY_STATE/runs/1/jobs" ]
id=$(printf %s "$(readlink -f "$SLIPWAY_STATE")" | sha256sum | cut -c1-6)
! ip -o link | grep -q "sw$id"
! nft list tables | grep -q "slipway_$id"
! find /sys/fs/cgroup -maxdepth 3 -path "*slipway/$id/*" -type d | grep -q .
"$SLIPWAY" events 1 | tail -1 | jq -e '.type == "run_finished" and .conclusion == "lost"' >/dev/null
"$SLIPWAY" run --quiet --cloud none --host & run=$!
for _ in $(seq 300); do pgrep -f '^sleep 4321' >/dev/null && break; sleep 0.1; done
kill -9 "$run"; wait "$run" || true; pgrep -f '^sleep 4321' >/dev/null
[ "$("$SLIPWAY" runs --json | jq -r '.[0].conclusion')" = lost ]
for _ in $(seq 50); do pgrep -f '^sleep 4321' >/dev/null || exit 0; sleep 0.1; done; exit 1
