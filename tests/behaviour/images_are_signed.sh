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
# cosign's own key files: scrypt and a secretbox of NaCl's, made here by libsodium itself.
if python3 -c 'import ctypes; ctypes.CDLL("libsodium.so.23")' 2>/dev/null; then
  python3 - <<'PY'
import base64, ctypes, hashlib, json, os, subprocess
sodium, b64 = ctypes.CDLL('libsodium.so.23'), lambda data: base64.b64encode(data).decode()
der = subprocess.run(['openssl', 'pkcs8', '-topk8', '-nocrypt', '-in', 'ec.key', '-outform', 'DER'], capture_output=True, check=True).stdout
def write(name, kind, n):
    salt, nonce = os.urandom(32), os.urandom(24)
    key = hashlib.scrypt(b'tomato', salt=salt, n=n, r=8, p=1, maxmem=1 << 28, dklen=32)
    box = ctypes.create_string_buffer(len(der) + 16); assert sodium.crypto_secretbox_easy(box, der, ctypes.c_ulonglong(len(der)), nonce, key) == 0
    text = json.dumps({'kdf': {'name': 'scrypt', 'params': {'N': n, 'r': 8, 'p': 1}, 'salt': b64(salt)}, 'cipher': {'name': 'nacl/secretbox', 'nonce': b64(nonce)}, 'ciphertext': b64(box.raw)})
    lines = base64.encodebytes(text.encode()).decode().replace('\n', ''); lines = '\n'.join(lines[i:i + 64] for i in range(0, len(lines), 64))
    open(name, 'w').write(f'-----BEGIN ENCRYPTED {kind} PRIVATE KEY-----\n{lines}\n-----END ENCRYPTED {kind} PRIVATE KEY-----\n')
write('cosign.key', 'SIGSTORE', 65536); write('older.key', 'COSIGN', 32768); write('vast.key', 'SIGSTORE', 1 << 14)
text = open('vast.key').read().split('\n'); body = json.loads(base64.b64decode(''.join(text[1:-2]))); body['kdf']['params']['N'] = 1 << 40
open('vast.key', 'w').write('\n'.join([text[0], *[l for l in base64.encodebytes(json.dumps(body).encode()).decode().split('\n') if l], text[-2], '']))
PY
  for key in cosign older; do [ "$(COSIGN_PASSWORD=tomato "$SLIPWAY" image sign "$at/team/app:2" --key $key.key)" = "$two" ]; done; [ "$("$SLIPWAY" image verify "$at/team/app:2" --key ec.pub)" = "$two" ]
  ! COSIGN_PASSWORD=potato "$SLIPWAY" image sign "$image" --key cosign.key 2>err && grep -q "'cosign.key': COSIGN_PASSWORD does not open the key" err || { cat err; exit 1; }
  ! COSIGN_PASSWORD=tomato "$SLIPWAY" image sign "$image" --key vast.key 2>err && grep -q 'N=1099511627776, r=8, p=1 are out of range' err || { cat err; exit 1; }
fi
echo "signed as cosign signs, verified with openssl"
