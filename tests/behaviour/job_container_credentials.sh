#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `container:` with `credentials:` from a registry that asks for a password: the right one runs, a wrong one is told.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: jobs need root"; exit 77; }
for tool in crun nft busybox; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
work=$(mktemp -d); export SLIPWAY_STATE=$work/state HOME=$work/home
trap 'kill $registry 2>/dev/null || true; "$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir -p "$work/app/.github/workflows" "$work/image" "$work/home"; cd "$work/app"; git init -qb main
cp "$(command -v busybox)" "$work/image/busybox"
printf 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "/bin"]\n' >"$work/image/Dockerfile"
printf 'ann:{SHA256}%s\n' "$(printf %s pass-word-1 | sha256sum | cut -d' ' -f1)" >"$work/users"
"$SLIPWAY" registry serve --listen 127.0.0.1:0 --root "$work/registry" --htpasswd "$work/users" >"$work/at" 2>&1 & registry=$!
for _ in $(seq 100); do at=$(grep -o '127\.0\.0\.1:[0-9]*' "$work/at" | head -1) && break; sleep 0.1; done
mkdir -p "$HOME/.docker"; printf '{"auths": {"%s": {"auth": "%s"}}}' "$at" "$(printf ann:pass-word-1 | base64)" >"$HOME/.docker/config.json"
"$SLIPWAY" build --quiet -t "$at/box:1" --push "$work/image"; rm -r "$HOME/.docker"
cat >.github/workflows/a.yml <<YML
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    container: {image: "$at/box:1", credentials: {username: ann, password: "\${{ secrets.PASSWORD }}"}}
    steps: [{run: echo in-the-box}]
YML
git add -A; git -c user.name=T -c user.email=t@example.com commit -qm first
run() { code=0; "$SLIPWAY" --state "$1" run --cloud none --secret "PASSWORD=$2" >"$work/log" 2>&1 || code=$?; }
run "$work/state2" wrong-word-2
[ $code = 1 ] && grep -Eqi 'unauthorized|denied|401|credentials' "$work/log" && ! grep -q 'wrong-word-2\||   in-the-box$' "$work/log" || { cat "$work/log"; exit 1; }
run "$work/state2" pass-word-1
[ $code = 0 ] && grep -q '|   in-the-box$' "$work/log" && ! grep -q pass-word-1 "$work/log" || { cat "$work/log"; exit 1; }
"$SLIPWAY" --state "$work/state2" down --purge >/dev/null 2>&1 || true
