#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at writes, renames and fsyncs all over a build: the next build gives the very image that an undisturbed one gives.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in strace skopeo busybox; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
export ASAN_OPTIONS=detect_leaks=0 SOURCE_DATE_EPOCH=1700000000  # the leak checker needs ptrace itself
mkdir -p "$work/ctx/d"; cp "$(command -v busybox)" "$work/ctx/busybox"; for i in $(seq 20); do echo "$i" >"$work/ctx/d/$i"; done
printf 'FROM scratch AS a\nCOPY busybox /bin/busybox\nCOPY d /d\nRUN ["/bin/busybox", "sh", "-c", "echo 1 > /one"]\nFROM scratch\nCOPY --from=a /one /d /x/\n' >"$work/ctx/Dockerfile"
build() { "$SLIPWAY" build --quiet --state "$work/$1" "$work/ctx" -t app:1 -o type=oci,dest="$work/$1.tar",rewrite-timestamp=true; }
want=$(build whole); killed=0
for call in write rename fsync renameat2 linkat mkdir; do
  for n in 1 3 7 15 30 60; do
    rm -f "$work/torn.tar"
    strace -f -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when="$n" "$SLIPWAY" build --quiet --state "$work/torn" "$work/ctx" -t app:1 >/dev/null 2>&1 || killed=$((killed + 1))
    got=$(build torn) || { echo "after $call $n the build fails"; exit 1; }
    [ "$got" = "$want" ] || { echo "after $call $n: $got, not $want"; exit 1; }
    [ $((n % 2)) = 0 ] || rm -rf "$work/torn"
  done
done
skopeo copy -q "oci-archive:$work/torn.tar" "dir:$work/out"
[ "$killed" -ge 8 ] || { echo "killed $killed times only"; exit 1; }
echo "killed $killed times, always the same image"
