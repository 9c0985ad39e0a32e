//! Configuration: flags over environment over a TOML file over defaults; unknown keys are refused.

mod environment;
mod keys;
mod layers;
mod log;
mod secret;
mod settings;

pub(crate) use layers::{Layer, resolve};
pub(crate) use log::LogKind;
pub(crate) use secret::Secret;
pub(crate) use settings::Settings;

use std::path::PathBuf;

/// Why a configuration is refused. Every one ends the process with exit code 78.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A key nobody reads: a typing error would otherwise silently mean the default.
    #[error("unknown key {key:?} in {origin}{}", suggestion(.nearest.as_deref()))]
    UnknownKey {
        /// As written.
        key: String,
        /// Which layer it stands in.
        origin: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
    },
    /// A value that the key cannot have.
    #[error("{key} in {origin} is not {expected}")]
    WrongValue {
        /// The key.
        key: String,
        /// Which layer it stands in.
        origin: String,
        /// What it has to be.
        expected: String,
    },
    /// A value beyond what the key can hold.
    #[error("{key} cannot be used: {reason}")]
    OutOfRange {
        /// The key.
        key: String,
        /// Why.
        reason: String,
    },
    /// A value that is needed and absent.
    #[error("{key} is missing; set {remedy}")]
    Missing {
        /// The key.
        key: String,
        /// Where to set it.
        remedy: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {path}: {reason}; check the path and its permissions")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A file that is not TOML.
    #[error("{path} is not valid TOML: {reason}")]
    NotToml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// The same secret given in two ways, of which one would silently lose.
    #[error("{variable} and {variable}_FILE are both set; keep one of them")]
    GivenTwice {
        /// The variable without `_FILE`.
        variable: String,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| {
        format!("; did you mean {nearest:?}?")
    })
}
