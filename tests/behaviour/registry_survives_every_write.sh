#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at, and a disk that is full from, each call by which pushes change the registry's directory: what was answered 201 is there byte for
# byte, every tag leads to a whole image, and the same pushes succeed afterwards.
set -euo pipefail
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
work=$(mktemp -d -p /dev/shm); trap 'rm -rf "$work"' EXIT
python3 "$REPO/tests/faults/registry_every_write.py" --slipway "$SLIPWAY" --shim "$FAULT_SHIM" --work "$work" --step "${STEP:-3}"
