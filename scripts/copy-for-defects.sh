#!/usr/bin/env bash
# Copies the working tree into the cache, beside a target directory that starts with what is built; prints where.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/scripts/env.sh"
place=${STAGEDOOR_CACHE:-$HOME/.cache/stagedoor}/defects
rm -rf "$place/copy"
mkdir -p "$place/copy"
cd "$root"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --preserve=timestamps -t "$place/copy" 2>/dev/null || true
if [ ! -d "$place/defects-target" ] && [ -d "$CARGO_TARGET_DIR/debug" ]; then
  mkdir -p "$place/defects-target/debug"
  for part in build deps .fingerprint; do
    cp -a --reflink=auto "$CARGO_TARGET_DIR/debug/$part" "$place/defects-target/debug/$part"
  done
fi
echo "$place/copy"
