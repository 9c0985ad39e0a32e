//! Options that several commands share, and how they become the layer above all others.

use std::path::PathBuf;

use clap::Args;

use crate::config::{ConfigError, Layer, Settings, resolve};

/// Where configuration comes from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConfigArgs {
    /// TOML file; the environment and flags win over it.
    #[arg(long, env = "STAGEDOOR_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Any key of the configuration, such as threads=2 or kafka.security.protocol=SSL.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl ConfigArgs {
    /// The layer of flags so far; commands add their own.
    pub(crate) fn layer(&self) -> Result<Layer, ConfigError> {
        let mut layer = Layer::new("the command line");
        for pair in &self.set {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| ConfigError::WrongValue {
                    key: pair.clone(),
                    origin: "--set".into(),
                    expected: "KEY=VALUE".into(),
                })?;
            layer.set_named(name.trim(), value)?;
        }
        Ok(layer)
    }

    /// Settings with `flags` on top.
    pub(crate) fn resolve(&self, flags: &Layer) -> Result<Settings, ConfigError> {
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        resolve(flags, environment, self.config.as_deref())
    }
}
