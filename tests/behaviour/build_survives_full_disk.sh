#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A disk that is full at the Nth write, directory, link or flush, or is just too small: the build says so and how to mend it, what was named
# before stays whole, nothing half is ever used, and with room again the very image comes out that an undisturbed build gives.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in strace busybox python3; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
work=$(mktemp -d); mkdir "$work/small"; trap 'umount "$work/small" 2>/dev/null || true; rm -rf "$work"' EXIT
export ASAN_OPTIONS=detect_leaks=0 SOURCE_DATE_EPOCH=1700000000  # the leak checker needs ptrace itself
mkdir -p "$work/ctx/d"; cp "$(command -v busybox)" "$work/ctx/busybox"; for i in $(seq 20); do echo "$i" >"$work/ctx/d/$i"; done
printf 'FROM scratch AS a\nCOPY busybox /bin/busybox\nCOPY d /d\nRUN ["/bin/busybox", "sh", "-c", "echo 1 > /one"]\nFROM scratch\nCOPY --from=a /one /d /x/\n' >"$work/ctx/Dockerfile"
printf 'FROM scratch\nCOPY d/1 /old\n' >"$work/ctx/Old"
build() { "$SLIPWAY" build --quiet --state "$1" "$work/ctx" -t app:1 -o type=image,rewrite-timestamp=true "${@:2}"; }
old() { build "$1" -f "$work/ctx/Old" -t old:1 >/dev/null; }
whole() {  # STATE: every blob is its name, nothing broken off lies about, the old image is complete
  python3 - "$1/images" <<'PY'
import hashlib, os, sys
root = sys.argv[1]
for name in os.listdir(root + '/blobs/sha256'):
    assert hashlib.sha256(open(f'{root}/blobs/sha256/{name}', 'rb').read()).hexdigest() == name, 'half a blob: ' + name
left = [os.path.join(at, n) for at in ('ingest', 'build/layers', 'layers/tmp') for n in os.listdir(f'{root}/{at}') if at == 'ingest' or n.endswith('.new') or 'slipway-' in n]
assert not left, left
PY
  rm -rf "$work/old.tar"; "$SLIPWAY" image export --state "$1" old:1 "$work/old.tar" >/dev/null; }
want=$(build "$work/calm"); failed=0
for call in write pwrite64 mkdir openat rename linkat fsync ftruncate copy_file_range symlink; do
  for n in 2 5 9 14 20 30 45; do
    rm -rf "$work/torn"; old "$work/torn"
    if ! got=$(strace -f -qq -o /dev/null -e trace=$call -e inject=$call:error=ENOSPC:when="$n" -- "$SLIPWAY" build --quiet --state "$work/torn" "$work/ctx" -t app:1 -o type=image,rewrite-timestamp=true 2>"$work/log"); then
      failed=$((failed + 1)); whole "$work/torn" || { echo "after $call $n"; cat "$work/log"; exit 1; }
    elif [ "$got" != "$want" ]; then echo "$call $n: an image that is another: $got"; exit 1; fi
    got=$(build "$work/torn") || { echo "after $call $n the build fails"; exit 1; }
    [ "$got" = "$want" ] || { echo "after $call $n: $got, not $want"; exit 1; }
  done
done
mount -t tmpfs -o size=16m none "$work/small"; told=0
for size in $(seq 300 150 6000); do
  rm -rf "$work/small/s"; mount -o remount,size=16m "$work/small"; old "$work/small/s"; mount -o remount,size="$(($(du -sk "$work/small" | cut -f1) + size))k" "$work/small"
  if ! got=$(build "$work/small/s" 2>"$work/log"); then
    if grep -q "No space left on device.*slipway prune" "$work/log"; then told=$((told + 1)); else echo "$size kB: not told:"; cat "$work/log"; exit 1; fi; fi
  mount -o remount,size=16m "$work/small"; whole "$work/small/s"
  [ "$(build "$work/small/s")" = "$want" ] || { echo "$size kB: another image"; exit 1; }
  if [ -n "$got" ]; then break; fi
done
[ "$failed" -ge 15 ] && [ "$told" -ge 3 ] || { echo "failed $failed times, told $told times only"; exit 1; }
echo "failed $failed + $told times, always whole, always the same image"
