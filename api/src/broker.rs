//! The broker of `stagedoor dev`: a real Kafka, started and stopped by the project's script.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::exit::Failure;

/// Where the script stands in the project.
const SCRIPT: &str = "docker/kafka/kafka.sh";

/// A broker that this process started.
pub(crate) struct Broker {
    script: PathBuf,
    directory: PathBuf,
    bootstrap_servers: String,
    ephemeral: bool,
}

impl Broker {
    /// Starts the broker of a directory, or finds it running. Blocks until it is ready. An
    /// ephemeral one ends with this process and leaves nothing.
    pub(crate) fn start(directory: &Path, ephemeral: bool) -> Result<Self, Failure> {
        let script = find_script()?;
        let mut command = Command::new(&script);
        command
            .arg("start")
            .arg("--dir")
            .arg(directory)
            .arg("--light");
        if ephemeral {
            command.arg("--parent").arg(std::process::id().to_string());
        }
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output();
        let output = output.map_err(|error| {
            Failure::Configuration(format!("cannot run {}: {error}", script.display()))
        })?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let servers = text
            .lines()
            .find_map(|line| line.strip_prefix("bootstrap_servers="));
        match servers.filter(|_| output.status.success()) {
            Some(servers) => Ok(Self {
                bootstrap_servers: servers.to_owned(),
                script,
                directory: directory.to_owned(),
                ephemeral,
            }),
            None => Err(Failure::TryAgain(format!(
                "Kafka did not start; its log is in {}",
                directory.join("logs").display()
            ))),
        }
    }

    /// Where it listens.
    pub(crate) fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Stops it; its data stays unless it is ephemeral.
    pub(crate) fn stop(&self) {
        let mut command = Command::new(&self.script);
        command.arg("stop").arg("--dir").arg(&self.directory);
        if !self.ephemeral {
            command.arg("--keep");
        }
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
        if !status.is_ok_and(|status| status.success()) {
            tracing::warn!(directory = %self.directory.display(), "Kafka may still be running");
        }
    }
}

/// The script named in the environment, or that of the project around the working directory, the
/// binary, or where the binary was built.
fn find_script() -> Result<PathBuf, Failure> {
    if let Some(path) = std::env::var_os("STAGEDOOR_KAFKA_SCRIPT") {
        return Ok(PathBuf::from(path));
    }
    let binary = std::env::current_exe().ok();
    let starts = [
        std::env::current_dir().ok(),
        binary,
        Some(env!("CARGO_MANIFEST_DIR").into()),
    ];
    let places = starts.iter().flatten().flat_map(|start| start.ancestors());
    places
        .map(|place| place.join(SCRIPT))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            let remedy = "run it inside the project, or set STAGEDOOR_KAFKA_SCRIPT";
            Failure::Configuration(format!("{SCRIPT} is not found; {remedy}"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_of_the_project_is_found() {
        assert!(find_script().unwrap().ends_with(SCRIPT));
    }
}
