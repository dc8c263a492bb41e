#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# canary in slipway.yml sends a part of the requests to the new tasks first; none fails.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in crun haproxy busybox skopeo umoci python3 git; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
python3 -c 'import boto3' || { echo "skipped: no boto3"; exit 77; }
exec python3 "$(dirname "$0")/../deploy/canary.py" "$SLIPWAY"
