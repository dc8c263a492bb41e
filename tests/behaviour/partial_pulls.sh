#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# buildah pulls a zstd:chunked image from slipway's registry piece by piece: all of the first, of the second only what changed. The storage
# library of buildah 1.28 knows the annotations by their older names; newer ones take them as they are.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in buildah curl unshare ip; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
# In a network of its own, where nobody else's bytes are counted.
[ -n "${ALONE:-}" ] || exec unshare --net env ALONE=1 bash -c 'ip link set lo up && exec bash "$1"' _ "$0"
work=$(mktemp -d); server=; export SLIPWAY_STATE=$work/state CONTAINERS_STORAGE_CONF=$work/storage.conf
trap 'buildah rm -a >/dev/null 2>&1 || true; buildah rmi -a -f >/dev/null 2>&1 || true; kill $server 2>/dev/null || true; wait; umount "$work/graph/overlay" 2>/dev/null || true; rm -rf "$work"' EXIT
cat >"$work/storage.conf" <<C
[storage]
driver = "overlay"
runroot = "$work/run"
graphroot = "$work/graph"
[storage.options]
pull_options = {enable_partial_images = "true", use_hard_links = "false", ostree_repos = ""}
C
"$SLIPWAY" registry serve --listen 127.0.0.1:0 --root "$work/registry" >"$work/log" 2>&1 & server=$!
for _ in $(seq 100); do grep -q '^registry on' "$work/log" && break; read -rt 0.1 <> <(:) || true; done
host=$(sed -nE 's/^registry on ([0-9.:]+),.*/\1/p' "$work/log")
mkdir "$work/ctx"; cd "$work/ctx"; head -c 6000000 /dev/urandom >large; for i in $(seq 50); do echo "file $i" >"f$i"; done; ln f1 hard; ln -s f2 link; chmod 4755 f3
printf 'FROM scratch\nCOPY . /app/\n' >Dockerfile
type=application/vnd.oci.image.manifest.v1+json
published() { # builds, pushes and gives it the older names
  "$SLIPWAY" build --quiet . -t app -o "type=registry,name=$host/app:$1,compression=zstd:chunked" >/dev/null
  curl -fsS -H "Accept: $type" "http://$host/v2/app/manifests/$1" | sed 's/io.github.containers.zstd/io.containers.zstd/g' >"$work/manifest"
  curl -fsS -X PUT -H "Content-Type: $type" --data-binary "@$work/manifest" "http://$host/v2/app/manifests/$1-older"
}
received() { awk '/lo:/ {print $2}' /proc/net/dev; }
pulled() { # how many bytes it took
  local before after; before=$(received); buildah --log-level debug pull --tls-verify=false "$host/app:$1-older" >"$work/pull" 2>&1; after=$(received)
  grep -q 'Retrieved partial blob' "$work/pull" || { echo "not pulled in pieces:"; grep -i partial "$work/pull"; exit 1; }
  echo $((after - before))
}
published 1; whole=$(pulled 1)
printf x | dd of=large bs=1 seek=3000000 conv=notrunc status=none; echo changed >f5; rm f6
published 2; some=$(pulled 2)
container=$(buildah from --pull-never "$host/app:2-older"); root=$(buildah mount "$container")
list() { (cd "$1"; find . -mindepth 1 -printf '%P %y %m %U:%G %l\n'; find . -type f -exec sha256sum {} +) | sort; }
diff <(list "$work/ctx") <(list "$root/app") || { echo "what was pulled in pieces differs"; exit 1; }
[ $((some * 4)) -lt "$whole" ] || { echo "the second pull took $some bytes, the first $whole"; exit 1; }
echo "pulled in pieces: $whole bytes, after a change $some"
