#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A broken task definition, Dockerfile or workflow: its place and exit 2; without root: what to do and exit 3; no cloud was started.
set -euo pipefail
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap 'rm -rf "$work"' EXIT
cp -r "$REPO/examples/fullstack" "$work/app"; rm -rf "$work/app/frontend/node_modules"; cd "$work/app"
git init -qb main; git remote add origin https://github.com/acme/myapp.git; git add -A
git -c user.name=T -c user.email=t@example.com commit -qm first
expect() {  # expect CODE TEXT COMMAND...
  local wanted=$1 text=$2 code=0 said; shift 2
  said=$("$@" 2>&1) || code=$?
  [ "$code" = "$wanted" ] && grep -qF "$text" <<<"$said" || { echo "exit $code, not $wanted with '$text': $said"; exit 1; }
}
expect 0 "slipway 0." "$SLIPWAY" --version
sed -i '5s/,//' deploy/staging/backend.json
expect 2 "deploy/staging/backend.json:6:3" "$SLIPWAY" up; git checkout -q .
sed -i 's/^FROM debian/FRM debian/' backend/Dockerfile
expect 2 "backend/Dockerfile:1: unknown instruction: FRM" "$SLIPWAY" build backend -t x; git checkout -q .
sed -i 's/runs-on/runson/' .github/workflows/deploy.yml
expect 2 ".github/workflows/deploy.yml:14:5: Unexpected value 'runson'" "$SLIPWAY" up; git checkout -q .
expect 2 "'serve' is not supported yet" "$SLIPWAY" serve --listen 127.0.0.1:0
[ ! -e "$SLIPWAY_STATE/cloud" ]
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  cp "$SLIPWAY" "$work/slipway"; mkdir "$work/home"; chmod -R a+rX "$work"; chmod 777 "$work/home"
  printf '[safe]\n\tdirectory = *\n' >"$work/home/.gitconfig"
  expect 3 "containers and networks need root" setpriv --reuid=65534 --regid=65534 --clear-groups \
    env HOME="$work/home" SLIPWAY_STATE="$work/home/s" "$work/slipway" up
fi
