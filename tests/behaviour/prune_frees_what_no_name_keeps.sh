#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `prune` removes the blobs and unpacked layers that only a removed name led to; what has a name, attestations and signatures' empty
# configurations too, stays whole, and the next build of it is unchanged.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in skopeo busybox; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
s() { "$SLIPWAY" "$@" --state "$work/state"; }
cp "$(command -v busybox)" "$work/busybox"; echo gone >"$work/gone"
printf 'FROM scratch\nCOPY busybox /bin/busybox\n' >"$work/Dockerfile"; printf 'FROM kept:1\nCOPY gone /gone\nRUN ["/bin/busybox", "true"]\n' >"$work/More"
s build --quiet "$work" -t kept:1 --sbom=true --provenance=mode=max >/dev/null
s build --quiet "$work" -f "$work/More" -t more:1 >/dev/null
before=$(ls "$work/state/images/blobs/sha256" | wc -l)
said=$(s prune); [[ $said == "removed 0 blobs"* ]] || { echo "nothing was free, yet: $said"; exit 1; }
s image rm more:1 >/dev/null
said=$(s prune --all); [[ $said =~ ^removed\ [1-9][0-9]*\ blobs ]] || { echo "nothing removed: $said"; exit 1; }
[ "$(ls "$work/state/images/blobs/sha256" | wc -l)" -lt "$before" ]
s image export kept:1 "$work/after.tar" >/dev/null; skopeo inspect --raw "oci-archive:$work/after.tar" >/dev/null
[ -z "$(ls "$work/state/images/ingest")" ]
s image rm kept:1 >/dev/null; s prune --all >/dev/null
[ -z "$(find "$work/state/images/blobs" "$work/state/images/layers/layers" -mindepth 1 -not -name sha256)" ]
echo "what no name keeps goes, the rest stays"
