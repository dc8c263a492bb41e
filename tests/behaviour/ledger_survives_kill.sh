#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# F1: kill -9 at every write and fsync of an appended entry: the ledger holds, with the entry or without it; no second key is made.
set -euo pipefail
command -v strace >/dev/null || { echo "skipped: no strace"; exit 77; }
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap 'rm -rf "$work"' EXIT
export ASAN_OPTIONS=detect_leaks=0  # the leak checker needs ptrace itself
"$SLIPWAY" audit note first >/dev/null
key=$("$SLIPWAY" audit key | head -1); written=1; killed=0
for call in pwrite64 fsync fdatasync; do
  for n in $(seq 1 40); do
    strace -f -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when="$n" "$SLIPWAY" audit note "$call $n" >/dev/null 2>&1 && { written=$((written + 1)); break; }
    killed=$((killed + 1))
    "$SLIPWAY" audit verify >"$work/said" || { echo "$call $n: $(cat "$work/said")"; exit 1; }
    now=$("$SLIPWAY" audit export | wc -l); now=$((now - 2))
    [ "$now" = "$written" ] || [ "$now" = $((written + 1)) ] || { echo "$call $n: $now entries, $written before"; exit 1; }
    written=$now
  done
done
[ "$killed" -ge 5 ] && [ "$("$SLIPWAY" audit key | head -1)" = "$key" ]
echo "killed $killed times, $written entries hold"
