//! `stagedoor serve` as a process of its own, and `stagedoor audit` of what it has written.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::children::{Process, clean, script};
use super::kafka_load::{Site, Wire};
use super::stop::Stop;

/// Signs the tokens of measured services.
pub(super) const AUTH_SECRET: &str = "a secret that measured services share with their load";

const READY: Duration = Duration::from_secs(120);
const AUDITED: Duration = Duration::from_secs(1_200);
const ANSWER: Duration = Duration::from_secs(5);

/// How a service runs. It outlives the processes that run it.
#[derive(Clone, Debug)]
pub(super) struct ServiceOptions {
    /// The binary.
    pub(super) program: PathBuf,
    /// The broker.
    pub(super) bootstrap_servers: String,
    /// Application id; topics have it as their prefix.
    pub(super) application: String,
    /// Name of this instance, by which it keeps its tasks over a restart.
    pub(super) instance: String,
    /// Partitions.
    pub(super) partitions: i32,
    /// A directory for its data and its logs.
    pub(super) directory: PathBuf,
    /// The one core that it may use; none: all.
    pub(super) core: Option<usize>,
}

/// A running service. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Service {
    /// Its process.
    pub(super) process: Process,
    address: SocketAddr,
}

impl ServiceOptions {
    /// Where its data are.
    pub(super) fn data(&self) -> PathBuf {
        self.directory.join(format!("{}-data", self.instance))
    }

    /// Its topics, for a load.
    pub(super) fn site(&self) -> Site {
        Site {
            bootstrap_servers: self.bootstrap_servers.clone(),
            commands: format!("{}.concert.commands", self.application),
            results: format!("{}.results", self.application),
            partitions: self.partitions,
            wire: Wire::Avro,
        }
    }

    /// Starts a process; it is not ready yet.
    pub(super) fn spawn(&self) -> anyhow::Result<Service> {
        // Free now; where somebody takes it meanwhile, the service says so and the round fails.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = match self.core {
            Some(core) => {
                let mut command = clean("taskset");
                command.args(["-c", &core.to_string()]).arg(&self.program);
                command
            }
            None => clean(&self.program),
        };
        command
            .arg("serve")
            .args(["--bootstrap-servers", &self.bootstrap_servers])
            .args(["--application-id", &self.application])
            .args(["--topic-prefix", &format!("{}.", self.application)])
            .args(["--instance-id", &self.instance])
            .args(["--partitions", &self.partitions.to_string()])
            .args(["--host", "127.0.0.1"])
            .args(["--port", &address.port().to_string()])
            .arg("--data")
            .arg(self.data())
            .env("STAGEDOOR_AUTH_SECRET", AUTH_SECRET)
            .env("STAGEDOOR_LOG", "warn");
        let process = Process::start(&self.instance, &self.directory, &command)?;
        Ok(Service { process, address })
    }

    /// Starts a process and waits until it is ready.
    pub(super) fn start(&self, stop: &Stop) -> anyhow::Result<Service> {
        let mut service = self.spawn()?;
        service.becomes_ready(stop)?;
        Ok(service)
    }

    /// Proves from the topics that every promise was kept.
    ///
    /// # Errors
    /// The words of the audit, where one was broken or it could not be made.
    pub(super) fn audit(&self, stop: &Stop) -> anyhow::Result<()> {
        let mut command = clean(&self.program);
        command
            .arg("audit")
            .args(["--bootstrap-servers", &self.bootstrap_servers])
            .args(["--application-id", &self.application])
            .args(["--topic-prefix", &format!("{}.", self.application)])
            .args(["--set", &format!("partitions={}", self.partitions)])
            .args(["--output", "json"])
            .arg("--temporary")
            .arg(&self.directory)
            .env("STAGEDOOR_AUTH_SECRET", AUTH_SECRET);
        let name = format!("{}-audit", self.application);
        let audited = script(&name, &self.directory, &command, AUDITED, stop);
        let report = fs::read_to_string(self.directory.join(format!("{name}.out")));
        let report = report.unwrap_or_default();
        audited.with_context(|| first_violation(&report))?;
        let report: serde_json::Value = serde_json::from_str(&report)?;
        anyhow::ensure!(
            report["records"].as_u64() > Some(0),
            "the audit saw no records, and proves nothing"
        );
        Ok(())
    }
}

impl Service {
    /// Base of its URLs.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether `/readyz` says so now.
    pub(super) fn is_ready(&self) -> bool {
        get(self.address, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// Waits until it is ready.
    pub(super) fn becomes_ready(&mut self, stop: &Stop) -> anyhow::Result<()> {
        let ready = stop.until("the service is ready", READY, || {
            self.process.check()?;
            Ok(self.is_ready().then_some(()))
        });
        ready.with_context(|| self.process.last_words())
    }
}

/// One request, whose whole answer is read.
fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The first violation in the JSON of an audit.
fn first_violation(report: &str) -> String {
    let report: serde_json::Value = serde_json::from_str(report).unwrap_or_default();
    let checkers = report["checkers"].as_array().cloned().unwrap_or_default();
    let broken = checkers.iter().find(|it| it["verdict"] == "broken");
    match broken {
        Some(broken) => format!(
            "{} violations of {}: {}",
            broken["violations"], broken["checker"], broken["first"]["text"]
        ),
        None => "the audit was not made".to_owned(),
    }
}

/// Bytes of all files below a directory.
pub(super) fn bytes_below(directory: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        // A store tidies up while one looks.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        bytes += if metadata.is_dir() {
            bytes_below(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_violation_of_an_audit_is_told() {
        let report = r#"{"checkers":[{"checker":"S1","verdict":"holds","violations":0,"first":null},
            {"checker":"C1","verdict":"broken","violations":2,"first":{"text":"two answers"}}]}"#;
        let told = first_violation(report);
        assert!(
            told.contains("C1") && told.contains("two answers"),
            "{told}"
        );
        assert_eq!(first_violation(""), "the audit was not made");
    }
}
