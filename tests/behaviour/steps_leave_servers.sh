#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a step leaves in the background goes on to the job's end, however much it writes, and ends there; what it writes in the
# first 5 s is the step's output. In a view, in a container and with --host.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: jobs need root"; exit 77; }
for tool in crun nft busybox; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir -p "$work/app/.github/workflows" "$work/image"; cd "$work/app"; git init -qb main
cp "$(command -v busybox)" "$work/image/busybox"
printf 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "/bin"]\n' >"$work/image/Dockerfile"
"$SLIPWAY" build --quiet -t shell:1 "$work/image"
steps='steps: [{run: "(sleep 1; echo late-1; sleep 5; while :; do echo x; touch alive; sleep 0.1; done) & (sleep 4323) &"}, {run: "rm -f alive; sleep 1; test -e alive"}]'
printf 'on: push\njobs:\n  view: {runs-on: ubuntu-latest, %s}\n  box: {runs-on: ubuntu-latest, container: "shell:1", %s}\n' "$steps" "$steps" >.github/workflows/a.yml
git add -A; git -c user.name=T -c user.email=t@example.com commit -qm first
"$SLIPWAY" run --cloud none >"$work/out" 2>&1
[ "$(grep -c '|   late-1$' "$work/out")" = 2 ]
"$SLIPWAY" run --cloud none --host --job view >"$work/out" 2>&1
[ "$(grep -c '|   late-1$' "$work/out")" = 1 ]
! pgrep -f '^sleep 4323'
