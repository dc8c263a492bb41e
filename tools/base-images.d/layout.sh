# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Root directories to OCI image layouts.

# The newest date that a package brought: the same packages give the same layer, whenever it is made.
package_date() { find "$1/usr/share/doc" -name copyright -printf '%Ts\n' | sort -n | tail -n1; }

# What a package manager leaves behind that no image needs, or that differs from run to run, or that is the machine's.
tidy() {
  local root=$1
  find "$root/var/log" -type f -delete 2>/dev/null || true
  rm -rf "$root"/var/cache/ldconfig/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/* \
    "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old "$root"/var/lib/apt/lists/* "$root"/tmp/* "$root"/var/tmp/* \
    "$root"/etc/{passwd,group,shadow,gshadow,subuid,subgid}- "$root"/root/.npm "$root"/root/.cache
  find "$root/run" -mindepth 1 \! -path '*/run/postgresql' -delete
  rm -f "$root"/etc/{resolv.conf,hostname,hosts,mtab,.pwd.lock}
  if [ -e "$root/etc/machine-id" ]; then : >"$root/etc/machine-id"; fi
  sed -i -E "s/^([^:]*:[^:]*:)[0-9]+:/\1$(($(package_date "$root") / 86400)):/" "$root/etc/shadow" # day of the last password change
}

# Blobs are kept once per run and hard-linked into each layout.   blob FILE -> its sha256
blob() {
  local digest
  digest=$(sha256sum "$1" | cut -d' ' -f1)
  mkdir -p "$work/blobs"
  mv "$1" "$work/blobs/$digest"
  echo "$digest"
}

# layer NAME TREE: TREE as one gzipped layer; sets diff_id_NAME, digest_NAME, size_NAME.
layer() {
  local name=$1 tree=$2 tar=$work/$1.tar
  tar --create --file "$tar" --directory "$tree" --sort=name --numeric-owner --format=gnu --clamp-mtime --mtime="@$date" \
    --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' --no-wildcards-match-slash --warning=no-file-ignored \
    --transform='flags=r;s#^\./##' .
  gzip -n -c "$tar" >"$tar.gz" &
  printf -v "diff_id_$name" %s "$(sha256sum "$tar" | cut -d' ' -f1)"
  wait $!
  rm "$tar"
  printf -v "size_$name" %s "$(stat -c %s "$tar.gz")"
  printf -v "digest_$name" %s "$(blob "$tar.gz")"
}

# image DIRECTORY REFERENCE CONFIG CREATED_BY LAYER...: an image layout with one manifest, named for `skopeo copy oci:`.
image() {
  local out=$work/out/$1 reference=$2 settings=$3 created_by=$4 name value
  local created config config_size manifest manifest_size layers='' diff_ids='' history='' architecture
  shift 4
  created=$(date -u -d "@$date" +%Y-%m-%dT%H:%M:%SZ)
  architecture=$(dpkg --print-architecture)
  for name; do
    value=diff_id_$name; diff_ids+=",\"sha256:${!value}\""
    value=size_$name; layers+=",{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"size\":${!value}"
    value=digest_$name; layers+=",\"digest\":\"sha256:${!value}\"}"
    value=$created_by; [ "$name" = debian ] && value='mmdebstrap bookworm'
    history+=",{\"created\":\"$created\",\"created_by\":\"$value\"}"
  done
  cat >"$work/config" <<JSON
{"architecture":"$architecture","os":"linux","created":"$created","config":$settings,"rootfs":{"type":"layers","diff_ids":[${diff_ids:1}]},"history":[${history:1}]}
JSON
  config_size=$(stat -c %s "$work/config")
  config=$(blob "$work/config")
  cat >"$work/manifest" <<JSON
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":$config_size,"digest":"sha256:$config"},"layers":[${layers:1}]}
JSON
  manifest_size=$(stat -c %s "$work/manifest")
  manifest=$(blob "$work/manifest")
  mkdir -p "$out/blobs/sha256"
  for value in "$config" "$manifest"; do ln "$work/blobs/$value" "$out/blobs/sha256/$value"; done
  for name; do value=digest_$name; ln "$work/blobs/${!value}" "$out/blobs/sha256/${!value}"; done
  printf '{"imageLayoutVersion":"1.0.0"}' >"$out/oci-layout"
  cat >"$out/index.json" <<JSON
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":$manifest_size,"digest":"sha256:$manifest","platform":{"architecture":"$architecture","os":"linux"},"annotations":{"org.opencontainers.image.ref.name":"$reference"}}]}
JSON
}
