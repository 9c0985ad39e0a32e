//! The product's own binary with crash points and guards that can be switched off; see `service.rs`.

use std::process::ExitCode;

use rustix::process::{Signal, set_parent_process_death_signal};

/// As in the product, so that its memory behaves the same.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // It ends with the test that started it, however that ends.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    stagedoor_api::run(std::env::args_os())
}
