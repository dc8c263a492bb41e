# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# postgres:15: Debian's PostgreSQL 15 server without its compiler for queries (LLVM, the larger half; jit then stays off).

make_postgres() {
  say "postgres:15"
  on_debian postgres install_postgres
  image postgres-15 docker.io/library/postgres:15 \
    "{\"Env\":[\"PATH=$default_path:/usr/lib/postgresql/15/bin\",\"LANG=en_US.utf8\",\"PG_MAJOR=15\",\"PG_VERSION=$pg_version\",\"PGDATA=/var/lib/postgresql/data\"],\"Entrypoint\":[\"docker-entrypoint.sh\"],\"Cmd\":[\"postgres\"],\"ExposedPorts\":{\"5432/tcp\":{}},\"Volumes\":{\"/var/lib/postgresql/data\":{}},\"StopSignal\":\"SIGINT\"}" \
    "postgresql-15 $pg_version from Debian packages" debian postgres
}

install_postgres() {
  local root=$1
  groupadd --root "$root" --system --gid 999 postgres
  useradd --root "$root" --system --uid 999 --gid postgres --home-dir /var/lib/postgresql --shell /bin/bash postgres
  mkdir -p "$root/etc/postgresql-common"
  echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
  mount --bind "$work/lists" "$root/var/lib/apt/lists"
  mount --bind "$work/archives" "$root/var/cache/apt/archives"
  in_chroot "$root" apt-get install -y --no-install-recommends -o DPkg::Options::=--path-exclude='*/libLLVM*' \
    -o DPkg::Options::=--path-exclude='*/llvmjit*' -o DPkg::Options::=--path-exclude='*/bitcode/*' \
    -o DPkg::Options::=--path-exclude='*/libz3.so*' \
    postgresql-15 gosu locales xz-utils zstd
  umount "$root/var/lib/apt/lists" "$root/var/cache/apt/archives"
  # postgresql-15 insists on the package locales; the sources of all other locales are not needed.
  in_chroot "$root" localedef -i en_US -f UTF-8 en_US.utf8
  rm -rf "$root/usr/share/i18n"
  pg_version=$(chroot "$root" dpkg-query -W -f '${Version}' postgresql-15)
  sed -i -E "s/^#?listen_addresses = .*/listen_addresses = '*'/" "$root/usr/share/postgresql/15/postgresql.conf.sample"
  mkdir -p "$root/docker-entrypoint-initdb.d" "$root/var/lib/postgresql/data" "$root/run/postgresql"
  chown 999:999 "$root/var/lib/postgresql" "$root/var/lib/postgresql/data" "$root/run/postgresql"
  chmod 1777 "$root/var/lib/postgresql/data"
  chmod 3777 "$root/run/postgresql"
  rm -rf "$root"/etc/ssl/private/* "$root"/etc/ssl/certs/ssl-cert-snakeoil.pem
  find "$root/etc/ssl/certs" -xtype l -delete # links to the certificate just removed
  sed -i 's#/tmp/postgresql-common\.[A-Za-z0-9]*#/tmp/postgresql-common#' "$root/var/cache/debconf/config.dat" # a random name
  install -m 755 "$parts/postgres-entrypoint.sh" "$root/usr/local/bin/docker-entrypoint.sh"
}
