# To be sourced: where builds and downloads are kept, so that every clone and every run shares one RocksDB.
export STAGEDOOR_CACHE=${STAGEDOOR_CACHE:-$HOME/.cache/stagedoor}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$STAGEDOOR_CACHE/target}
# Where rustup puts it, for shells that were open before it was installed.
if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then export PATH=$HOME/.cargo/bin:$PATH; fi
