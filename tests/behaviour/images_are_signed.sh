#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `image sign` puts signatures where cosign looks for them, each verifiable with openssl alone; `image verify` takes no other key and no other image.
set -euo pipefail
for tool in openssl curl python3 skopeo; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
work=$(mktemp -d); pids=(); trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT; cd "$work"
export SLIPWAY_STATE=$work/state
"$SLIPWAY" registry serve --root "$work/r" --listen 127.0.0.1:0 >out 2>&1 & pids+=($!)
for _ in $(seq 100); do grep -q '^registry on' out && break; read -rt 0.1 <> <(:) || true; done
at=$(sed -n 's/^registry on \([^,]*\),.*/\1/p' out); image=$at/team/app:1
for n in 1 2; do printf 'FROM scratch\nCOPY f /f\n' >Dockerfile; echo $n >f; "$SLIPWAY" build --quiet . -t "$at/team/app:$n" --push >/dev/null; done
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.key 2>/dev/null; openssl genpkey -algorithm RSA -aes256 -pass pass:tomato -out rsa.key 2>/dev/null
openssl genpkey -algorithm ED25519 -out ed.key; openssl genpkey -algorithm ED25519 -out other.key
for key in ec ed other; do openssl pkey -in $key.key -pubout -out $key.pub; done; openssl pkey -in rsa.key -passin pass:tomato -pubout -out rsa.pub
if "$SLIPWAY" image verify "$image" --key ec.pub 2>err; then echo "verified without a signature"; exit 1; fi; grep -q "has no signatures" err
for key in ec ed rsa; do digest=$(COSIGN_PASSWORD=tomato "$SLIPWAY" image sign "$image" --key $key.key); [ "$("$SLIPWAY" image verify "$image" --key $key.pub)" = "$digest" ]; done
[ "$digest" = "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$image")" ]
! COSIGN_PASSWORD=wrong "$SLIPWAY" image sign "$at/team/app:2" --key rsa.key 2>err && grep -q COSIGN_PASSWORD err
if "$SLIPWAY" image verify "$image" --key other.pub 2>err; then echo "verified by another key"; exit 1; fi; grep -q "none of it with this key" err
curl -fsS -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$at/v2/team/app/manifests/${digest/:/-}.sig" >manifest.json
python3 - "$digest" <<'PY'
import base64, json, sys
m = json.load(open('manifest.json')); assert len(m['layers']) == 3, m
assert m['config']['mediaType'] == 'application/vnd.oci.image.config.v1+json'
for i, layer in enumerate(m['layers']):
    assert layer['mediaType'] == 'application/vnd.dev.cosign.simplesigning.v1+json'
    open(f'{i}.sig', 'wb').write(base64.b64decode(layer['annotations']['dev.cosignproject.cosign/signature'])); open(f'{i}.digest', 'w').write(layer['digest'])
PY
for i in 0 1 2; do curl -fsS "http://$at/v2/team/app/blobs/$(cat $i.digest)" >$i.payload; grep -q "\"docker-manifest-digest\":\"$digest\"" $i.payload; grep -q "\"docker-reference\":\"$at/team/app\"" $i.payload; done
openssl dgst -sha256 -verify ec.pub -signature 0.sig 0.payload >/dev/null; openssl dgst -sha256 -verify rsa.pub -signature 2.sig 2.payload >/dev/null
openssl pkeyutl -verify -pubin -inkey ed.pub -rawin -in 1.payload -sigfile 1.sig >/dev/null
"$SLIPWAY" image sign "$image" --key ec.key >/dev/null; [ "$(curl -fsS "http://$at/v2/team/app/manifests/${digest/:/-}.sig" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["layers"]))')" = 3 ]
# The signatures of one image under another one's tag prove nothing.
two=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$at/team/app:2")
curl -fsS -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary @manifest.json "http://$at/v2/team/app/manifests/${two/:/-}.sig"
if "$SLIPWAY" image verify "$at/team/app:2" --key ec.pub 2>err; then echo "another image's signature was taken"; exit 1; fi
echo "signed as cosign signs, verified with openssl"
