#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `cloud stop` leaves no directory below /run/slipway and no cgroup, unless somebody else still uses them.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in crun sha256sum flock; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
id=$(printf %s "$SLIPWAY_STATE" | sha256sum | cut -c1-6)
there() { find /run/slipway /sys/fs/cgroup -maxdepth 4 -name "$id" 2>/dev/null; }
"$SLIPWAY" cloud start --listen 127.0.0.1:0 2>/dev/null
[ -n "$(there)" ] || { echo "no directory while it runs: is $id its name?"; exit 1; }
"$SLIPWAY" cloud stop 2>/dev/null
[ -z "$(there)" ] || { echo "left:"; there; exit 1; }

"$SLIPWAY" cloud start --listen 127.0.0.1:0 2>/dev/null
exec 9<"/run/slipway/$id/users"; flock -s 9  # as a run does whose first container is still to come
"$SLIPWAY" cloud stop 2>/dev/null
[ -d "/run/slipway/$id" ] || { echo "taken away from one who uses it"; exit 1; }
exec 9<&-
"$SLIPWAY" cloud start --listen 127.0.0.1:0 2>/dev/null; "$SLIPWAY" cloud stop 2>/dev/null
[ -z "$(there)" ] || { echo "left:"; there; exit 1; }
