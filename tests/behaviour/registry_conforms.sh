#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The registry keeps what the OCI distribution specification promises a client: tests/registry/conformance.py.
set -euo pipefail
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
work=$(mktemp -d); pid=; trap 'kill $pid 2>/dev/null || true; wait; rm -rf "$work"' EXIT
"$SLIPWAY" registry serve --state "$work/state" --root "$work/registry" --listen 127.0.0.1:0 >"$work/out" 2>&1 & pid=$!
for _ in $(seq 100); do grep -q '^registry on' "$work/out" && break; read -rt 0.1 <> <(:) || true; done
python3 "$REPO/tests/registry/conformance.py" 127.0.0.1 "$(sed -n 's/^registry on [^:]*:\([0-9]*\),.*/\1/p' "$work/out")"
