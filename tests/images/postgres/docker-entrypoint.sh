#!/bin/bash
# Start PostgreSQL by the rules of the official image: on an empty data directory create the cluster, the
# user and the database that the environment asks for, run /docker-entrypoint-initdb.d, then serve.
#
# Unlike the official image, this one cannot run under a uid that /etc/passwd does not know.
set -Eeuo pipefail
shopt -s nullglob

say() { printf '%s\n' "$@"; }
refuse() { printf 'Error: %s\n' "$@" >&2; exit 1; }

# Export NAME: its own value, or the content of the file NAME_FILE names, or DEFAULT.
from_environment() {
  local name=$1 default=${2:-} file="${1}_FILE"
  if [[ -n ${!name:-} && -n ${!file:-} ]]; then
    refuse "both $name and $file are set (but are exclusive)"
  fi
  local value=${!name:-$default}
  if [[ -n ${!file:-} ]]; then value=$(<"${!file}"); fi
  export "$name=$value"
  unset "$file"
}

read_environment() {
  from_environment POSTGRES_PASSWORD
  from_environment POSTGRES_USER postgres
  from_environment POSTGRES_DB "$POSTGRES_USER"
  from_environment POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=}"
}

own_the_directories() {
  mkdir -p "$PGDATA" /var/run/postgresql
  chmod 00700 "$PGDATA" || :
  chmod 03775 /var/run/postgresql || :
  if (( EUID == 0 )); then
    find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres:postgres {} +
  fi
}

demand_a_password() {
  if [[ -z $POSTGRES_PASSWORD && $POSTGRES_HOST_AUTH_METHOD != trust ]]; then
    refuse "Database is uninitialized and superuser password is not specified." \
      "       You must specify POSTGRES_PASSWORD to a non-empty value for the" \
      "       superuser. For example, \"-e POSTGRES_PASSWORD=password\" on \"docker run\"."
  fi
  if [[ $POSTGRES_HOST_AUTH_METHOD == trust ]]; then
    say "WARNING: POSTGRES_HOST_AUTH_METHOD has been set to \"trust\"." >&2
  fi
}

create_cluster() {
  local arguments
  read -r -a arguments <<<"$POSTGRES_INITDB_ARGS"
  initdb --username="$POSTGRES_USER" --pwfile=<(say "$POSTGRES_PASSWORD") "${arguments[@]}"
  local method=${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption)}
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# It listens on the Unix socket only: nothing outside can take a half-made database for a ready one.
start_temporary_server() {
  local options
  printf -v options '%q ' "$@" -c listen_addresses='' -p "${PGPORT:-5432}"
  PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -o "$options" -w start
}

stop_temporary_server() {
  PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -m fast -w stop
}

run_sql() {
  PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc "$@"
}

create_database() {
  if [[ $POSTGRES_DB != postgres ]]; then
    run_sql --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db" ;'
  fi
}

run_init_files() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    say "$0: running $file"
    case $file in
      *.sh) if [[ -x $file ]]; then "$file"; else . "$file"; fi ;;
      *.sql) run_sql --dbname "$POSTGRES_DB" -f "$file" ;;
      *.sql.gz) gunzip -c "$file" | run_sql --dbname "$POSTGRES_DB" ;;
      *) say "$0: ignoring $file" ;;
    esac
  done
}

initialise() {
  demand_a_password
  create_cluster
  export PGPASSWORD=$POSTGRES_PASSWORD
  start_temporary_server "$@"
  create_database
  run_init_files
  stop_temporary_server
  unset PGPASSWORD
  say "" "PostgreSQL init process complete; ready for start up." ""
}

main() {
  if [[ ${1:-} == -* ]]; then set -- postgres "$@"; fi
  if [[ ${1:-} != postgres ]]; then exec "$@"; fi

  read_environment
  own_the_directories
  if (( EUID == 0 )); then
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
  fi
  if [[ -s $PGDATA/PG_VERSION ]]; then
    say "" "PostgreSQL Database directory appears to contain a database; Skipping initialization" ""
  else
    initialise "${@:2}"
  fi
  exec "$@"
}

main "$@"
