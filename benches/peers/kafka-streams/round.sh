#!/usr/bin/env bash
# One measured round: a fresh application, a warm-up of the same mix, then the round itself as one line of JSON.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
usage() {
  cat <<'TEXT'
usage: round.sh --bootstrap-servers HOST:PORT [OPTIONS]
  --mix headline|hot|general   (headline)
  --requests N                 (1000000)
  --warm-up N                  requests of the same mix before it, on concerts of their own (300000)
  --profile 20ms|100ms         commit interval (100ms)
  --rate R                     open loop: commands a second (as fast as possible)
  --partitions N               (5; hot and general 1)
  --threads N                  stream threads (settings.properties)
  --seed S                     (1)
TEXT
}
die() { echo "round: $*" >&2; exit 1; }

brokers= mix=headline requests=1000000 warm_up=300000 profile=100ms rate= partitions= threads= seed=1
while [ $# -gt 0 ]; do
  case $1 in --help | -h) usage; exit ;; esac
  [ $# -ge 2 ] || { usage >&2; exit 64; }
  case $1 in
    --bootstrap-servers) brokers=$2 ;;
    --mix) mix=$2 ;;
    --requests) requests=$2 ;;
    --warm-up) warm_up=$2 ;;
    --profile) profile=$2 ;;
    --rate) rate=$2 ;;
    --partitions) partitions=$2 ;;
    --threads) threads=$2 ;;
    --seed) seed=$2 ;;
    *) usage >&2; exit 64 ;;
  esac
  shift 2
done
[ -n "$brokers" ] || { usage >&2; exit 64; }
if [ -z "$partitions" ]; then case $mix in headline) partitions=5 ;; *) partitions=1 ;; esac; fi

work=$(mktemp -d)
application=peer-$$-$(basename "$work" | tr -cd 'a-zA-Z0-9')
of=(--bootstrap-servers "$brokers" --application "$application")
# Started directly and not by a function, so that $! is the process itself.
peer=$here/peer.sh
app= reader= sender=
finish() {
  for pid in $reader $sender $app; do kill "$pid" 2>/dev/null || true; done
  if [ -n "$app" ]; then wait "$app" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Waits for line $1 in file $2, which process $3 writes.
line() {
  local until=$((SECONDS + 60))
  until grep -qx "$1" "$2"; do
    kill -0 "$3" 2>/dev/null || die "a process ended early: $(tail -n 5 "$2".err)"
    [ "$SECONDS" -lt "$until" ] || die "no '$1' within a minute: $(tail -n 5 "$2".err)"
    sleep 0.05
  done
}

# Sends and awaits $2 requests of run $1; further options go to `await`.
play() {
  local run=$1 count=$2
  shift 2
  local out=$work/$run
  : >"$out"
  "$peer" await "${of[@]}" --run "$run" --requests "$count" --from-end "$@" >"$out" 2>"$out.err" &
  reader=$!
  line ready "$out" "$reader"
  "$peer" produce "${of[@]}" --mix "$mix" --run "$run" --requests "$count" --seed "$seed" --partitions "$partitions" \
    ${rate:+--rate "$rate"} >"$out.produced" &
  sender=$!
  # In the background, because a shell hears no signal while it waits for a command of its own.
  wait "$sender" || die "the commands of $run were not sent"
  sender=
  wait "$reader" || die "$(tail -n 5 "$out.err")"
  reader=
}

"$peer" build
"$peer" topics "${of[@]}" --partitions "$partitions"
touch "$work/app"
"$peer" run "${of[@]}" --state "$work/state" --profile "$profile" ${threads:+--threads "$threads"} >"$work/app" 2>"$work/app.err" &
app=$!
line running "$work/app" "$app"
if [ "$warm_up" -gt 0 ]; then play warm "$warm_up"; fi
play round "$requests" --measure "$app"
if [ -s "$work/app.err" ]; then
  echo "round: the application wrote $(wc -l <"$work/app.err") warnings; the last: $(tail -n 1 "$work/app.err")" >&2
fi
sed -n "s/^{/{\"peer\":\"kafka-streams\",\"mix\":\"$mix\",\"profile\":\"$profile\",\"rate\":${rate:-null},/p" "$work/round"
