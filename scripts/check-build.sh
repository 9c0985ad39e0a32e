#!/usr/bin/env bash
# Two promises about builds: the rules compile without C, and RocksDB and librdkafka are built in one way only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What builds C, or is built of it.
c_builders='^ *(cc|cmake|bindgen|pkg-config|librocksdb-sys|rdkafka-sys|zstd-sys|lz4-sys|libz-sys) '
for package in stagedoor-processors stagedoor-simulation; do
  if found=$(cargo tree -p $package -e normal,build,dev --prefix none -f '{p}' | grep -E "$c_builders"); then
    echo "check-build: $package must compile no C, but depends on:" >&2
    sort -u <<<"$found" >&2
    exit 1
  fi
done

# Prints the packages below library $1 with their features, as the selection $2... has them. Cargo hashes all of
# these into the library's build, so a feature more anywhere compiles it once more.
below() {
  local library=$1
  shift
  cargo tree --prefix depth --no-dedupe -f ' {p} {f}' "$@" | awk -v library="$library" '
    inside && $1 + 0 <= depth { inside = 0; seen = 1 }
    $2 == library && !seen { inside = 1; depth = $1 + 0 }
    inside { sub(/^[0-9]+ /, ""); print }' | sort -u
}

# Only what is compiled before the library's own C: its Rust side takes a moment.
same() {
  local library=$1 wanted found
  wanted=$(below "$library" --workspace -e normal,build)
  shift
  [ -n "$wanted" ] || { echo "check-build: nothing depends on $library" >&2; return 1; }
  found=$(below "$library" "$@")
  if [ "$found" != "$wanted" ]; then
    echo "check-build: $library would be compiled again for cargo $*; whole workspace (<), this selection (>):" >&2
    diff <(echo "$wanted") <(echo "$found") >&2
    return 1
  fi
}

code=0
for selection in "--workspace" "-p stagedoor-state --features rocksdb" "-p stagedoor-topology --features embedded" "-p stagedoor-api"; do
  # shellcheck disable=SC2086
  same librocksdb-sys -e normal,build,dev $selection || code=1
done
for selection in "--workspace" "-p stagedoor-topology --features kafka" "-p stagedoor-api" "-p stagedoor-tests"; do
  for library in libz-sys zstd-sys; do
    # shellcheck disable=SC2086
    same $library -e normal,build,dev $selection || code=1
  done
done
[ $code -eq 0 ] && echo "no C below stagedoor-processors and stagedoor-simulation, and one build of each C library"
exit $code
