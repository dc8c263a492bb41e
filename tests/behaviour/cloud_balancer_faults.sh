#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A change of the load balancers that HAProxy does not take is taken back and can be tried again.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in python3 /usr/sbin/haproxy; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
python3 -c 'import boto3' || { echo "skipped: no boto3"; exit 77; }
exec python3 "$(dirname "$0")/../aws/balancer_faults.py"
