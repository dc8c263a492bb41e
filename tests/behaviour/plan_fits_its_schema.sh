#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# plan --json is what docs/plan.schema.json says, for workflows with everything in them and for none that starts.
set -euo pipefail
python3 -c 'import jsonschema' 2>/dev/null || { echo "skipped: no python3-jsonschema"; exit 77; }
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/app/.github/workflows"; cd "$work/app"; git init -q -b main
cat > .github/workflows/all.yml <<'END'
on: {push: {branches: [main]}, workflow_dispatch: {inputs: {n: {type: number, default: 2}}}}
concurrency: {group: "${{ github.ref }}"}
jobs:
  test: {runs-on: "${{ matrix.os }}", strategy: {max-parallel: 1, matrix: {os: [a, b], v: [1, {x: 2}]}}, steps: [{run: x}]}
  late: {needs: test, runs-on: [a, b], strategy: {matrix: "${{ fromJSON(needs.test.outputs.m) }}"}, steps: [{run: x}]}
  never: {if: false, runs-on: {group: g, labels: l}, steps: [{run: x}]}
  call: {needs: [test], uses: ./.github/workflows/called.yml}
  live: {needs: late, if: failure(), environment: {name: "${{ needs.late.result }}"}, concurrency: c, runs-on: a, steps: [{run: x}]}
END
echo 'on: workflow_call
jobs: {inner: {runs-on: x, steps: [{run: x}]}}' > .github/workflows/called.yml
git add -A; git -c user.name=a -c user.email=a@b commit -qm first
check() {
  "$SLIPWAY" plan --json "$@" | python3 -W ignore -c 'import json, jsonschema, sys
jsonschema.validate(json.load(sys.stdin), json.load(open(sys.argv[1])))' "$REPO/docs/plan.schema.json"
}
check; check --event workflow_dispatch --input n=3; check --event pull_request; check --job late
