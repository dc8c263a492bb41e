#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An ordinary user builds the very image that root builds, through a user namespace: with ids of /etc/subuid wholly, without them as far as one id goes.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: needs root, to become somebody else"; exit 77; }
for tool in setpriv unshare newuidmap busybox; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
setpriv --reuid 65534 --regid 65534 --clear-groups unshare -Urm true 2>/dev/null || { echo "skipped: no user namespaces for ordinary users here"; exit 77; }
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; chmod 755 "$work"; mkdir -p "$work/ctx/tree" "$work/many" "$work/one"; cd "$work"
export SOURCE_DATE_EPOCH=1700000000; chown 65534:65534 many one
cp "$(command -v busybox)" ctx/busybox; echo a >ctx/tree/a; ln ctx/tree/a ctx/tree/b; chmod 4755 ctx/tree/a; ln -s a ctx/tree/l
cat >ctx/Dockerfile <<'D'
FROM scratch AS base
COPY busybox /bin/busybox
SHELL ["/bin/busybox", "sh", "-c"]
RUN /bin/busybox mkdir -p /old/deep /gone /keep && echo 1 >/old/deep/f && echo 2 >/gone/f && echo 3 >/keep/f
FROM base
COPY --chown=12:34 tree/ /tree/
RUN /bin/busybox rm -r /gone /old/deep && /bin/busybox mkdir /old/deep && echo new >/old/deep/g && /bin/busybox ln /keep/f /keep/h
RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t --mount=type=secret,id=s,env=S --mount=type=bind,from=base,source=/bin,target=/m /bin/busybox test "$S" = hidden && echo x >/c/x && /bin/busybox ls /m/busybox
RUN --network=none /bin/busybox test ! -e /old/deep/f && /bin/busybox test -e /old/deep/g
D
cp -r ctx owners; printf 'RUN /bin/busybox chown 5:6 /keep /keep/f && /bin/busybox chmod 2750 /keep\nUSER 7:8\nRUN /bin/busybox test "$(/bin/busybox id -u)" = 7\n' >>owners/Dockerfile
printf 'nobody:100000:65536\n' >ids; : >none
build() { S=hidden "$SLIPWAY" build --quiet --secret id=s,env=S -t app:1 -o type=image,rewrite-timestamp=true "$@"; }
as_nobody() {  # IDS STATE CONTEXT
  unshare -m sh -c 'mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid && shift && exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all env HOME="$PWD" S=hidden "$@"' _ "$1" \
    "$SLIPWAY" build --quiet --state "$2" "$3" --secret id=s,env=S -t app:1 -o type=image,rewrite-timestamp=true; }
want=$(build --state root owners); got=$(as_nobody ids "$work/many/s" owners); [ "$got" = "$want" ] || { echo "with ids: $got, not $want"; exit 1; }
want=$(build --state root ctx); got=$(as_nobody none "$work/one/s" ctx); [ "$got" = "$want" ] || { echo "with one id: $got, not $want"; exit 1; }
printf 'FROM app:1\nRUN ["/bin/busybox", "test", "-e", "/old/deep/g"]\n' >ctx/Dockerfile; as_nobody none "$work/one/s" ctx >/dev/null
if as_nobody none "$work/one/t" owners >out 2>&1; then echo "chown to ids that are not there: succeeded"; exit 1; fi
[ "$(find "$work/many" "$work/one" -maxdepth 2 -user 0 | wc -l)" = 0 ]
echo "an ordinary user's images are root's"
