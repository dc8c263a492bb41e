#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# the AWS SDK for JavaScript v3 works as it stands.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in crun skopeo busybox python3 node npm; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
python3 -c 'import boto3' || { echo "skipped: no boto3"; exit 77; }
exec python3 "$(dirname "$0")/../aws/javascript_sdk.py"
