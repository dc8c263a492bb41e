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
# The image's own links where the runtime mounts something (CVE-2019-5736, CVE-2021-30465, CVE-2025-31133, CVE-2025-52565).
for place in proc sys dev run tmp; do mkdir -p "evil-$place"; ln -sfn "$out" "evil-$place/$place"; mounts="--mount=type=cache,id=$place,target=/$place/void --mount=type=tmpfs,target=/$place/empty"
  try "COPY evil-$place/ /\nRUN /bin/busybox cat /$place/canary >/seen; /bin/busybox touch /$place/new"; try "COPY evil-$place/ /\nRUN $mounts /bin/busybox cp -r /$place /seen; /bin/busybox touch /$place/new"; done
mkdir -p devlinks/dev; for name in null console ptmx shm; do ln -sfn "$out/canary" "devlinks/dev/$name"; done; try "COPY devlinks/ /\nRUN echo evil >/dev/null; /bin/busybox cat /dev/console >/seen"
# Mounts from stages whose source is a link (CVE-2024-1753, CVE-2024-9407), targets behind links, names of secrets and heredocs that climb.
mkdir links; cp -P rootlink outlink links
stage="FROM scratch AS s\nCOPY links/ /\nFROM scratch\nCOPY busybox /bin/busybox\nSHELL [\"/bin/busybox\", \"sh\", \"-c\"]\n"
for source in rootlink outlink "rootlink$out" ../../../../../..; do try "${stage}RUN --mount=type=bind,from=s,source=/$source,target=/m,rw /bin/busybox cp -r /m /seen; /bin/busybox touch /m/new /m$out/new"; done
for kind in "bind,source=busybox" "cache,id=t" tmpfs "secret,id=none" "bind,from=s,source=/,rw"; do try "${stage}COPY links/ /\nRUN --mount=type=$kind,target=/outlink/new/../void /bin/busybox cp -r /outlink /seen; /bin/busybox touch /outlink/new"; done
try "COPY <<../../../../../../../..$out/new /x/\nevil\n../../../../../../../..$out/new"; try "RUN <<../../../../../../../..$out/new\n/bin/busybox true\n../../../../../../../..$out/new"
# Two stages that share a cache, one swapping a directory for a link all the time (CVE-2024-23651, CVE-2024-11218).
race="--mount=type=cache,id=race,target=/c"
try "FROM scratch AS b\nCOPY --from=0 /bin /bin\nSHELL [\"/bin/busybox\", \"sh\", \"-c\"]\nRUN $race i=0; while [ \$i -lt 400 ]; do i=\$((i+1)); /bin/busybox rm -rf /c/d; /bin/busybox ln -s $out /c/d; /bin/busybox rm -f /c/d; /bin/busybox mkdir /c/d; done; echo 1 >/b\nFROM b AS c\nFROM scratch AS d\nCOPY --from=0 /bin /bin\nSHELL [\"/bin/busybox\", \"sh\", \"-c\"]\nRUN --mount=type=cache,id=race,source=d,target=/m $race i=0; while [ \$i -lt 400 ]; do i=\$((i+1)); /bin/busybox touch /m/new /c/d/new; /bin/busybox cat /c/d/canary; done >/d 2>/dev/null; true\nFROM scratch\nCOPY --from=c /b /b\nCOPY --from=d /d /seen"
echo "nothing was seen, nothing was touched"
