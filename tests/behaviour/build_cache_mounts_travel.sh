#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --cache-to …,mounts=true: what RUN's cache mounts hold goes with the cache, and another machine's mounts begin with it.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
command -v busybox >/dev/null && command -v curl >/dev/null || { echo "skipped: no busybox or curl"; exit 77; }
work=$(mktemp -d); server=; trap 'kill $server 2>/dev/null || true; wait; rm -rf "$work"' EXIT
mkdir "$work/ctx"; cd "$work/ctx"; cp "$(command -v busybox)" busybox
cat >Dockerfile <<'D'
FROM scratch
COPY busybox /bin/busybox
SHELL ["/bin/busybox", "sh", "-ec"]
ARG N
RUN --mount=type=cache,target=/c,id=m,uid=7,mode=0750 --mount=type=cache,target=/other /bin/busybox ls /c >/was; /bin/busybox stat -c '%a %u' /c >/mode; echo $N >/c/f$N; /bin/busybox ln -s f$N /c/l$N; echo o >/other/o
D
"$SLIPWAY" registry serve --listen 127.0.0.1:0 --root "$work/registry" >"$work/serve" 2>&1 & server=$!
for _ in $(seq 100); do grep -q '^registry on' "$work/serve" && break; read -rt 0.1 <> <(:) || true; done
cache=$(sed -nE 's/^registry on ([0-9.:]+),.*/\1/p' "$work/serve")/app
built() { # MACHINE N OPTIONS…
  rm -rf "$work/out"; local machine=$1 n=$2; shift 2
  "$SLIPWAY" build --quiet --state "$work/$machine" --build-arg "N=$n" . "$@" -o type=local,dest="$work/out" >/dev/null 2>"$work/log" || { cat "$work/log"; exit 1; }
}
was() { [ "$(tr '\n' ' ' <"$work/out/was")" = "$1" ] || { echo "$2: the mount held '$(cat "$work/out/was")', not '$1'"; cat "$work/log"; exit 1; }; [ "$(cat "$work/out/mode")" = "750 7" ]; }
built a 1 --cache-to "type=registry,ref=$cache:1,mounts=true"; was "" "the first"
built b 2 --cache-from "$cache:1" --cache-to "type=local,dest=$work/dir,mounts=true"; was "f1 l1 " "from a registry"
built c 3 --cache-from "type=local,src=$work/dir"; was "f1 f2 l1 l2 " "from a directory"
built c 4 --cache-from "$cache:1"; was "f1 f2 f3 l1 l2 l3 " "what is here counts"
built d 5; was "" "without a cache"
# A build that runs no step hands on what it was given, without having fetched it for a mount.
built e 2 --cache-from "type=local,src=$work/dir" --cache-to "type=registry,ref=$cache:2,mounts=true"; [ ! -d "$work/e/images/build/cache" ] || [ -z "$(ls "$work/e/images/build/cache")" ]
built f 6 --cache-from "$cache:2"; was "f1 f2 l1 l2 " "handed on"
built g 7 --cache-from "$cache:1" --cache-to "type=registry,ref=$cache:3"; built h 8 --cache-from "$cache:3"; was "" "without mounts=true"
# A layer that cannot be had costs the mount its files, not the build.
rm -rf "$work/dir/blobs"; ! "$SLIPWAY" build --quiet . --cache-to type=inline,mounts=true >/dev/null 2>"$work/log" && grep -q 'an inline cache holds no mounts' "$work/log"
built i 9 --cache-from "type=local,src=$work/dir"; was "" "a broken cache"
echo "cache mounts travel with the cache"
