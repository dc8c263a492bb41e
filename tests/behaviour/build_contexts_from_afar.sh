#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A context may be a git repository (branch, tag, commit, directory), a tar (file, standard input, address) or a Dockerfile; ADD takes repositories.
set -euo pipefail
[ "$(id -u)" = 0 ] && command -v git >/dev/null && command -v python3 >/dev/null || { echo "skipped: needs root, git, python3"; exit 77; }
work=$(mktemp -d); pids=(); trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
export SLIPWAY_STATE=$work/state GIT_CONFIG_GLOBAL=$work/gitconfig; git config --global user.email a@b.c; git config --global user.name a
mkdir -p "$work/src/app" "$work/www" "$work/lib"; cd "$work/lib"; git init -q -b main; echo lib >l; git add .; git commit -qm l; git clone -q --bare . "$work/www/lib.git"
cd "$work/src"; git init -q -b main; printf '[submodule "sub"]\n\tpath = sub\n\turl = ../lib.git\n' >.gitmodules; git update-index --add --cacheinfo "160000,$(git -C "$work/lib" rev-parse HEAD),sub"; mkdir sub
printf 'FROM scratch\nCOPY . /x/\n' | tee app/Dockerfile app/Other >Dockerfile; echo one >app/f; git add .; git commit -qm one; git tag -a -m t v1
echo two >app/f; git commit -qam two; git branch side; old=$(git rev-parse v1^{commit}); git clone -q --bare . "$work/www/r.git"
python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' >"$work/port"; port=$(cat "$work/port")
git daemon --export-all --reuseaddr --listen=127.0.0.1 --port="$port" --base-path="$work/www" >"$work/daemon" 2>&1 & pids+=($!)
python3 -u - "$work/www" >"$work/http" 2>&1 <<'PY' & pids+=($!)
import functools, http.server, sys
serve = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), serve); print(server.server_port, flush=True); server.serve_forever()
PY
for _ in $(seq 100); do [ -s "$work/http" ] && git ls-remote -q "git://127.0.0.1:$port/r.git" >/dev/null 2>&1 && break; read -rt 0.1 <> <(:) || true; done
git=git://127.0.0.1:$port/r.git; web=http://127.0.0.1:$(head -1 "$work/http")
built() { rm -rf "$work/out"; "$SLIPWAY" build --quiet -o "$work/out" "$@" >/dev/null 2>"$work/log" || { cat "$work/log"; return 1; }; }
is() { [ "$(cat "$work/out/$1")" = "$2" ] || { echo "$1 is not '$2': $3"; exit 1; }; }
built "$git"; is x/app/f two HEAD; [ ! -e "$work/out/x/.git" ]; is x/sub/l lib submodule; [ ! -e "$work/out/x/sub/.git" ]
built "$git#v1"; is x/app/f one tag; built "$git#side:app"; is x/f two branch; built "$git#$old:app"; is x/f one commit
built -f Other "$git#:app"; is x/f two "-f"
built --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=1 "$git#v1"; [ "$(git -C "$work/out/x" rev-parse HEAD)" = "$old" ]
if built "$git#none" || built "$git#v1:none" >/dev/null; then echo "built what is not there"; exit 1; fi
tar -C app -cf "$work/a.tar" .; tar -C app -czf "$work/www/a.tgz" .
built - <"$work/a.tar"; is x/f two "tar by stdin"; built -f Other - <"$work/www/a.tgz"; is x/f two "tgz by stdin"
built "$work/a.tar"; is x/f two "tar file"; built "$web/a.tgz"; is x/f two "tar by address"
printf 'FROM scratch\nCOPY <<E /x/f\ndoc\nE\n' >"$work/www/D"; built - <"$work/www/D"; is x/f doc stdin; built "$web/D"; is x/f doc address
add() { printf 'FROM scratch\nADD %s /x/\n' "$1" >"$work/D"; built -f "$work/D" app; }
add "--keep-git-dir=true $git#v1"; is x/app/f one ADD; [ "$(git -C "$work/out/x" rev-parse HEAD)" = "$old" ]
add "--checksum=$old $git#v1:app"; is x/f one checksum; ! add "--checksum=$old $git#main:app" >/dev/null || { echo "a wrong checksum passed"; exit 1; }
built "$git?ref=v1&subdir=app"; is x/f one "a query"; built "$git?branch=side#:app"; is x/f two "a branch's query"; built -f app/Other "$git?submodules=false"; [ ! -e "$work/out/x/sub/l" ]
add "$git?tag=v1&keep-git-dir"; is x/app/f one "ADD's query"; [ -d "$work/out/x/.git" ]; add "$git?commit=$old"; is x/app/f one "a commit's query"
for wrong in "ref=v1&checksum=$(git rev-parse side)" nope=1 tag=v1\&branch=side ref= subdir=none; do ! built "$git?$wrong" >/dev/null || { echo "built from ?$wrong"; exit 1; }; done
echo "repositories, archives and addresses are contexts"
