#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What we build is what others unpack: umoci's and skopeo's files, modes, owners and links are ours, whatever the compression; docker loads and runs it.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in umoci skopeo busybox python3 zstd; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
work=$(mktemp -d); pids=(); trap 'kill "${pids[@]}" 2>/dev/null || true; wait; umount "$work"/docker/data/* 2>/dev/null || true; rm -rf "$work"' EXIT
export SLIPWAY_STATE=$work/state SOURCE_DATE_EPOCH=1700000000; mkdir -p "$work/ctx/tree/sub"; cd "$work/ctx"
cp "$(command -v busybox)" busybox; echo a >tree/a; echo b >tree/sub/b; ln tree/a tree/hard; ln -s ../tree/a tree/sub/link; mkfifo tree/pipe; chmod 4755 tree/a; chmod 1777 tree/sub
cat >Dockerfile <<'D'
FROM scratch
COPY busybox /bin/busybox
SHELL ["/bin/busybox", "sh", "-c"]
RUN set -e; /bin/busybox --install -s /bin || true; mkdir /old /old/deep /gone && echo 1 > /old/file && echo 2 > /old/deep/file && echo 3 > /gone/file && truncate -s 1048576 /sparse
COPY --chown=12:34 tree/ /tree/
RUN rm -r /gone /old/file && rm -r /old/deep && mkdir /old/deep && echo new > /old/deep/other && chown 5:6 /old && chmod 700 /old && ln /sparse /sparse2
ENTRYPOINT ["/bin/busybox"]
CMD ["cat", "/old/deep/other"]
D
"$SLIPWAY" build --quiet . -t app:1 -o type=local,dest="$work/ours" -o type=oci,dest="$work/gzip/" -o type=docker,dest="$work/docker.tar" >/dev/null
list() { (cd "$1"; find . -mindepth 1 ! -type d -printf '%P %y %m %U:%G %n %l\n'; find . -mindepth 1 -type d -printf '%P %y %m %U:%G\n'; find . -type f -exec sha256sum {} +) | sort; }
list "$work/ours" >"$work/want"
same() { list "$1" >"$work/got"; diff "$work/want" "$work/got" >"$work/diff" || { echo "$2 differs:"; head -20 "$work/diff"; exit 1; }; rm -rf "$1"; }
unpacked() { umoci unpack --image "$1:$2" "$work/bundle" >/dev/null 2>&1; mv "$work/bundle/rootfs" "$work/rootfs"; rm -rf "$work/bundle"; same "$work/rootfs" "$1"; }
tag_of() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1] + "/index.json"))["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"])' "$1"; }
tag=$(tag_of "$work/gzip")
skopeo copy -q "oci:$work/gzip:$tag" "oci:$work/again:1"; unpacked "$work/again" 1
skopeo copy -q "oci:$work/gzip:$tag" "docker-archive:$work/theirs.tar:app:2"; skopeo copy -q "docker-archive:$work/theirs.tar" "oci:$work/back:1"; unpacked "$work/back" 1
skopeo copy -q "docker-archive:$work/docker.tar" "oci:$work/loaded:1"; unpacked "$work/loaded" 1
"$SLIPWAY" image import "$work/theirs.tar" >/dev/null; "$SLIPWAY" image history app:2 >"$work/history"; grep -q 'tree/ /tree/' "$work/history"
[ "$("$SLIPWAY" image history --json app:2 | python3 -c 'import json, sys; print(sum(1 for row in json.load(sys.stdin) if row["bytes"]))')" = 4 ]
printf 'FROM app:1\nRUN true\n' >Again
for form in zstd uncompressed gzip,compression-level=9 zstd,compression-level=19 zstd:chunked; do
  "$SLIPWAY" build --quiet -f Again . -t re:1 -o "type=oci,dest=$work/form/,force-compression=true,compression=$form" >/dev/null
  # Every layer is of the form, and what gzip's and zstd's own programs make of it is its diff id. umoci of Debian 12 knows no zstd.
  python3 - "$work/form" "${form%%,*}" <<'PY'
import hashlib, json, subprocess, sys
root, form = sys.argv[1:]
read = lambda digest: open(f'{root}/blobs/' + digest.replace(':', '/'), 'rb').read()
manifest = json.loads(read(json.load(open(root + '/index.json'))['manifests'][0]['digest']))
for layer, diff_id in zip(manifest['layers'], json.loads(read(manifest['config']['digest']))['rootfs']['diff_ids'], strict=True):
    assert layer['mediaType'] == 'application/vnd.oci.image.layer.v1.tar' + {'uncompressed': ''}.get(form, '+' + form.split(':')[0]), layer
    assert (form == 'zstd:chunked') == ('io.github.containers.zstd-chunked.manifest-checksum' in layer.get('annotations', {})), layer
    program = {'uncompressed': ['cat'], 'gzip': ['gzip', '-dc'], 'zstd': ['zstd', '-dc']}[form.split(':')[0]]
    tar = subprocess.run(program, input=read(layer['digest']), capture_output=True, check=True).stdout
    assert 'sha256:' + hashlib.sha256(tar).hexdigest() == diff_id, layer
PY
  if [[ $form != zstd* ]]; then skopeo copy -q "oci:$work/form:$(tag_of "$work/form")" "oci:$work/formed:1"; unpacked "$work/formed" 1; fi
  rm -rf "$work/form" "$work/formed"
done
if ! command -v dockerd >/dev/null; then echo "files, modes, owners, links: the same (no dockerd here to load it)"; exit 0; fi
dockerd --data-root "$work/docker/data" --exec-root "$work/docker/exec" --pidfile "$work/docker/pid" -H "unix://$work/docker/s" --iptables=false --bridge=none >"$work/dockerd" 2>&1 & pids+=($!)
docker() { /usr/bin/docker -H "unix://$work/docker/s" "$@"; }
for _ in $(seq 100); do docker version >/dev/null 2>&1 && break; read -rt 0.2 <> <(:) || true; done
docker load -q -i "$work/docker.tar" >/dev/null; [ "$(docker run --rm --network none app:1)" = new ]
echo "files, modes, owners, links: the same; docker runs it"
