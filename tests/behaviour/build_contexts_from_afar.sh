#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A context may be a git repository (branch, tag, commit, directory), a tar (file, standard input, address) or a Dockerfile; ADD takes repositories.
set -euo pipefail
[ "$(id -u)" = 0 ] && command -v git >/dev/null && command -v python3 >/dev/null || { echo "skipped: needs root, git, python3"; exit 77; }
work=$(mktemp -d); pids=(); trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
export SLIPWAY_STATE=$work/state GIT_CONFIG_GLOBAL=$work/gitconfig; git config --global user.email a@b.c; git config --global user.name a
mkdir -p "$work/src/app" "$work/www" "$work/lib"; cd "$work/lib"; git init -q -b main; echo lib >l; git add .; git commit -qm l; git clone -q --bare . "$work/www/lib.git"
cd "$work/src"; git init -q -b main; printf '[submodule "sub"]\n\tpath = sub\n\turl = ../lib.git\n' >.gitmodules; git update-index --add --cacheinfo "160000,$(git -C "$work/lib" rev-parse HEAD),sub"; mkdir sub
printf 'FROM scratch\nCOPY . /x/\n' | tee app/Dockerfile app/Other >Dockerfile; echo one >app/f; git add .; git commit -qm one; git tag -a -m t v1
echo two >app/f; git commit -qam two; git branch side; old=$(git rev-parse v1^{commit}); git clone -q --bare . "$work/www/r.git"
python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' >"$work/port"; port=$(cat "$work/port")
git daemon --export-all --reuseaddr --listen=127.0.0.1 --port="$port" --base-path="$work/www" >"$work/daemon" 2>&1 & pids+=($!)
python3 -u - "$work/www" >"$work/http" 2>&1 <<'PY' & pids+=($!)
import functools, http.server, sys
serve = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), serve); print(server.server_port, flush=True); server.serve_forever()
PY
for _ in $(seq 100); do [ -s "$work/http" ] && git ls-remote -q "git://127.0.0.1:$port/r.git" >/dev/null 2>&1 && break; read -rt 0.1 <> <(:) || true; done
git=git://127.0.0.1:$port/r.git; web=http://127.0.0.1:$(head -1 "$work/http")
built() { rm -rf "$work/out"; "$SLIPWAY" build --quiet -o "$work/out" "$@" >/dev/null 2>"$work/log" || { cat "$work/log"; return 1; }; }
is() { [ "$(cat "$work/out/$1")" = "$2" ] || { echo "$1 is not '$2': $3"; exit 1; }; }
built "$git"; is x/app/f two HEAD; [ ! -e "$work/out/x/.git" ]; is x/sub/l lib submodule; [ ! -e "$work/out/x/sub/.git" ]
built "$git#v1"; is x/app/f one tag; built "$git#side:app"; is x/f two branch; built "$git#$old:app"; is x/f one commit
built -f Other "$git#:app"; is x/f two "-f"
built --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=1 "$git#v1"; [ "$(git -C "$work/out/x" rev-parse HEAD)" = "$old" ]
if built "$git#none" || built "$git#v1:none" >/dev/null; then echo "built what is not there"; exit 1; fi
tar -C app -cf "$work/a.tar" .; tar -C app -czf "$work/www/a.tgz" .
built - <"$work/a.tar"; is x/f two "tar by stdin"; built -f Other - <"$work/www/a.tgz"; is x/f two "tgz by stdin"
built "$work/a.tar"; is x/f two "tar file"; built "$web/a.tgz"; is x/f two "tar by address"
printf 'FROM scratch\nCOPY <<E /x/f\ndoc\nE\n' >"$work/www/D"; built - <"$work/www/D"; is x/f doc stdin; built "$web/D"; is x/f doc address
add() { printf 'FROM scratch\nADD %s /x/\n' "$1" >"$work/D"; built -f "$work/D" app; }
add "--keep-git-dir=true $git#v1"; is x/app/f one ADD; [ "$(git -C "$work/out/x" rev-parse HEAD)" = "$old" ]
add "--checksum=$old $git#v1:app"; is x/f one checksum; ! add "--checksum=$old $git#main:app" >/dev/null || { echo "a wrong checksum passed"; exit 1; }
built "$git?ref=v1&subdir=app"; is x/f one "a query"; built "$git?branch=side#:app"; is x/f two "a branch's query"; built -f app/Other "$git?submodules=false"; [ ! -e "$work/out/x/sub/l" ]
add "$git?tag=v1&keep-git-dir"; is x/app/f one "ADD's query"; [ -d "$work/out/x/.git" ]; add "$git?commit=$old"; is x/app/f one "a commit's query"
for wrong in "ref=v1&checksum=$(git rev-parse side)" nope=1 tag=v1\&branch=side ref= subdir=none; do ! built "$git?$wrong" >/dev/null || { echo "built from ?$wrong"; exit 1; }; done
# A private repository: its server wants the token, and nobody else gets it, not even a submodule's server.
if [ -x "$(git --exec-path)/git-http-backend" ]; then
  mkdir -p "$work/srv/cgi-bin"; printf '#!/bin/sh\nexport GIT_PROJECT_ROOT=%s/www GIT_HTTP_EXPORT_ALL=1\nexec "$(git --exec-path)/git-http-backend"\n' "$work" >"$work/srv/cgi-bin/git"; chmod +x "$work/srv/cgi-bin/git"
  (cd "$work/srv" && exec python3 -u - "$work" <<'PY'
import base64, http.server, sys, threading
class Open(http.server.CGIHTTPRequestHandler):
    have_fork = False  # it would become nobody
    def asked(self, serve):
        if self.headers.get('Authorization'): open(sys.argv[1] + '/leaked', 'a').write(self.path + '\n')
        serve()
    def do_GET(self): self.asked(super().do_GET)
    def do_POST(self): self.asked(super().do_POST)
class Private(Open):
    def asked(self, serve):
        if self.headers.get('Authorization') == 'basic ' + base64.b64encode(b'x-access-token:opens').decode(): return serve()
        self.send_response(401); self.send_header('WWW-Authenticate', 'Basic realm="git"'); self.send_header('Content-Length', '0'); self.end_headers()
servers = [http.server.HTTPServer(('127.0.0.1', 0), handler) for handler in (Open, Private)]
open(sys.argv[1] + '/ports', 'w').write(' '.join(str(server.server_port) for server in servers) + '\n')
threading.Thread(target=servers[0].serve_forever, daemon=True).start(); servers[1].serve_forever()
PY
  ) >"$work/private-log" 2>&1 & pids+=($!)
  for _ in $(seq 100); do [ -s "$work/ports" ] && break; read -rt 0.1 <> <(:) || true; done
  read -r open closed <"$work/ports"; mkdir "$work/www/p.git"; cd "$work/www/p.git"; git init -q -b main
  printf 'FROM scratch\nCOPY f /f\nCOPY sub/l /l\n' >Dockerfile; echo hidden >f; printf '[submodule "sub"]\n\tpath = sub\n\turl = http://127.0.0.1:%s/cgi-bin/git/lib.git\n' "$open" >.gitmodules
  git update-index --add --cacheinfo "160000,$(git -C "$work/lib" rev-parse HEAD),sub"; git add Dockerfile f .gitmodules; git commit -qm p; cd "$work/src"
  host=127.0.0.1:$closed; private=http://$host/cgi-bin/git/p.git; export TOKEN=opens WRONG=shut
  if built "$private" >"$work/said"; then echo "a private repository was open"; exit 1; fi
  grep -q "a private repository needs --secret id=GIT_AUTH_TOKEN,env=NAME or id=GIT_AUTH_TOKEN.$host,env=NAME" "$work/said"
  [ "$(grep -o 'a private repository needs' "$work/said" | wc -l)" = 1 ] || { echo "told twice:"; cat "$work/said"; exit 1; }
  ! built --secret id=GIT_AUTH_TOKEN,env=WRONG "$private" >/dev/null && ! built --secret id=GIT_AUTH_TOKEN.other,env=TOKEN "$private" >/dev/null || { echo "a wrong token opened it"; exit 1; }
  built --secret id=GIT_AUTH_TOKEN,env=TOKEN "$private"; is f hidden token; is l lib "its submodule"
  built --secret "id=GIT_AUTH_TOKEN.$host,env=TOKEN" --secret id=GIT_AUTH_TOKEN,env=WRONG "$private#main"; is f hidden "token of a host"
  printf 'FROM scratch\nADD %s /x/\n' "$private" >"$work/D"; built --secret id=GIT_AUTH_TOKEN,env=TOKEN -f "$work/D" app; is x/f hidden "ADD of a private repository"
  [ ! -e "$work/leaked" ] || { echo "another server got the token"; exit 1; }; ! grep -rq opens "$SLIPWAY_STATE" || { echo "the token was kept"; exit 1; }
fi
echo "repositories, archives and addresses are contexts"
