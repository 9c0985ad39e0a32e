#!/usr/bin/env bash
# PostgreSQL and Redis for the comparison: in one directory, on free ports of 127.0.0.1, as an unprivileged user.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'TEXT'
usage: servers.sh COMMAND --dir DIR [OPTIONS]
  start    start both on an empty database, print postgres_url=, redis_url=, postgres_pid=, redis_pid=
             --parent PID       end them and remove DIR as soon as this process is gone
             --timeout SECONDS  how long to wait for readiness (60)
  stop     end both and remove what they left
  status   one line per server; exit code 3 unless both run
  install  install Debian's packages now (needs no --dir; start does it where they are missing)
Settings: postgresql.conf and redis.conf beside this file. Logs: DIR/postgres.log, DIR/redis.log.
TEXT
}

say() { echo "servers: $*" >&2; }
die() { say "$*"; exit 1; }

# `identity` tells a process from a later one with its id; `free_ports` finds ports that nobody listens on.
for part in process probe; do source "$here/../../../docker/kafka/lib/$part.sh"; done

dir= parent= timeout=60
command=${1:-help}
shift || true
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || die "$1 needs a value: see servers.sh help"
  case $1 in
    --dir) dir=$2 ;;
    --parent) parent=$2 ;;
    --timeout) timeout=$2 ;;
    *) die "unknown option $1: see servers.sh help" ;;
  esac
  shift 2
done

# Debian keeps one directory of programs for each version.
find_postgres() { compgen -G '/usr/lib/postgresql/*/bin/postgres' | sort -V | tail -n 1 | xargs -r dirname; }

command_install() {
  local missing=()
  [ -n "$(find_postgres)" ] || missing+=(postgresql)
  command -v redis-server >/dev/null || missing+=(redis-server)
  if [ ${#missing[@]} -eq 0 ]; then return; fi
  command -v apt-get >/dev/null || die "install these with this system's package manager: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "run as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "apt-get install ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# PostgreSQL refuses root: its package's own user does it then.
as_user() {
  if [ "$(id -u)" -ne 0 ]; then "$@"; else
    setpriv --reuid postgres --regid postgres --clear-groups "$@"
  fi
}

# In a session of its own, so that an interrupt at the terminal does not reach it. Notes the process id.
launch() {
  local name=$1 pid
  shift
  if [ "$(id -u)" -eq 0 ]; then set -- setpriv --reuid postgres --regid postgres --clear-groups "$@"; fi
  (cd "$dir/$name" && exec setsid "$@") </dev/null >>"$dir/$name.log" 2>&1 &
  pid=$!
  echo "$pid $(identity "$pid")" >"$dir/$name.pid"
}

alive() {
  local pid born
  { read -r pid born <"$dir/$1.pid"; } 2>/dev/null || return 1
  [ "$(identity "$pid")" = "$born" ] && echo "$pid"
}

prepare() {
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  [ ! -e "$dir/postgres.pid" ] || die "$dir holds servers already: stop them, or choose another directory"
  # The unprivileged user must be able to pass through.
  chmod a+x "$dir"
  if ! as_user test -x "$dir"; then
    die "user postgres cannot reach $dir: choose a directory whose parents everybody may pass through"
  fi
  mkdir "$dir/postgres" "$dir/redis"
  if [ "$(id -u)" -eq 0 ]; then chown postgres: "$dir/postgres" "$dir/redis"; fi
  if [ -n "$parent" ]; then
    identity "$parent" >/dev/null || die "--parent names process $parent, which does not run"
    setsid bash "$here/servers.sh" watch --dir "$dir" --parent "$parent" </dev/null >/dev/null 2>&1 &
  fi
}

command_start() {
  command_install
  prepare
  local bin ports
  bin=$(find_postgres)
  ports=($(free_ports 2))
  printf 'postgres_port=%s\nredis_port=%s\n' "${ports[@]}" >"$dir/ports"
  (cd "$dir/postgres" && as_user "$bin/initdb" -D data -U stagedoor --auth=trust -E UTF8 --locale=C --no-sync) \
    >>"$dir/postgres.log" 2>&1 || failed postgres
  cat "$here/postgresql.conf" >>"$dir/postgres/data/postgresql.conf"
  cat "$here/redis.conf" >"$dir/redis/redis.conf"
  chmod a+r "$dir/redis/redis.conf"
  launch postgres "$bin/postgres" -D data -p "${ports[0]}" -k "$dir/postgres"
  launch redis redis-server redis.conf --port "${ports[1]}" --dir "$dir/redis"
  await postgres "$bin/pg_isready" -q -h 127.0.0.1 -p "${ports[0]}"
  await redis redis-cli -p "${ports[1]}" ping
  print_addresses
}

# Waits until the check $2... of server $1 succeeds.
await() {
  local name=$1 until=$((SECONDS + timeout))
  shift
  until "$@" >/dev/null 2>&1; do
    alive "$name" >/dev/null || failed "$name"
    [ "$SECONDS" -lt "$until" ] || failed "$name"
    sleep 0.1
  done
}

failed() {
  say "end of $dir/$1.log:"
  tail -n 15 "$dir/$1.log" >&2
  command_stop keep-logs
  die "$1 did not start: see above"
}

port() { sed -n "s/^$1_port=//p" "$dir/ports"; }

print_addresses() {
  echo "postgres_url=postgres://stagedoor@127.0.0.1:$(port postgres)/postgres"
  echo "redis_url=redis://127.0.0.1:$(port redis)"
  echo "postgres_pid=$(alive postgres)"
  echo "redis_pid=$(alive redis)"
}

# SIGINT asks PostgreSQL for a fast end; what does not end within ten seconds is killed.
command_stop() {
  local name pid until
  for name in postgres redis; do
    if ! pid=$(alive "$name"); then continue; fi
    if [ "$name" = postgres ]; then kill -INT "$pid"; else kill "$pid"; fi
    until=$((SECONDS + 10))
    while alive "$name" >/dev/null; do
      if [ "$SECONDS" -ge "$until" ]; then kill -KILL "$pid" 2>/dev/null || true; fi
      sleep 0.05
    done
  done
  if [ "${1:-}" = keep-logs ]; then return; fi
  rm -rf "$dir/postgres" "$dir/redis" "$dir"/{postgres,redis}.{pid,log} "$dir/ports"
  rmdir "$dir" 2>/dev/null || true
}

command_status() {
  local name pid code=0
  for name in postgres redis; do
    if pid=$(alive "$name"); then echo "server=$name state=running port=$(port "$name") pid=$pid"; else
      echo "server=$name state=stopped"
      code=3
    fi
  done
  return $code
}

command_watch() {
  local born
  born=$(identity "$parent") || born=gone
  while [ "$(identity "$parent")" = "$born" ]; do sleep 0.5; done
  command_stop
}

case $command in
  help | --help | -h) usage ;;
  install) command_install ;;
  start | stop | status | watch)
    [ -n "$dir" ] || die "$command needs --dir DIR"
    if [ "$command" != start ]; then [ -d "$dir" ] || die "there is no $dir"; dir=$(cd "$dir" && pwd); fi
    "command_$command"
    ;;
  *) die "unknown command $command: see servers.sh help" ;;
esac
