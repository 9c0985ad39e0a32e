#!/usr/bin/env bash
# A real Apache Kafka without Docker: one broker or three, in one directory, on free ports of 127.0.0.1.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'TEXT'
usage: kafka.sh COMMAND --dir DIR [OPTIONS]
  start    start what does not run, wait until every broker answers, print bootstrap_servers=HOST:PORT[,...]
             --brokers 1|3      size of a new cluster (1)
             --port N           client port of the first broker, the others follow (free ports)
             --advertise P[,..] port that each broker names to its clients instead of its own (for a proxy)
             --light            small heap and quick start instead of throughput
             --heap SIZE        heap of each broker (1g; with --light 400m)
             --set KEY=VALUE    one more broker setting; may be repeated
             --parent PID       kill the brokers and remove DIR as soon as this process is gone
             --timeout SECONDS  how long to wait for readiness (90)
  stop     end the brokers and remove what they left; with --keep leave the data, and the next start has the same ports
  kill     SIGKILL              \
  pause    SIGSTOP               > with --broker N only that one
  resume   SIGCONT              /
  status   one line per broker; exit code 3 unless all run
  env      shell lines with KAFKA_BOOTSTRAP_SERVERS and KAFKA_CLASSPATH (Kafka's own tools)
  fetch    copy the jars into the cache now (needs no --dir)
Logs: DIR/logs/broker-N.log. Jars: ${STAGEDOOR_CACHE:-$HOME/.cache/stagedoor}/kafka-VERSION.
TEXT
}

say() { echo "kafka: $*" >&2; }
die() { say "$*"; exit 1; }

for part in process jars probe cluster commands; do source "$here/lib/$part.sh"; done

dir= brokers= port= advertise= broker= parent= keep= light= heap= timeout=90 settings=
command=${1:-help}
shift || true
value() { [ $# -ge 2 ] || die "$1 needs a value: see kafka.sh help"; echo "$2"; }
number() {
  local given
  given=$(value "$@")
  [[ $given =~ ^[0-9]+$ ]] || die "$1 takes a number, not $given"
  echo "$given"
}
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=yes; shift; continue ;;
    --light) light=yes; shift; continue ;;
    --dir) dir=$(value "$@") ;;
    --brokers) brokers=$(number "$@") ;;
    --port) port=$(number "$@") ;;
    --advertise) advertise=$(value "$@") ;;
    --broker) broker=$(number "$@") ;;
    --parent) parent=$(number "$@") ;;
    --timeout) timeout=$(number "$@") ;;
    --heap) heap=$(value "$@") ;;
    --set) settings+=$(value "$@")$'\n' ;;
    *) die "unknown option $1: see kafka.sh help" ;;
  esac
  shift 2
done

case $command in
  help | --help | -h) usage; exit ;;
  fetch) ensure_jars; exit ;;
  start | stop | kill | pause | resume | status | env | watch) ;;
  *) die "unknown command $command: see kafka.sh help" ;;
esac
[ -n "$dir" ] || die "$command needs --dir DIR"
command -v flock >/dev/null && command -v setsid >/dev/null || die "flock and setsid are missing: install util-linux"
"command_$command"
