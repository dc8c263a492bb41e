#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What init writes for a Next.js frontend with a FastAPI backend, and for a Django one, goes up as it is: tests, images, deployment, page;
# so does examples/django.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in crun haproxy mmdebstrap npm jq; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
npm view next version >/dev/null 2>&1 || { echo "skipped: no npm registry"; exit 77; }
apps=$(dirname "$(readlink -f "$0")")/../deploy/fresh_app.sh
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
if ! "$REPO/tools/base-images" --check; then
  images=${XDG_CACHE_HOME:-$HOME/.cache}/slipway/base-images; "$REPO/tools/base-images" "$images"
  for image in debian-bookworm-slim node-20-bookworm-slim postgres-15; do "$SLIPWAY" image import "$images/$image" >/dev/null; done
fi
goes_up() {  # goes_up NAME SERVICE PATH ANSWER PART...: init, lint and up of an app of these parts (none: the example); afterwards its service answers
  local name=$1 service=$2 path=$3 answer=$4 url; shift 4
  mkdir "$work/$name"; cd "$work/$name"; git init -qb main; git remote add origin "https://github.com/acme/$name.git"
  for part; do bash "$apps" "$part"; done
  if [ $# = 0 ]; then cp -r "$REPO/examples/django/." .; else "$SLIPWAY" init >/dev/null 2>&1; fi
  "$SLIPWAY" lint >/dev/null
  git add -A; git -c user.name=Ada -c user.email=ada@example.com commit -qm first
  "$SLIPWAY" up --json >up.json 2>up.log || { tail -n 60 up.log; exit 1; }
  url=$(tail -n 1 up.json | jq -r ".services[] | select(.service == \"$service\").url")
  curl -fsS --max-time 20 "$url$path" | grep -q "$answer" || { echo "$name: no '$answer' at $url$path"; exit 1; }
}
goes_up fast frontend / 'Hello from app' next fastapi
goes_up shop backend /greeting 'Hello, 0 users' django
goes_up guestbook web / Guestbook
