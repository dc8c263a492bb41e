#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench/run.sh SLIPWAY [N]: medians of N (3) on the example app with the local AWS: a warm `up` with nothing changed, one backend line changed until
# the new task serves, a rollback until the former commit answers.
set -euo pipefail
slipway=$(readlink -f "$1"); times=${2:-3}
repo=$(readlink -f "$(dirname "$(readlink -f "$0")")/..")
work=$(mktemp -d "${TMPDIR:-/tmp}/slipway-bench-XXXXXX"); app=$work/app
export SLIPWAY_STATE=$work/state
trap '"$slipway" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir "$app"; cp -r "$repo/examples/fullstack/." "$app/"; rm -rf "$app/frontend/node_modules" "$app/frontend/.next"
commit() { git -C "$app" add -A; git -C "$app" -c user.name=Bench -c user.email=bench@example.com commit -qm "$1"; git -C "$app" rev-parse HEAD; }
git -C "$app" init -qb main; git -C "$app" remote add origin https://github.com/acme/myapp.git; commit first >/dev/null
if ! "$repo/tools/base-images" --check; then
  images=${XDG_CACHE_HOME:-$HOME/.cache}/slipway/base-images
  "$repo/tools/base-images" "$images" >&2
  for image in debian-bookworm-slim node-20-bookworm-slim postgres-15; do "$slipway" image import "$images/$image" >/dev/null; done
fi
up() { (cd "$app" && "$slipway" up --quiet "$@"); }
ms() { echo $(($(date +%s%N) / 1000000)); }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
serves() { python3 "$repo/bench/serves.py" "$url" "$1"; }

url=$(up --json 2>/dev/null | tail -n 1 | jq -r '.services[0].url')
warm=(); changed=(); back=()
for i in $(seq "$times"); do
  echo "# $i" >>"$app/backend/app/settings.py"; sha=$(commit "change $i")
  start=$(ms); up >"$work/up.log" 2>&1 & pid=$!
  serves "$sha"; changed+=($(($(ms) - start))); wait $pid
  start=$(ms); up >/dev/null 2>&1; warm+=($(($(ms) - start)))
  start=$(ms); (cd "$app" && "$slipway" rollback staging --yes >/dev/null 2>&1) & pid=$!
  former=$(git -C "$app" rev-parse HEAD~1); serves "$former"; back+=($(($(ms) - start))); wait $pid
  "$slipway" resume staging >/dev/null  # the rollback has paused automatic deployments
done
printf 'warm up, nothing changed        %6s ms\n' "$(printf '%s\n' "${warm[@]}" | median)"
printf 'one backend line until it serves %5s ms\n' "$(printf '%s\n' "${changed[@]}" | median)"
printf 'rollback until it serves        %6s ms\n' "$(printf '%s\n' "${back[@]}" | median)"
