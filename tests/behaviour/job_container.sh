#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A job's container: its context, GitHub's directories, its ports on this machine's loopback; options that reach past it are refused.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root: jobs are containers"; exit 77; }
base=${SLIPWAY_BASE_IMAGES:-$HOME/.cache/slipway/base-images}/debian-bookworm-slim
[ -d "$base" ] || { echo "needs $base"; exit 77; }
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
"$SLIPWAY" image import "$base" >/dev/null
mkdir -p "$work/app/.github/workflows" "$work/state/toolcache/node/20.9.9/x64/bin"; cd "$work/app"; git init -qb main
printf '#!/bin/sh\necho own-node\n' >"$work/state/toolcache/node/20.9.9/x64/bin/node"; chmod +x "$work/state/toolcache/node/20.9.9/x64/bin/node"
cat >.github/workflows/ci.yml <<'END'
on: push
jobs:
  in:
    runs-on: ubuntu-latest
    container: {image: 'debian:bookworm-slim', ports: [80]}
    steps:
      - run: test -n "${{ job.container.id }}" && test -n "${{ job.container.network }}" && test "$(/__e/node20/bin/node)" = own-node
      - run: test '${{ job.workflow_file_path }}' = .github/workflows/ci.yml && test '${{ github.repository_id > 0 && github.actor_id > 0 }}' = true
      - run: perl -MIO::Socket -e '$s = IO::Socket::INET->new(Listen => 1, LocalPort => 80, ReuseAddr => 1) or die $!; $c = $s->accept; print $c "hello\n"'
END
git add -A; git -c user.name=a -c user.email=a@b commit -qm first
"$SLIPWAY" run --cloud none >"$work/log" 2>&1 & run=$!
for _ in $(seq 300); do
  port=$(sed -n "s/.*port 80 of the job's container is 127.0.0.1:\([0-9]*\) here.*/\1/p" "$work/log"); [ -n "$port" ] || { sleep 0.1; continue; }
  said=$( (exec 3<>"/dev/tcp/127.0.0.1/$port" && head -1 <&3) 2>/dev/null || true); [ "$said" != hello ] || break; kill -0 $run 2>/dev/null || break; sleep 0.1
done
wait $run || { cat "$work/log"; exit 1; }
[ "$said" = hello ] || { cat "$work/log"; exit 1; }
sed -i 's/ports: \[80\]/options: --privileged/' .github/workflows/ci.yml; git -c user.name=a -c user.email=a@b commit -qam second
! "$SLIPWAY" run --cloud none >"$work/log" 2>&1 && grep -q "options: '--privileged' is not supported yet" "$work/log"
