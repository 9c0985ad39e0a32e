//! The `stagedoor` binary under test, built as everybody builds it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::{env, io};

use crate::workspace;

/// Why there is no binary to test.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cargo build --bin stagedoor failed, repair the build first: {0}")]
pub struct BuildError(String);

impl From<io::Error> for BuildError {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Path of the binary, brought up to date by cargo once per test process.
///
/// Cargo builds the binaries of a package for that package's tests only, so a plain
/// `cargo test` of this one would otherwise run an old binary or none.
///
/// # Errors
/// When the build fails; the compiler's messages are in the error.
pub fn stagedoor() -> Result<PathBuf, BuildError> {
    static BUILT: OnceLock<Result<PathBuf, BuildError>> = OnceLock::new();
    BUILT.get_or_init(build).clone()
}

fn build() -> Result<PathBuf, BuildError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // From the root, so that features are those of the whole workspace and nothing is built twice.
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--bin", "stagedoor"])
        .current_dir(workspace())
        .output()?;
    if !output.status.success() {
        return Err(BuildError(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ));
    }
    // A test runs as target/<profile>/deps/<name>-<hash>.
    let test = env::current_exe()?;
    let built = test
        .ancestors()
        .nth(2)
        .map(|directory| directory.join("stagedoor"));
    built
        .filter(|path| path.is_file())
        .ok_or_else(|| BuildError(format!("no binary two levels above {}", test.display())))
}
