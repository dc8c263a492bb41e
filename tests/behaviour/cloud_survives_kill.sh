#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of the local AWS while a database runs: the next start finds the same server process and its data; stop ends it.
set -euo pipefail
for tool in aws psql setpriv; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
work=$(mktemp -d); export SLIPWAY_STATE=$work/state PGPASSWORD=secret-word-1
trap '"$SLIPWAY" down >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
"$SLIPWAY" cloud start --listen 127.0.0.1:0
call() { eval "$("$SLIPWAY" cloud env)"; AWS_CA_BUNDLE='' aws --endpoint-url "$AWS_ENDPOINT_URL" --output text "$@"; }
call rds create-db-instance --db-instance-identifier shop --db-instance-class db.t3.micro --engine postgres --db-name shop \
  --master-username shop --master-user-password "$PGPASSWORD" --allocated-storage 20 >/dev/null
call rds wait db-instance-available --db-instance-identifier shop
port=$(call rds describe-db-instances --query 'DBInstances[0].Endpoint.Port')
psql -q -h 127.0.0.1 -p "$port" -U shop shop -c 'create table t as select 42 as n'
server=$(head -1 "$SLIPWAY_STATE"/cloud/rds/*/*/shop/data/postmaster.pid)
kill -9 "$(cut -d' ' -f1 "$SLIPWAY_STATE/cloud/cloud.pid")"
"$SLIPWAY" cloud start --listen 127.0.0.1:0
[ "$(psql -tA -h 127.0.0.1 -p "$port" -U shop shop -c 'select n from t')" = 42 ]
[ "$(head -1 "$SLIPWAY_STATE"/cloud/rds/*/*/shop/data/postmaster.pid)" = "$server" ]
"$SLIPWAY" cloud stop
[ -z "$(tr -d '\0' <"/proc/$server/cmdline" 2>/dev/null)" ]  # gone, or dead and not yet reaped by init
