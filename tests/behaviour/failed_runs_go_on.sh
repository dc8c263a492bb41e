#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A failed job's machine is kept for `slipway shell` until it is discarded; `run --failed` runs what failed and what comes after it, with
# the outputs of what succeeded. A called workflow's outputs, a matrix and a file in the view are among it.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: jobs need root"; exit 77; }
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir -p "$work/app/.github/workflows"; cd "$work/app"; git init -qb main
cat >.github/workflows/called.yml <<'YML'
on: {workflow_call: {inputs: {word: {type: string, required: true}}, outputs: {said: {value: "${{ jobs.say.outputs.said }}"}}}}
jobs: {say: {runs-on: ubuntu-latest, outputs: {said: "${{ steps.s.outputs.said }}"}, steps: [{id: s, run: "echo said=${{ inputs.word }}-called >>$GITHUB_OUTPUT"}]}}
YML
cat >.github/workflows/a.yml <<'YML'
on: push
jobs:
  first: {uses: ./.github/workflows/called.yml, with: {word: hello}}
  legs:
    needs: first
    runs-on: ubuntu-latest
    strategy: {fail-fast: false, matrix: {n: [1, 2]}}
    steps: [{run: "echo made >/opt/made-here; echo leg-${{ matrix.n }} ${{ needs.first.outputs.said }}; [ ${{ matrix.n }} = 1 ] || [ '${{ vars.FIXED }}' = yes ]"}]
  last: {needs: legs, runs-on: ubuntu-latest, steps: [{run: echo last-one}]}
YML
git add -A; git -c user.name=T -c user.email=t@example.com commit -qm first
code=0; "$SLIPWAY" run .github/workflows/a.yml --cloud none --keep >"$work/log" 2>&1 || code=$?
[ $code = 1 ] && grep -q '|   leg-2 hello-called' "$work/log" && ! grep -q '|   last-one' "$work/log" || { cat "$work/log"; exit 1; }
[ "$("$SLIPWAY" shell 1 'legs (2)' -- sh -c 'cat /opt/made-here; echo more >/opt/more' 2>/dev/null)" = made ] && [ ! -e /opt/made-here ]
[ "$("$SLIPWAY" shell 1 'legs (2)' -- cat /opt/more 2>/dev/null)" = more ]
"$SLIPWAY" shell 1 'legs (2)' --discard >/dev/null 2>&1
! "$SLIPWAY" shell 1 'legs (2)' -- true 2>"$work/log" && grep -q "legs (2)" "$work/log"
"$SLIPWAY" run --failed 1 --var FIXED=yes >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
grep -q '|   leg-2 hello-called' "$work/log" && grep -q '|   last-one' "$work/log" && ! grep -q '|   leg-1 ' "$work/log" || { cat "$work/log"; exit 1; }
