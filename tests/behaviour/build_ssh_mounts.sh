#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# RUN --mount=type=ssh: the user's agent, agents of several ids, keys without an agent, sockets for other users; nothing of it stays.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
for tool in ssh-agent ssh-add ssh-keygen busybox ldd; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
work=$(mktemp -d); agent=; trap 'kill $agent 2>/dev/null || true; rm -rf "$work"' EXIT
export SLIPWAY_STATE=$work/state; unset SSH_AUTH_SOCK; mkdir -p "$work/ctx/root/bin" "$work/ctx/root/etc"; cd "$work"
for key in one two three; do ssh-keygen -q -t ed25519 -N '' -C $key -f $key; done; ssh-keygen -q -t ed25519 -N secret -f locked
cp "$(command -v busybox)" ctx/root/bin/busybox; cp "$(command -v ssh-add)" ctx/root/bin/; printf 'root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n' >ctx/root/etc/passwd
ldd "$(command -v ssh-add)" | grep -o '/[^ ]*' | while read -r lib; do mkdir -p "ctx/root$(dirname "$lib")"; cp -L "$lib" "ctx/root$lib"; done
cat >ctx/Dockerfile <<'D'
FROM scratch AS base
COPY root /
SHELL ["/bin/busybox", "sh", "-c"]
FROM base AS keys
RUN --mount=type=ssh ssh-add -L >/default && /bin/busybox stat -c '%a %u:%g' "$SSH_AUTH_SOCK" >/mode
RUN --mount=type=ssh,id=other,target=/agent,mode=0660,uid=1000,gid=50 SSH_AUTH_SOCK=/agent ssh-add -L >/other && /bin/busybox stat -c '%a %u:%g' /agent >>/mode
RUN /bin/busybox mkdir -m 777 /out
USER app
RUN --mount=type=ssh,uid=1000 ssh-add -L >/out/app
FROM base AS optional
RUN --mount=type=ssh [ -z "$SSH_AUTH_SOCK" ]
FROM base AS required
RUN --mount=type=ssh,id=deploy,required true
D
ssh-agent -D -a "$work/agent" >/dev/null & agent=$!; for _ in $(seq 100); do [ -S "$work/agent" ] && break; read -rt 0.1 <> <(:) || true; done
SSH_AUTH_SOCK=$work/agent ssh-add -q one
built() { rm -rf out; "$SLIPWAY" build --quiet --no-cache ctx "$@" -o type=local,dest="$work/out" >/dev/null 2>"$work/log"; }
holds() { grep -qF "$(cut -d' ' -f2 "$2.pub")" "out/$1" && [ "$(wc -l <"out/$1")" = "${3:-1}" ] || { echo "$1 has not $2: $(cat "out/$1")"; exit 1; }; }
SSH_AUTH_SOCK=$work/agent built --target keys --ssh default --ssh "other=$work/two,$work/three" || { cat log; exit 1; }
holds default one; holds other two 2; holds other three 2; holds out/app one; diff <(printf '600 0:0\n660 1000:50\n') out/mode
[ ! -e out/agent ] && [ ! -e out/run ] || { echo "a socket's place stayed in a layer"; exit 1; }
built --target keys --ssh "default=$work/agent" --ssh "other=$work/two" || { cat log; exit 1; }; holds default one; holds other two
built --target optional || { cat log; exit 1; }
refused() { local said=$1; shift; if built "$@"; then echo "built with $*"; exit 1; fi; grep -qF -- "$said" log || { echo "not '$said':"; cat log; exit 1; }; }
refused "ssh: no agent 'deploy' is offered; give --ssh deploy" --target required
refused "--ssh default: SSH_AUTH_SOCK is not set" --target optional --ssh default
refused "--ssh a: there is no file '$work/none'" --target optional --ssh "a=$work/none"
refused "--ssh a: the key '$work/locked' is not taken" --target optional --ssh "a=$work/locked"
refused "--ssh a is given twice" --target optional --ssh "a=$work/one" --ssh "a=$work/two"
! pgrep -f "ssh-agent -D -a ${TMPDIR:-/tmp}/slipway" >/dev/null || { echo "an agent was left behind"; pgrep -af ssh-agent; exit 1; }
echo "agents, keys and ids reach RUN, for their users only"
