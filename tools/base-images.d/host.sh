# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the images take over from this machine so that package managers inside them reach what this machine reaches.

# Debian's own sources files; other repositories of the host have keys and pins that the images know nothing of.
host_sources() {
  [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = bookworm ] || return 0
  local file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
    [ -s "$file" ] && grep -qE '^(deb |URIs:)' "$file" && echo "$file"
  done
  return 0
}

# Proxy and date checks only, and no line with a password in it.
host_apt_settings() {
  apt-config dump 2>/dev/null |
    grep -E '^Acquire::((https?|ftp)::Proxy(::[^ ]+)?|Check-Valid-Until|Check-Date|(https?)::Verify-(Peer|Host)) "[^"@]+";$' || true
}

# npm's registry and network settings without anything that identifies the user.
host_npm_settings() {
  local file
  for file in "$(npm config get globalconfig 2>/dev/null)" "$(npm config get userconfig 2>/dev/null)"; do
    if [ -f "$file" ]; then cat "$file"; echo; fi
  done |
    grep -E '^(@[^ :/]+:)?(registry|proxy|https-proxy|noproxy|strict-ssl|cafile|omit-lockfile-registry-resolved|nodedir|fetch-[a-z]+) *=' |
    grep -v '@.*@\|://[^/]*@' |
    sed -E "s#^cafile *=.*#cafile=$ca_bundle#; s#^nodedir *=.*#nodedir=/usr/local#" | sort -u || true
}

# The certificates that the host trusts beyond Debian's own list, as files for /usr/local/share/ca-certificates:
# there they survive an `apt-get install ca-certificates` in a Dockerfile.   host_certificates DIR
host_certificates() {
  local known certificate print count=0
  [ -f "$ca_bundle" ] || return 0
  known=$(mktemp -d "$work/ca.XXXXXX")
  mkdir -p "$1"
  (cd "$known" && csplit -sz -f c -b '%04d' "$ca_bundle" '/-----BEGIN CERTIFICATE-----/' '{*}')
  find /usr/share/ca-certificates -name '*.crt' -exec openssl x509 -noout -fingerprint -sha256 -in {} ';' \
    >"$known/debian" 2>/dev/null || true
  for certificate in "$known"/c*; do
    print=$(openssl x509 -noout -fingerprint -sha256 -in "$certificate" 2>/dev/null) || continue
    grep -qxF "$print" "$known/debian" && continue
    count=$((count + 1))
    openssl x509 -in "$certificate" -out "$1/host-$count.crt"
  done
  rm -rf "$known"
}

# Everything the images depend on, except what the package archives hold today (--force asks those again).
content_key() {
  {
    cat "$self" "$parts"/*
    uname -m
    host_sources | while read -r file; do cat "$file"; done
    host_apt_settings
    host_npm_settings
    if [ -f "$ca_bundle" ]; then cat "$ca_bundle"; fi
  } | sha256sum | cut -d' ' -f1
}
