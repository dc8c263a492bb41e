#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A mistyped rule of an environment would protect nothing: it is refused. So is a start in a directory that is gone.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: jobs need root"; exit 77; }
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir -p "$work/app/.github/workflows" "$work/state" "$work/gone"; cd "$work/app"; git init -qb main
printf 'on: push\njobs:\n  a: {runs-on: ubuntu-latest, environment: production, steps: [{run: echo out}]}\n' >.github/workflows/a.yml
git add -A; git -c user.name=T -c user.email=t@example.com commit -qm first
refused() {  # SETTINGS MESSAGE
  echo "$1" >"$work/state/settings.json"
  local code=0; "$SLIPWAY" run --cloud none >"$work/log" 2>&1 || code=$?
  [ $code = 2 ] && grep -qF "$2" "$work/log" && ! grep -q '|   out' "$work/log" || { cat "$work/log"; echo "expected: $2"; exit 1; }
}
refused '{"environments": {"production": {"reviewer": ["ann"]}}}' "environment 'production' has the unknown key 'reviewer'; known are secrets, vars, reviewers"
refused '{"environments": {"production": {"wait_timer": -1}}}' 'wait_timer is a number of minutes up to 43200'
refused '{"environments": {"production": {"reviewers": "ann"}}}' "reviewers"
refused '{"environments": {"production": {"prevent_self_review": "yes"}}}' "prevent_self_review"
refused '{"environment": {}}' "there is the unknown key 'environment'; known are secrets, vars, environments"
cd "$work/gone"; rmdir "$work/gone"; rm "$work/state/settings.json"
code=0; "$SLIPWAY" plan >"$work/log" 2>&1 || code=$?
[ $code = 2 ] && grep -q 'the directory that slipway was started in is gone' "$work/log" || { cat "$work/log"; exit 1; }
