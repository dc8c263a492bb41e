#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Dockerfiles, archives and links that try to leave the build: the host's files are neither seen nor touched.
set -euo pipefail
[ "$(id -u)" = 0 ] && command -v busybox >/dev/null && command -v python3 >/dev/null || { echo "skipped: needs root, busybox, python3"; exit 77; }
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
out=$work/outside; mkdir "$out" "$out/empty"; echo SHOULDNTSEETHIS >"$out/canary"; : >"$out/void"; mkdir "$work/ctx"; cd "$work/ctx"
cp "$(command -v busybox)" busybox; ln -s / rootlink; ln -s "$out" outlink; ln -s "$out/canary" filelink
python3 - "$out" <<'PY'
import io, sys, tarfile
out = sys.argv[1]
def tar(name, *entries):
    with tarfile.open(name, 'w') as t:
        for path, kind, link, data in entries:
            e = tarfile.TarInfo(path); e.type = kind; e.linkname = link; e.size = len(data); e.mode = 0o755
            t.addfile(e, io.BytesIO(data))
F, L, H = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
tar('dotdot.tar', ('../' * 12 + out[1:] + '/canary', F, '', b'evil'))
tar('absolute.tar', (out + '/canary', F, '', b'evil'))
tar('through.tar', ('l', L, out, b''), ('l/canary', F, '', b'evil'), ('l/new', F, '', b'evil'))
tar('hard.tar', ('h', H, '../' * 12 + out[1:] + '/canary', b''), ('h', F, '', b'evil'))
tar('whiteout.tar', ('l', L, out, b''), ('l/.wh.canary', F, '', b''), ('.wh...', F, '', b''))
PY
base='FROM scratch\nCOPY busybox /bin/busybox\nSHELL ["/bin/busybox", "sh", "-c"]\n'
try() { printf "$base$1\n" >Dockerfile; timeout 60 "$SLIPWAY" build --state "$work/state" . -o type=tar,dest="$work/out.tar" >"$work/log" 2>&1 || true
  if grep -aq SHOULDNTSEETHIS "$work/out.tar" "$work/log" 2>/dev/null; then echo "seen by: $1"; exit 1; fi
  [ "$(cat "$out/canary")" = SHOULDNTSEETHIS ] && [ ! -e "$out/new" ] && [ -e "$out/void" ] && [ -d "$out/empty" ] || { echo "touched by: $1"; exit 1; }; rm -f "$work/out.tar"; }
for name in dotdot absolute through hard whiteout; do try "ADD $name.tar /x/"; try "ADD $name.tar /"; done
for source in ../outside/canary "../../../../..$out/canary" rootlink"$out"/canary outlink/canary filelink "$out/canary"; do
  try "COPY $source /x"; try "RUN --mount=type=bind,source=$source,target=/m /bin/busybox cat /m; /bin/busybox cp -r /m /seen"; done
for fd in 3 7 8 9 10; do try "WORKDIR /proc/self/fd/$fd\nRUN cd ../../../../../..; /bin/busybox cat .$out/canary >/seen"; done
try "RUN --mount=type=cache,id=../../../../../../..$out,target=/c /bin/busybox cat /c/canary >/seen; /bin/busybox touch /c/new"
for gone in void empty; do try "RUN --mount=type=tmpfs,target=/a/$gone /bin/busybox mv /a /b; /bin/busybox ln -s $out /a"; done
try "RUN /bin/busybox ln -s $out /l\nCOPY busybox /l/new\nWORKDIR /l/new\nADD hard.tar /l/"
try "RUN /bin/busybox rm -rf /etc; /bin/busybox ln -s $out /etc\nRUN /bin/busybox true"
try "FROM scratch AS s\nCOPY rootlink /r\nFROM scratch\nCOPY --from=s /r$out/canary /seen"
try "RUN --security=insecure /bin/busybox true"
echo "nothing was seen, nothing was touched"
