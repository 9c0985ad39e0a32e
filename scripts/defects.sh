#!/usr/bin/env bash
# Plants each seeded defect of tests/defects/defects.toml and shows that a test catches it; names select some.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
scripts/setup.sh --kafka
source scripts/env.sh
exec cargo run --quiet -p stagedoor-tests --bin defects -- "$@"
