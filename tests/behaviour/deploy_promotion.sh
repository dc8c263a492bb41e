#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# production takes only digests that were tested and run well in staging, every way past that is refused and recorded; promoted and rolled back under load without a failed request.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in crun haproxy busybox python3 git; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
python3 -c 'import boto3' || { echo "skipped: no boto3"; exit 77; }
exec python3 "$(dirname "$0")/../deploy/promotion.py" "$SLIPWAY"
