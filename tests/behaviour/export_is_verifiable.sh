#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `audit export` prints is checked by a script that is not slipway: it holds as it is, and no more after any change.
set -euo pipefail
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap 'rm -rf "$work"' EXIT
check() { python3 "$REPO/docs/verify_ledger.py" "$work/$1" "${@:2}"; }
refused() { if said=$(check "$1" "${@:3}"); then echo "$1 was taken: $said"; exit 1; fi; grep -q "$2" <<<"$said" || { echo "not '$2' but: $said"; exit 1; }; }
for n in 1 2 3 4 5; do "$SLIPWAY" audit note "remark $n: \"quoted\", für später" >/dev/null; done
"$SLIPWAY" audit export >"$work/all"
key=$("$SLIPWAY" audit key | head -1)
check all "$key" | grep -q '^5 entries hold'
"$SLIPWAY" audit verify "$work/all" --public-key "$key" >/dev/null
sed '4s/remark 3/remark 9/' "$work/all" >"$work/changed"; refused changed 'entry 3'
sed 4d "$work/all" >"$work/deleted"; refused deleted 'entry 3'
awk 'NR == 4 { held = $0; next } { print } NR == 5 { print held }' "$work/all" >"$work/moved"; refused moved 'entry 3'
sed '6d' "$work/all" >"$work/cut"; refused cut 'entries end at 4'
head -c -1 "$work/all" >"$work/torn"; refused torn 'cut off'
sed '$d' "$work/all" >"$work/open"; refused open 'checkpoint'
refused all 'another public key' "$(head -c 32 /dev/zero | base64)"
for file in changed deleted moved cut torn open; do if "$SLIPWAY" audit verify "$work/$file" >/dev/null; then echo "slipway took $file"; exit 1; fi; done
