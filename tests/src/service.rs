//! The whole product as a process: started, asked, frozen, killed and ended by tests.
//!
//! `program` is `env!("CARGO_BIN_EXE_stagedoor-under-test")`, or the product's binary.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};

use jsonwebtoken::{EncodingKey, Header, encode};
use rustix::process::{Pid, Signal, kill_process};
use stagedoor_state::{Database, DatabaseOptions};
use stagedoor_topology::log::embedded::{EmbeddedConfig, EmbeddedLog};
use stagedoor_topology::log::kafka::{KafkaConfig, KafkaLog};
use stagedoor_topology::{Secret, TopicNaming};

use crate::http::{Client, Request};
use crate::kafka::unique;
use crate::wait;

/// Signs the tokens of services under test.
const AUTH_SECRET: &str = "the secret of the tokens of services under test";

/// Secret of applications under test.
const APPLICATION_SECRET: &str = "the secret of applications under test";

/// How a service runs. It outlives the processes that run it.
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    /// The binary.
    pub program: PathBuf,
    /// `host:port` of the broker; empty for a log of its own.
    pub bootstrap_servers: String,
    /// Application id; topics have it as their prefix.
    pub application: String,
    /// Stable name of this instance, which makes it a static member: a restart keeps its tasks.
    pub instance: Option<String>,
    /// Data directory.
    pub data: PathBuf,
    /// Where it listens: free when the options were made, and the same over restarts.
    pub address: SocketAddr,
    /// Partitions of topics that are made.
    pub partitions: i32,
    /// Further arguments, such as `--set` and its pair.
    pub arguments: Vec<String>,
}

