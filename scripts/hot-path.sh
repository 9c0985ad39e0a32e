#!/usr/bin/env bash
# Instructions per hold, in process, against the committed baseline: fails where one has grown by more than a tenth.
# A clock would tell how busy the machine is; counted instructions tell what the code does, on any machine.
#   scripts/hot-path.sh          compare
#   scripts/hot-path.sh --write  make what is measured the baseline, once it is understood
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ -n "${CARGO_TARGET_DIR:-}" ] || source scripts/env.sh
baseline=benches/hot-path.txt
command -v valgrind >/dev/null || { echo "hot-path: needs valgrind; install it (apt-get install valgrind)" >&2; exit 1; }
# With the features of the whole workspace, so that nothing is built twice.
cargo build --quiet --workspace --bin stagedoor-bench ${CI:+--locked}

# All instructions of a run. SHA-256 counts as software: the counting processor lacks the instruction.
count() {
  local counted
  counted=$(valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null \
    "$CARGO_TARGET_DIR/debug/stagedoor-bench" play "$@" 2>&1 | sed -n 's/.*I *refs: *//p' | tr -d ,)
  [ -n "$counted" ] || { echo "hot-path: valgrind counted nothing; run it by hand" >&2; return 1; }
  echo "$counted"
}

# The difference of two runs has no start and no end in it.
few=2000 many=8000
per_hold() {
  local less more
  less=$(count --holds $few "$@")
  more=$(count --holds $many "$@")
  echo $(((more - less) / (many - few)))
}

memory=$(per_hold)
rocksdb=$(per_hold --rocksdb)
if [ "${1:-}" = --write ]; then
  printf 'decide-evolve-encode %d\nwith-rocksdb-batch %d\n' "$memory" "$rocksdb" >"$baseline"
fi
code=0
while read -r name was; do
  case $name in
    decide-evolve-encode) is=$memory ;;
    with-rocksdb-batch) is=$rocksdb ;;
    *) echo "hot-path: $baseline names $name, which is not measured; take the line out" >&2; exit 1 ;;
  esac
  echo "hot-path: $name takes $is instructions per hold, baseline $was"
  if [ $((is * 10)) -gt $((was * 11)) ]; then
    echo "hot-path: $name has grown by more than a tenth; find out why, or accept it with --write" >&2
    code=1
  elif [ $((is * 10)) -lt $((was * 9)) ]; then
    echo "hot-path: $name has shrunk by more than a tenth; keep it with --write"
  fi
done <"$baseline"
exit $code
