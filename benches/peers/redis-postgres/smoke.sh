#!/usr/bin/env bash
# Starts both servers and the service, and asks for every answer that the comparison rests on.
# The service is built first, or given: smoke.sh [PROGRAM]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../../..
source "$root/scripts/env.sh"
program=${1:-}
if [ -z "$program" ]; then
  (cd "$root" && cargo build -q -p stagedoor-bench-peer)
  program=$CARGO_TARGET_DIR/debug/stagedoor-bench-peer
fi
export STAGEDOOR_AUTH_SECRET=an-example-secret-of-32-bytes-or-more

work=$(mktemp -d)
# The servers' own user must pass through.
chmod a+x "$work"
service= passed=0 failed=0
finish() {
  if [ -n "$service" ]; then kill "$service" 2>/dev/null || true; fi
  if [ -d "$work/servers" ]; then "$here/servers.sh" stop --dir "$work/servers"; fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Base64url without padding, as tokens have it.
text() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
token() {
  local claims signed
  claims=$(printf '{"sub":"%s","roles":["organiser"],"exp":%s}' "$1" $(($(date +%s) + 600)) | text)
  signed=$(printf '{"alg":"HS256","typ":"JWT"}' | text).$claims
  echo "$signed.$(printf %s "$signed" | openssl dgst -sha256 -hmac "$STAGEDOOR_AUTH_SECRET" -binary | text)"
}

# check NAME EXPECTED USER KEY METHOD PATH BODY: status and code of the answer.
check() {
  local answer
  answer=$(curl -s -w ' %{http_code}' -X "$5" "$url$6" -H "authorization: Bearer $(token "$3")" \
    -H "idempotency-key: $4" -H 'content-type: application/json' -d "$7" |
    sed -E 's/.*"code":"([a-z_]*)".* ([0-9]+)$/\2 \1/; s/^\{.* ([0-9]+)$/\1/')
  if [ "$answer" = "$2" ]; then passed=$((passed + 1)); else
    failed=$((failed + 1))
    echo "smoke: $1: expected $2, got $answer" >&2
  fi
}
hold() { check "$1" "$2" "$3" "$4" POST /v1/concerts/c1/reservations "{\"seats\":[$5]}"; }

servers=$("$here/servers.sh" start --dir "$work/servers")
value() { sed -n "s/^$1=//p" <<<"$servers"; }
: >"$work/out"
"$program" --postgres-url "$(value postgres_url)" --redis-url "$(value redis_url)" >"$work/out" &
service=$!
until url=$(sed -n 's/^url=//p' "$work/out") && [ -n "$url" ]; do
  kill -0 "$service" || { echo "smoke: the service ended" >&2; exit 1; }
  sleep 0.05
done

plan='"title":"t","artist":"a","venue":"v","time_zone":"UTC","starts_at":"2099-06-01T18:00:00Z",
  "ends_at":"2099-06-01T21:00:00Z","sale_opens_at":"2020-01-01T00:00:00Z","sale_closes_at":"2099-06-01T17:00:00Z",
  "max_seats_per_user":4,"sections":[{"id":"A","name":"A","grade":"A","price_minor":100,"rows":5,"seats_per_row":5}]'
put() { check "$1" "$2" org put PUT /v1/concerts/c1 "{$plan,\"currency\":\"$3\"}"; }
put 'a concert is made' 201 EUR
put 'the same concert again' 200 EUR
put 'another concert of that id' '409 concert_differs' KRW
hold 'free seats are held' 201 ann k1 '"A-1-1","A-1-2"'
hold 'the same request gets its answer again' 201 ann k1 '"A-1-1","A-1-2"'
hold 'another request by that key' '422 idempotency_mismatch' ann k1 '"A-1-1"'
hold 'one of two seats is taken' '409 seat_taken' bob k1 '"A-1-2","A-1-3"'
hold 'nothing was kept of the refused hold' 201 bob k2 '"A-1-3"'
hold 'over the limit' '409 limit_reached' ann k2 '"A-2-1","A-2-2","A-2-3"'
hold 'nothing was kept of what was over the limit' 201 bob k3 '"A-2-1","A-2-2","A-2-3"'
hold 'a seat that is not there' '422 unknown_seat' ann k3 '"A-6-1"'
redis-cli -u "$(value redis_url)" flushall >/dev/null
hold 'without its marks: the same request again' 201 ann k1 '"A-1-1","A-1-2"'
hold 'without its marks: a taken seat' '409 seat_taken' cid k1 '"A-1-3"'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
