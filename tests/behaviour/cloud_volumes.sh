#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tasks have the volumes that their task definitions name: shared, EBS, EFS.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in crun skopeo busybox python3 mkfs.ext4; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
python3 -c 'import boto3' || { echo "skipped: no boto3"; exit 77; }
exec python3 "$(dirname "$0")/../aws/volumes.py"
