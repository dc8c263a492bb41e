#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A registry with TLS and bcrypt users takes skopeo's push; a mirror of another registry serves its images, also when that one is gone.
set -euo pipefail
for tool in skopeo openssl curl busybox; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
work=$(mktemp -d); pids=(); trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cp "$(command -v busybox)" "$work/busybox"; printf 'FROM scratch\nCOPY busybox /\n' >"$work/Dockerfile"
"$SLIPWAY" build --quiet --state "$work/state" "$work" -t app:1 -o type=oci,dest="$work/app.tar" >/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 2>/dev/null
printf 'ann:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n' >"$work/users"  # "secret"
serve() {  # NAME OPTIONS...: its address is in NAME.at
  local name=$1; shift
  "$SLIPWAY" registry serve --state "$work/state" --root "$work/$name" --listen 127.0.0.1:0 "$@" >"$work/$name.out" 2>&1 & pids+=($!)
  for _ in $(seq 100); do grep -q '^registry on' "$work/$name.out" && break; read -rt 0.1 <> <(:) || true; done
  sed -n 's/^registry on \(https:\/\/\)\{0,1\}\([^,]*\),.*/\2/p' "$work/$name.out" >"$work/$name.at"
}
serve safe --tls-cert "$work/cert.pem" --tls-key "$work/key.pem" --htpasswd "$work/users"; safe=$(cat "$work/safe.at")
skopeo copy -q --dest-tls-verify=false --dest-creds ann:secret "oci-archive:$work/app.tar" "docker://$safe/app:1"
[ "$(curl -fs --cacert "$work/cert.pem" -u ann:secret "https://$safe/v2/app/tags/list")" = '{"name":"app","tags":["1"]}' ]
[ "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$work/cert.pem" -u ann:wrong "https://$safe/v2/")" = 401 ]
serve plain; plain=$(cat "$work/plain.at"); serve mirror --proxy "$plain"; mirror=$(cat "$work/mirror.at")
skopeo copy -q --dest-tls-verify=false "oci-archive:$work/app.tar" "docker://$plain/app:1"
skopeo copy -q --src-tls-verify=false "docker://$mirror/app:1" "dir:$work/one"
kill "${pids[1]}"; wait "${pids[1]}" || true
skopeo copy -q --src-tls-verify=false "docker://$mirror/app:1" "dir:$work/two"
diff -r "$work/one" "$work/two"
[ "$(curl -s -o /dev/null -w '%{http_code}' -X POST "http://$mirror/v2/app/blobs/uploads/")" = 405 ]
echo "TLS, users, mirror: as told"