impl ServiceOptions {
    /// A service of its own on a broker, with its data in `data`.
    ///
    /// # Errors
    /// Where no port is free.
    pub fn new(program: &str, bootstrap_servers: &str, data: PathBuf) -> io::Result<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        Ok(Self {
            program: program.into(),
            bootstrap_servers: bootstrap_servers.to_owned(),
            application: unique("service"),
            instance: Some("one".to_owned()),
            data,
            address: free,
            partitions: 4,
            arguments: Vec::new(),
        })
    }

    /// A service on a log of its own in `data`.
    ///
    /// # Errors
    /// Where no port is free.
    pub fn embedded(program: &str, data: PathBuf) -> io::Result<Self> {
        Ok(Self {
            instance: None,
            arguments: vec!["--set".to_owned(), "log=embedded".to_owned()],
            ..Self::new(program, "", data)?
        })
    }

    /// Stores and log of a service of [`ServiceOptions::embedded`] that has ended.
    ///
    /// # Errors
    /// The words of whoever refuses.
    pub fn open(&self) -> Result<(Database, EmbeddedLog), String> {
        let options = DatabaseOptions {
            authoritative: true,
            ..DatabaseOptions::default()
        };
        let stores = Database::open(self.stores(), &options).map_err(|error| error.to_string())?;
        let log = EmbeddedLog::open(&stores, EmbeddedConfig::new(&self.application));
        Ok((stores, log.map_err(|error| error.to_string())?))
    }

    /// The names of its topics.
    #[must_use]
    pub fn naming(&self) -> TopicNaming {
        let prefix = format!("{}.", self.application);
        stagedoor_processors::naming(&self.application, prefix, self.partitions, None)
    }

    /// The log it runs on, for readers.
    #[must_use]
    pub fn log(&self) -> KafkaLog {
        KafkaLog::new(KafkaConfig::new(&self.bootstrap_servers, &self.application))
    }

    /// Key of the MAC on its Ticks.
    #[must_use]
    pub fn secret(&self) -> Secret {
        Secret::new(APPLICATION_SECRET)
    }

    /// Where its stores are.
    #[must_use]
    pub fn stores(&self) -> PathBuf {
        self.data.join("state")
    }

    /// What the processes write to standard error, one after the other.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    /// Starts a process. `environment` may name a crash point.
    ///
    /// # Errors
    /// Where it cannot be started at all.
    pub fn start(&self, environment: &[(&str, String)]) -> io::Result<Service> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())?;
        let mut command = Command::new(&self.program);
        command
            .arg("serve")
            .args(["--application-id", &self.application])
            .args(["--topic-prefix", &self.naming().prefix])
            .args(["--host", &self.address.ip().to_string()])
            .args(["--port", &self.address.port().to_string()])
            .args(["--partitions", &self.partitions.to_string()])
            .arg("--data")
            .arg(&self.data)
            .args(&self.arguments)
            .env("STAGEDOOR_AUTH_SECRET", AUTH_SECRET)
            .env("STAGEDOOR_SECRET", APPLICATION_SECRET)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if !self.bootstrap_servers.is_empty() {
            command.args(["--bootstrap-servers", &self.bootstrap_servers]);
        }
        if let Some(instance) = &self.instance {
            command.args(["--instance-id", instance]);
        }
        Ok(Service {
            child: command.spawn()?,
            address: self.address,
        })
    }

    /// Runs another command of the binary to its end, configured as the service is.
    ///
    /// # Errors
    /// Where it cannot be started at all.
    pub fn ask(&self, arguments: &[&str]) -> io::Result<Output> {
        Command::new(&self.program)
            .args(arguments)
            .env("STAGEDOOR_BOOTSTRAP_SERVERS", &self.bootstrap_servers)
            .env("STAGEDOOR_APPLICATION_ID", &self.application)
            .env("STAGEDOOR_TOPIC_PREFIX", self.naming().prefix)
            .env("STAGEDOOR_PARTITIONS", self.partitions.to_string())
            .env("STAGEDOOR_SECRET", APPLICATION_SECRET)
            .env("STAGEDOOR_URL", format!("http://{}", self.address))
            .stdin(Stdio::null())
            .output()
    }

    /// The last lines of the log, for a test that fails.
    #[must_use]
    pub fn last_words(&self, lines: usize) -> String {
        let text = fs::read_to_string(self.log_file()).unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

/// A running process of a service. Dropped, it is killed.
#[derive(Debug)]
pub struct Service {
    child: Child,
    address: SocketAddr,
}

impl Service {
    /// Whether `/readyz` says so now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let answer = Client::new(self.address).send(&Request::get("/readyz"));
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// Waits until it is ready, or has ended, or `limit` is over. Returns whether it is ready.
    pub fn becomes_ready(&mut self, limit: Duration) -> bool {
        let mut ready = false;
        wait::until(limit, || {
            ready = self.is_ready();
            ready || self.has_ended().is_some()
        });
        ready
    }

    /// How it ended, if it has.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end.
    pub fn ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        let mut status = None;
        wait::until(limit, || {
            status = self.has_ended();
            status.is_some()
        });
        status
    }

    /// SIGKILL; returns when it is gone, whether this or something else has killed it.
    ///
    /// # Errors
    /// Where it cannot be waited for.
    pub fn kill(&mut self) -> io::Result<bool> {
        self.child.kill()?;
        Ok(was_killed(self.child.wait()?))
    }

    /// SIGSTOP: it holds everything and does nothing.
    ///
    /// # Errors
    /// Where there is no such process.
    pub fn freeze(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT: it does not know that time has passed.
    ///
    /// # Errors
    /// Where there is no such process.
    pub fn wake(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    /// SIGTERM: it finishes, commits and leaves.
    ///
    /// # Errors
    /// Where there is no such process.
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(Signal::TERM)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        Ok(kill_process(pid.ok_or(io::ErrorKind::NotFound)?, signal)?)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether a process ended by SIGKILL.
#[must_use]
pub fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::KILL.as_raw())
}

/// A token for a user, with the roles that are named, for a day.
///
/// # Errors
/// None in practice.
pub fn token(user: &str, roles: &[&str]) -> Result<String, jsonwebtoken::errors::Error> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let claims = serde_json::json!({ "sub": user, "roles": roles, "exp": now + 24 * 60 * 60 });
    let key = EncodingKey::from_secret(AUTH_SECRET.as_bytes());
    encode(&Header::default(), &claims, &key)
}
