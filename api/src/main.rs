//! The `stagedoor` binary.

use std::process::ExitCode;

/// Unprefixed, so that RocksDB and librdkafka allocate from it too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    stagedoor_api::run(std::env::args_os())
}
