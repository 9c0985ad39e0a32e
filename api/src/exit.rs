//! Exit codes: what a script or a supervisor can tell from the end of the process.

use std::process::ExitCode;

use stagedoor_state::StateError;

use crate::config::ConfigError;
use crate::runtime::RuntimeError;

/// Why a command ends without success. It is shown on standard error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Something was found that should not be: 1.
    #[error("{0}")]
    Problem(String),
    /// The command line is wrong: 64.
    #[error("{0}")]
    Usage(String),
    /// It may work later, or elsewhere: 75.
    #[error("{0}")]
    TryAgain(String),
    /// The configuration or the environment has to be changed: 78.
    #[error("{0}")]
    Configuration(String),
}

impl Failure {
    /// The code for the system.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Problem(_) => 1,
            Self::Usage(_) => 64,
            Self::TryAgain(_) => 75,
            Self::Configuration(_) => 78,
        })
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl From<RuntimeError> for Failure {
    fn from(error: RuntimeError) -> Self {
        let text = error.to_string();
        match error {
            // Whoever has the directory may be about to end.
            RuntimeError::State(StateError::Locked { .. }) => Self::TryAgain(text),
            RuntimeError::Topology(_) => Self::Problem(text),
            RuntimeError::Config(_)
            | RuntimeError::State(_)
            | RuntimeError::Start(_)
            | RuntimeError::InstanceId { .. } => Self::Configuration(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_use_is_worth_another_try_and_a_missing_key_is_not() {
        let locked = StateError::Locked {
            directory: "x".into(),
            holder: "7".into(),
        };
        assert!(matches!(
            Failure::from(RuntimeError::from(locked)),
            Failure::TryAgain(_)
        ));
        let missing = ConfigError::Missing {
            key: "k".into(),
            remedy: "r".into(),
        };
        assert!(matches!(Failure::from(missing), Failure::Configuration(_)));
    }
}
