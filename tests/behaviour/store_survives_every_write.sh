#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at, and a disk that is full from, each call by which a build, a pull, an import, a removal and a prune change the image store: it
# stays whole, a full disk is told as one, and the command done again ends as if nothing had been.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
work=$(mktemp -d -p /dev/shm); pid=; trap 'kill $pid 2>/dev/null || true; wait; rm -rf "$work"' EXIT
"$SLIPWAY" registry serve --state "$work/r" --root "$work/registry" --listen 127.0.0.1:0 >"$work/out" 2>&1 & pid=$!
for _ in $(seq 100); do grep -q '^registry on' "$work/out" && break; read -rt 0.1 <> <(:) || true; done
mkdir "$work/t"
python3 "$REPO/tests/faults/every_write.py" --slipway "$SLIPWAY" --shim "$FAULT_SHIM" --work "$work/t" --step "${STEP:-2}" \
  --registry "$(sed -n 's/^registry on \([^,]*\),.*/\1/p' "$work/out")"
