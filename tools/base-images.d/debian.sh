# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# debian:bookworm-slim: the required packages and apt, without documentation, set up for use as an image.

make_debian() {
  local sources=()
  say "debian:bookworm-slim"
  mapfile -t sources < <(host_sources)
  host_apt_settings >"$work/apt-settings"
  # The package lists stay aside: postgres:15 needs the same. Documentation is deleted afterwards, since mmdebstrap
  # sends each archive through a filter in Python (32 s more) to leave it out.
  mmdebstrap --verbose --variant=minbase --components=main --format=directory --skip=cleanup/apt/lists \
    --aptopt='Acquire::Languages "none"' --aptopt='Acquire::GzipIndexes "true"' --aptopt="$work/apt-settings" \
    bookworm "$work/debian" "${sources[@]}" </dev/null >"$work/log" 2>&1 ||
    { tail -n 60 "$work/log" >&2; die "mmdebstrap failed"; }
  mv "$work/debian/var/lib/apt/lists" "$work/lists"
  mkdir -p "$work/debian/var/lib/apt/lists" "$work/archives/partial"
  find "$work/debian"/usr/share/{man,info,locale,groff,lintian} -mindepth 1 -delete 2>/dev/null || true
  find "$work/debian/usr/share/doc" -mindepth 2 \! -name copyright \! -type d -delete
  debian_settings "$work/debian"
  tidy "$work/debian"
  date=$(package_date "$work/debian")
  layer debian "$work/debian"
  image debian-bookworm-slim docker.io/library/debian:bookworm-slim \
    "{\"Env\":[\"PATH=$default_path\"],\"Cmd\":[\"bash\"]}" '' debian
}

# What Docker Hub's Debian image also sets: no services started by packages, no archives kept, no translations.
debian_settings() {
  local root=$1
  rm -f "$root"/etc/apt/apt.conf.d/99mmdebstrap "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  cat >"$root/etc/dpkg/dpkg.cfg.d/image" <<'CFG'
# a build that fails is thrown away whole: no fsync per file; no documentation
force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/groff/*
path-exclude /usr/share/lintian/*
CFG
  cat >"$root/etc/apt/apt.conf.d/image" <<'CFG'
// downloaded archives would only make layers larger
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::GzipIndexes "true";
Acquire::Languages "none";
Apt::AutoRemove::SuggestsImportant "false";
CFG
  if [ -s "$work/apt-settings" ]; then cp "$work/apt-settings" "$root/etc/apt/apt.conf.d/99host"; fi
  if [ -f "$ca_bundle" ]; then
    host_certificates "$root/usr/local/share/ca-certificates"
    mkdir -p "$root/etc/ssl/certs"
    cp "$ca_bundle" "$root/etc/ssl/certs/"
  fi
}

# on_debian NAME FUNCTION: runs FUNCTION MERGED with MERGED a writable view of Debian, then makes layer NAME of what changed.
on_debian() {
  local name=$1 change=$2 upper=$work/$1.upper merged=$work/$1.merged path
  mkdir -p "$upper" "$work/$name.scratch" "$merged"
  mount -t overlay -o "lowerdir=$work/debian,upperdir=$upper,workdir=$work/$name.scratch" overlay "$merged" ||
    die "cannot mount an overlay: this needs a kernel with overlayfs and CAP_SYS_ADMIN"
  "$change" "$merged"
  tidy "$merged"
  date=$(package_date "$merged")
  # What the lower tree has and the view has not was deleted; only the topmost of a deleted tree is recorded.
  comm -23 <(cd "$work/debian" && find . | sort) <(cd "$merged" && find . | sort) >"$work/deleted"
  umount "$merged"
  find "$upper" -type c -delete
  while read -r path; do
    [ -e "$work/debian/$(dirname "$path")" ] && ! grep -qxF "$(dirname "$path")" "$work/deleted" || continue
    mkdir -p "$upper/$(dirname "$path")"
    : >"$upper/$(dirname "$path")/.wh.$(basename "$path")"
  done <"$work/deleted"
  layer "$name" "$upper"
}

# in_chroot ROOT COMMAND...: with /proc, /dev and this machine's resolver, all gone again afterwards.
in_chroot() {
  local root=$1
  shift
  mount --rbind /dev "$root/dev"
  mount -t proc proc "$root/proc"
  if [ -e /etc/resolv.conf ]; then : >"$root/etc/resolv.conf"; mount --bind "$(readlink -f /etc/resolv.conf)" "$root/etc/resolv.conf"; fi
  env -i PATH="$default_path" HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root" "$@" </dev/null >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; die "'$*' failed in the image"; }
  if [ -e "$root/etc/resolv.conf" ]; then umount "$root/etc/resolv.conf"; fi
  umount -l "$root/proc" "$root/dev"
}
