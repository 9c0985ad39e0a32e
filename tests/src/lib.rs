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

/// The root of the working copy that these tests were built from.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
