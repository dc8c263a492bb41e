#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A large layer goes to the registry while it is compressed: what arrives is what was built, also where the registry refuses such uploads.
set -euo pipefail
for tool in curl python3; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
work=$(mktemp -d); pids=(); trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT; cd "$work"; mkdir ctx
head -c 90000000 /dev/urandom >ctx/large; echo small >ctx/small; printf 'FROM scratch\nCOPY large /\nCOPY small /\n' >ctx/Dockerfile
"$SLIPWAY" registry serve --listen 127.0.0.1:0 --root "$work/registry" >serve 2>&1 & pids+=($!)
for _ in $(seq 100); do grep -q '^registry on' serve && break; read -rt 0.1 <> <(:) || true; done
registry=$(sed -nE 's/^registry on ([0-9.:]+),.*/\1/p' serve)
# In front of it: notes the requests; with a file "refuses" beside it PATCH is refused.
python3 -u - "$registry" >front 2>requests <<'PY' & pids+=($!)
import http.client, http.server, os, socket, sys
class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def body(self):
        if self.headers.get('Transfer-Encoding') == 'chunked':
            while size := int(self.rfile.readline().split(b';')[0], 16):
                yield self.rfile.read(size); self.rfile.readline()
            self.rfile.readline()
        elif left := int(self.headers.get('Content-Length') or 0):
            while left: piece = self.rfile.read(min(left, 1 << 20)); left -= len(piece); yield piece
    def pass_on(self):
        sys.stderr.write(f'{self.command} {self.path.split("?")[0]}\n')
        data = b''.join(self.body())
        if self.command == 'PATCH' and os.path.exists('refuses'):
            self.send_response(405); self.send_header('Content-Length', '0'); self.end_headers(); return
        there = http.client.HTTPConnection(sys.argv[1])
        there.request(self.command, self.path, data, {k: v for k, v in self.headers.items() if k.lower() not in ('host', 'transfer-encoding', 'content-length')} | {'Content-Length': str(len(data))})
        answer = there.getresponse(); text = answer.read()
        self.send_response(answer.status)
        for k, v in answer.getheaders():
            if k.lower() not in ('connection', 'date', 'server', 'transfer-encoding'): self.send_header(k, v)
        if self.command != 'HEAD' and not answer.getheader('Content-Length'): self.send_header('Content-Length', str(len(text)))
        self.end_headers(); self.wfile.write(text)
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Front); print(server.server_port, flush=True); server.serve_forever()
PY
for _ in $(seq 100); do [ -s front ] && break; read -rt 0.1 <> <(:) || true; done; host=127.0.0.1:$(cat front)
arrives() { # NAME: another machine's image of it has the same files
  rm -rf out; "$SLIPWAY" build --quiet --state "$work/$1" ctx -t "$host/app:$1" --push >/dev/null
  printf 'FROM %s/app:%s\n' "$registry" "$1" >Again; "$SLIPWAY" build --quiet --state "$work/other-$1" -f Again . -o type=local,dest=out >/dev/null
  cmp ctx/large out/large && cmp ctx/small out/small
}
: >requests; arrives open; [ "$(grep -c ^PATCH requests)" = 1 ] && [ "$(grep -c '^PUT /v2/app/blobs' requests)" = 3 ] || { echo "not sent while it was written:"; cat requests; exit 1; }
curl -fsS -X DELETE "http://$registry/v2/app/manifests/open"; head -c 80000000 /dev/urandom >ctx/large; touch refuses
: >requests; arrives shut; [ "$(grep -c ^PATCH requests)" = 1 ] && [ "$(grep -c '^PUT /v2/app/blobs' requests)" -ge 2 ] && grep -q ^DELETE requests || { echo "no way around a refusal:"; cat requests; exit 1; }
[ -z "$(find registry/uploads -type f)" ] || { echo "an upload was left behind"; exit 1; }
echo "large layers are pushed while they are written"
