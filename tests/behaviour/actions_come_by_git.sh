#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An action is fetched by git from the server that GITHUB_SERVER_URL names, recorded in slipway.lock, and refused when its tag moved.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: jobs need root"; exit 77; }
[ -x "$(git --exec-path)/git-http-backend" ] && command -v python3 >/dev/null || { echo "skipped: no git-http-backend or python3"; exit 77; }
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap 'kill $server 2>/dev/null || true; "$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
commit() { git -c user.name=T -c user.email=t@example.com -C "$1" commit -qam "$2"; }
mkdir -p "$work/srv/cgi-bin" "$work/git/tools/hello"; git init -qb main "$work/git/tools/hello"
say() { printf 'runs:\n  using: composite\n  steps: [{run: echo %s, shell: bash}]\n' "$1" >"$work/git/tools/hello/action.yml"; git -C "$work/git/tools/hello" add -A; commit "$work/git/tools/hello" "$1"; git -C "$work/git/tools/hello" tag -f v1 >/dev/null; }
say hello-one
printf '#!/bin/sh\nexport GIT_PROJECT_ROOT=%s/git GIT_HTTP_EXPORT_ALL=1\nexec "$(git --exec-path)/git-http-backend"\n' "$work" >"$work/srv/cgi-bin/git"; chmod +x "$work/srv/cgi-bin/git"
(cd "$work/srv" && exec python3 -u -c 'import http.server
http.server.CGIHTTPRequestHandler.have_fork = False  # it would become nobody
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.CGIHTTPRequestHandler); print(server.server_port); server.serve_forever()') >"$work/port" 2>/dev/null & server=$!
for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.1; done
mkdir -p "$work/app/.github/workflows"; cd "$work/app"; git init -qb main
printf 'on: push\njobs:\n  a: {runs-on: ubuntu-latest, steps: [{uses: tools/hello@v1}]}\n' >.github/workflows/a.yml; git add -A; commit . first
run() { GITHUB_SERVER_URL=http://127.0.0.1:$(cat "$work/port")/cgi-bin/git "$SLIPWAY" run --cloud none "$@" >"$work/log" 2>&1; }
run || { cat "$work/log"; exit 1; }
grep -q '|   hello-one$' "$work/log" && grep -q "\"tools/hello@v1\": \"$(git -C "$work/git/tools/hello" rev-parse v1)\"" slipway.lock
say hello-two
code=0; run || code=$?
[ $code = 1 ] && grep -q 'the tag tools/hello@v1 was moved: slipway.lock has .* on record, the server says .*--update-lock' "$work/log" && ! grep -q hello-two "$work/log"
run --update-lock && grep -q '|   hello-two$' "$work/log" && grep -q "$(git -C "$work/git/tools/hello" rev-parse v1)" slipway.lock
code=0; GITHUB_SERVER_URL=ftp://x "$SLIPWAY" run --cloud none 2>"$work/log" || code=$?
[ $code = 2 ] && grep -q "GITHUB_SERVER_URL is the address of a server, https://…, not 'ftp://x'" "$work/log"
