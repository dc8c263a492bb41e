#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Repositories and archives whose Dockerfile, .dockerignore or directories are links out, or whose submodules run programs: nothing of the host shows.
set -euo pipefail
[ "$(id -u)" = 0 ] && command -v git >/dev/null && command -v python3 >/dev/null || { echo "skipped: needs root, git, python3"; exit 77; }
work=$(mktemp -d); pids=(); trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
export SLIPWAY_STATE=$work/state GIT_CONFIG_GLOBAL=$work/gitconfig; git config --global user.email a@b.c; git config --global user.name a
out=$work/outside; mkdir -p "$out" "$work/www"; printf 'SHOULDNTSEETHIS [a\n' >"$out/canary"; printf 'FROM scratch\nCOPY canary /\n' >"$out/Dockerfile"
python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' >"$work/port"; port=$(cat "$work/port")
git daemon --export-all --reuseaddr --listen=127.0.0.1 --port="$port" --base-path="$work/www" >"$work/daemon" 2>&1 & pids+=($!)
tried=0
seen() { if grep -raq SHOULDNTSEETHIS "$work/got" "$work/log" 2>/dev/null || [ -e "$out/run" ]; then echo "seen by: $1"; exit 1; fi; rm -rf "$work/got"; tried=$((tried + 1)); }
try() {  # NAME FRAGMENT OPTIONS...: the repository made in $work/src
  local name=$1 fragment=$2; shift 2; cd "$work/src"; git init -q -b main; git add -A; [ ! -e s ] || git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,s; git commit -qm x; git clone -q --bare . "$work/www/$name.git"
  for _ in $(seq 100); do git ls-remote -q "git://127.0.0.1:$port/$name.git" >/dev/null 2>&1 && break; read -rt 0.1 <> <(:) || true; done
  timeout 60 "$SLIPWAY" build "git://127.0.0.1:$port/$name.git#$fragment" -o "$work/got" "$@" >"$work/log" 2>&1 || true; seen "$name"
  tar --exclude .git -cf - . | timeout 60 "$SLIPWAY" build - -o "$work/got" "$@" >"$work/log" 2>&1 || true; seen "$name as a tar"
  cd "$work"; rm -rf "$work/src"; mkdir "$work/src"; }
mkdir "$work/src"; plain='FROM scratch\nCOPY . /x/\n'
ln -s "$out/canary" "$work/src/Dockerfile"; try dockerfile main
ln -s "../../../../../../../..$out/canary" "$work/src/Other"; try other main -f Other
printf "$plain" >"$work/src/Dockerfile"; ln -s "$out/canary" "$work/src/.dockerignore"; try ignore main
printf "$plain" >"$work/src/Dockerfile"; ln -s "$out/canary" "$work/src/Dockerfile.dockerignore"; try ignore_beside main -f Dockerfile
printf "$plain" >"$work/src/Dockerfile"; ln -s "$out" "$work/src/sub"; try subdirectory main:sub
printf "$plain" >"$work/src/Dockerfile"; ln -s "$out" "$work/src/sub"; try below_link main -f sub/Dockerfile
printf "$plain" >"$work/src/Dockerfile"; try climbing "main:../../../../../../../..$out"
printf 'FROM scratch\nCOPY sub/canary /seen\n' >"$work/src/Dockerfile"; ln -s "$out" "$work/src/sub"; try through_link main
mkdir "$work/src/s"; printf '[submodule "s"]\n\tpath = s\n\turl = ext::sh -c touch%% %s/run\n' "$out" >"$work/src/.gitmodules"; printf "$plain" >"$work/src/Dockerfile"; try submodule main
echo "$tried foreign contexts stayed inside"
