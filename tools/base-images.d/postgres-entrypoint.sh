#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Starts PostgreSQL; makes the database first when the data directory is empty. Reads
#   POSTGRES_PASSWORD, POSTGRES_USER, POSTGRES_DB, POSTGRES_INITDB_ARGS (or NAME_FILE: a file that holds the value),
#   POSTGRES_HOST_AUTH_METHOD, POSTGRES_INITDB_WALDIR, PGDATA
# and runs /docker-entrypoint-initdb.d/*.{sh,sql,sql.gz,sql.xz,sql.zst} once, in name order.
set -Eeo pipefail

fail() { printf 'error: %s\n' "$@" >&2; exit 1; }

# setting NAME [DEFAULT]: NAME from the environment or from the file that NAME_FILE names
setting() {
  local name=$1 file=$1_FILE
  if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then fail "both $name and $file are set: give one of them"; fi
  if [ -n "${!file:-}" ]; then printf -v "$name" %s "$(<"${!file}")"; else printf -v "$name" %s "${!name:-${2:-}}"; fi
  export "${name?}"
  unset "$file"
}

make_directories() {
  mkdir -p "$PGDATA" && chmod 700 "$PGDATA" || true
  mkdir -p /var/run/postgresql && chmod 3775 /var/run/postgresql || true
  [ -z "${POSTGRES_INITDB_WALDIR:-}" ] || { mkdir -p "$POSTGRES_INITDB_WALDIR" && chmod 700 "$POSTGRES_INITDB_WALDIR"; }
  if [ "$(id -u)" = 0 ]; then
    find "$PGDATA" /var/run/postgresql ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"} \! -user postgres -exec chown postgres '{}' +
  fi
}

check_password() {
  [ -n "$POSTGRES_PASSWORD" ] || [ "${POSTGRES_HOST_AUTH_METHOD:-}" = trust ] ||
    fail 'the database is not initialised and the superuser has no password' \
      'set POSTGRES_PASSWORD to a non-empty value, for example "-e POSTGRES_PASSWORD=password"' \
      'or allow connections without one by "POSTGRES_HOST_AUTH_METHOD=trust" (not recommended)'
}

init_directory() {
  eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") \
    ${POSTGRES_INITDB_WALDIR:+--waldir="$POSTGRES_INITDB_WALDIR"} '"${POSTGRES_INITDB_ARGS:-}"' "$@"'
  local method=${POSTGRES_HOST_AUTH_METHOD:-} conf
  if [ -z "$method" ]; then
    conf=$(<"$PGDATA/postgresql.conf") method=scram-sha-256
    if [[ $conf =~ $'\n'password_encryption\ *=\ *([a-z0-9-]+) ]]; then method=${BASH_REMATCH[1]}; fi
  fi
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

run_sql() { psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --username "$POSTGRES_USER" "$@"; }

run_init_files() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    [ -e "$file" ] || continue
    printf '%s: running %s\n' "$0" "$file"
    case $file in
      *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
      *.sql) run_sql -d "$POSTGRES_DB" -f "$file" ;;
      *.sql.gz) gunzip -c "$file" | run_sql -d "$POSTGRES_DB" ;;
      *.sql.xz) xzcat "$file" | run_sql -d "$POSTGRES_DB" ;;
      *.sql.zst) zstd -dc "$file" | run_sql -d "$POSTGRES_DB" ;;
      *) printf '%s: ignoring %s\n' "$0" "$file" ;;
    esac
  done
}

has_init_files() { compgen -G '/docker-entrypoint-initdb.d/*' >/dev/null; }

# By a server of one process, which nobody can connect to: starting and stopping a whole one takes longer than initdb's half.
create_database() {
  case $POSTGRES_DB in postgres | template0 | template1) return 0 ;; esac
  printf 'CREATE DATABASE "%s"\n' "${POSTGRES_DB//\"/\"\"}" |
    postgres --single -D "$PGDATA" -c exit_on_error=true postgres >/dev/null
}

# The server that runs the init files listens on a socket of its own: a health check does not take it for the real one.
init_database() {
  local sockets
  sockets=$(mktemp -d)
  export PGHOST=$sockets
  PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -w start -o "$(printf '%q ' "$@" -c "listen_addresses=" -c "unix_socket_directories=$sockets" -p "${PGPORT:-5432}")"
  export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
  if [ -z "$(run_sql -d postgres --tuples-only -v db="$POSTGRES_DB" <<<"SELECT 1 FROM pg_database WHERE datname = :'db';")" ]; then
    run_sql -d postgres -v db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
  fi
  run_init_files
  PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGHOST PGPASSWORD
  rm -rf "$sockets"
}

wants_help() {
  local argument
  for argument; do case $argument in -'?' | --help | --describe-config | -V | --version) return 0 ;; esac; done
  return 1
}

main() {
  [ "${1:0:1}" != - ] || set -- postgres "$@"
  if [ "$1" = postgres ] && ! wants_help "$@"; then
    make_directories
    if [ "$(id -u)" = 0 ]; then exec gosu postgres "$BASH_SOURCE" "$@"; fi
    setting POSTGRES_PASSWORD
    setting POSTGRES_USER postgres
    setting POSTGRES_DB "$POSTGRES_USER"
    setting POSTGRES_INITDB_ARGS
    if [ -s "$PGDATA/PG_VERSION" ]; then
      printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
    else
      check_password
      init_directory
      if has_init_files || [[ $POSTGRES_DB = *$'\n'* ]]; then init_database "${@:2}"; else create_database; fi
      printf '\nPostgreSQL init process complete; ready for start up.\n\n'
    fi
  fi
  exec "$@"
}

# Sourced by a user's own entrypoint, it only defines its functions.
if [ "$0" = "${BASH_SOURCE[0]}" ]; then main "$@"; fi
