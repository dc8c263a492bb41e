#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# docker/build-push-action's inputs: caches in a registry and a directory, several platforms, a context from a repository, limits.
set -euo pipefail
[ "$(id -u)" = 0 ] && command -v git >/dev/null || { echo "skipped: needs root and git"; exit 77; }
work=$(mktemp -d); export SLIPWAY_STATE=$work/state; pids=()
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
mkdir -p "$work/app/.github/workflows" "$work/www"; cd "$work/app"; git init -q -b main
printf 'FROM scratch AS one\nCOPY hello /one\nFROM scratch\nARG TARGETARCH\nCOPY --from=one /one /two\nLABEL arch=$TARGETARCH\n' >Dockerfile; echo hello >hello
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
registry=127.0.0.1:$(port); daemon=$(port)
"$SLIPWAY" registry serve --listen "$registry" --root "$work/registry" >"$work/serve" 2>&1 & pids+=($!)
cat >.github/workflows/ci.yml <<END
on: push
jobs:
  image:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: docker/build-push-action@v6
        id: both
        with:
          context: .
          push: true
          platforms: linux/amd64,linux/arm64
          tags: $registry/app:both
          ulimit: nofile=1024:2048
          cache-from: |
            type=gha
            type=registry,ref=$registry/app:cache
          cache-to: type=registry,ref=$registry/app:cache,mode=max
      - uses: docker/build-push-action@v6
        with:
          context: .
          tags: local:1
          cache-to: type=local,dest=\${{ runner.temp }}/cache,mode=max
      - run: test -e "\$RUNNER_TEMP/cache/index.json"
      - uses: docker/build-push-action@v6
        with:
          context: git://127.0.0.1:$daemon/app.git#main
          tags: $registry/app:afar
          push: true
      - uses: docker/build-push-action@v6
        with: {context: ., call: check}
      - uses: docker/build-push-action@v6
        with: {context: ., call: check, file: Worse}
        id: worse
        continue-on-error: true
      - run: test "\${{ steps.worse.outcome }}" = failure
END
printf 'from scratch\nCOPY hello /\n' >Worse
git add -A; git -c user.name=a -c user.email=a@b commit -qm first; git clone -q --bare . "$work/www/app.git"
git daemon --export-all --reuseaddr --listen=127.0.0.1 --port="$daemon" --base-path="$work/www" >"$work/daemon" 2>&1 & pids+=($!)
for _ in $(seq 100); do curl -fs "http://$registry/v2/" >/dev/null && git ls-remote -q "git://127.0.0.1:$daemon/app.git" >/dev/null 2>&1 && break; read -rt 0.1 <> <(:) || true; done
"$SLIPWAY" run --cloud none >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
manifest() { curl -fs -H 'Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json' "http://$registry/v2/app/manifests/$1"; }
[ "$(manifest both | jq -r '[.manifests[].platform.architecture] | sort | join(" ")')" = "amd64 arm64" ] || { manifest both; exit 1; }
manifest afar | jq -e .layers[0] >/dev/null; manifest cache | jq -e .layers[0] >/dev/null
grep -q 'Check complete, no warnings found' "$work/log" && grep -q 'WARNING: ConsistentInstructionCasing' "$work/log" || { cat "$work/log"; exit 1; }
# Another machine finds the steps in the registry.
SLIPWAY_STATE=$work/fresh "$SLIPWAY" build --progress plain --cache-from "type=registry,ref=$registry/app:cache" . >"$work/fresh.log" 2>&1
[ "$(grep -c CACHED "$work/fresh.log")" = 1 ] || { cat "$work/fresh.log"; exit 1; }
echo "caches, platforms, contexts and limits and checks of build-push-action are the builder's own"
