//! What the whole-system tests share: a real Kafka, the product's own binary, waiting without sleeping blindly.

pub mod app;
pub mod binary;
pub mod http;
pub mod kafka;
pub mod proxy;
pub mod random;
pub mod service;
pub mod topics;
pub mod wait;

use std::path::{Path, PathBuf};

/// The root of the working copy whose tests run. Asked at run time: clones share builds, which keep
/// the path of the one that made them; only what cargo did not start has nothing else to go by.
#[must_use]
pub fn workspace() -> PathBuf {
    let running = std::env::var_os("CARGO_MANIFEST_DIR");
    let here = running.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here).join("..")
}
