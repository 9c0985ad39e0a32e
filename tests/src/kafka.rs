//! A real Kafka for tests: one shared by a whole run, or one of a test's own that it may mistreat.

use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, io};

use crate::workspace;

/// Why Kafka did not do what a test needs. Tests fail with it; they never skip.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    /// The script could not be run at all.
    #[error("kafka.sh {action} could not be run, look at docker/kafka: {reason}")]
    Unavailable {
        /// The script's command.
        action: String,
        /// The system's words.
        reason: String,
    },
    /// The script failed; its output ends with the broker's own log.
    #[error("kafka.sh {action} failed, see the end of the broker's log:\n{output}")]
    Failed {
        /// The script's command.
        action: String,
        /// What it wrote to standard error.
        output: String,
    },
}

/// What a test's own broker should be like; [`Default`] is one small broker.
#[derive(Debug, Clone, Default)]
pub struct BrokerOptions {
    /// Three brokers with replication factor 3 and min ISR 2, instead of one.
    pub three: bool,
    /// Heap and collector for throughput instead of a quick start.
    pub performance: bool,
    /// Port that each broker names to its clients instead of its own, for a proxy in between.
    pub advertise: Vec<u16>,
    /// Further broker settings, `key=value`.
    pub settings: Vec<String>,
}

/// Which brokers of a cluster an action is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nodes {
    /// Every broker.
    All,
    /// The one with this id, counted from 1.
    One(u8),
}

/// A running Kafka, of one broker or three, in a temporary directory.
///
/// It ends with the test process, however that ends, and its directory is removed.
#[derive(Debug)]
pub struct Broker {
    directory: PathBuf,
    start: Vec<String>,
    bootstrap_servers: String,
    owned: bool,
}

impl Broker {
    /// The one broker that all tests of a run share; use [`unique`] names in it.
    ///
    /// Under `./test` a run is all test programs, under a plain `cargo test` it is each of them.
    ///
    /// # Errors
    /// When Kafka cannot start, with the end of its log.
    pub fn shared() -> Result<&'static Self, BrokerError> {
        static SHARED: OnceLock<Result<Broker, BrokerError>> = OnceLock::new();
        let run = env::var("STAGEDOOR_TEST_RUN").unwrap_or_else(|_| process::id().to_string());
        let shared = SHARED.get_or_init(|| {
            let directory = env::temp_dir().join(format!("stagedoor-kafka-{run}"));
            Self::launch(directory, &run, &BrokerOptions::default(), false)
        });
        shared.as_ref().map_err(Clone::clone)
    }

    /// A broker of this test's own, which may be killed, paused and restarted; it ends when dropped.
    ///
    /// # Errors
    /// When Kafka cannot start, with the end of its log.
    pub fn own(options: &BrokerOptions) -> Result<Self, BrokerError> {
        let directory = env::temp_dir().join(unique("stagedoor-kafka"));
        Self::launch(directory, &process::id().to_string(), options, true)
    }

    /// `host:port` of each broker, separated by commas: the real ports, whatever is advertised.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Where data and logs are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// SIGSTOP: connections stay open and nothing is answered.
    ///
    /// # Errors
    /// When the script fails.
    pub fn pause(&self, nodes: Nodes) -> Result<(), BrokerError> {
        self.signal("pause", nodes)
    }

    /// SIGCONT: the end of a pause.
    ///
    /// # Errors
    /// When the script fails.
    pub fn resume(&self, nodes: Nodes) -> Result<(), BrokerError> {
        self.signal("resume", nodes)
    }

    /// SIGKILL; returns when the processes are gone. [`Broker::start`] brings them back.
    ///
    /// # Errors
    /// When the script fails.
    pub fn kill(&self, nodes: Nodes) -> Result<(), BrokerError> {
        self.signal("kill", nodes)
    }

    /// Ends all brokers in good order and keeps their data and ports.
    ///
    /// # Errors
    /// When the script fails.
    pub fn stop(&self) -> Result<(), BrokerError> {
        run("stop", &self.directory, &["--keep".into()]).map(drop)
    }

    /// Starts what does not run, on the same data and ports, and waits until all is ready.
    ///
    /// # Errors
    /// When Kafka cannot start, with the end of its log.
    pub fn start(&self) -> Result<(), BrokerError> {
        run("start", &self.directory, &self.start).map(drop)
    }

    fn launch(
        directory: PathBuf,
        parent: &str,
        options: &BrokerOptions,
        owned: bool,
    ) -> Result<Self, BrokerError> {
        let start = start_options(parent, options);
        let output = run("start", &directory, &start)?;
        let bootstrap_servers = output
            .lines()
            .find_map(|line| line.strip_prefix("bootstrap_servers="))
            .ok_or_else(|| BrokerError::Failed {
                action: "start".into(),
                output: output.clone(),
            })?
            .to_owned();
        Ok(Self {
            directory,
            start,
            bootstrap_servers,
            owned,
        })
    }

    fn signal(&self, action: &str, nodes: Nodes) -> Result<(), BrokerError> {
        let chosen = match nodes {
            Nodes::All => Vec::new(),
            Nodes::One(node) => vec!["--broker".to_owned(), node.to_string()],
        };
        run(action, &self.directory, &chosen).map(drop)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // A failure here is not worth a second panic: the script's watcher removes it all with this process.
        if self.owned {
            drop(run("stop", &self.directory, &[]));
        }
    }
}

/// `prefix` with an ending that no other call in any test process of this machine has.
#[must_use]
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "{prefix}-{}-{}",
        process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

fn start_options(parent: &str, options: &BrokerOptions) -> Vec<String> {
    let mut start = vec!["--parent".to_owned(), parent.to_owned()];
    if options.three {
        start.extend(["--brokers".to_owned(), "3".to_owned()]);
    }
    if !options.performance {
        start.push("--light".to_owned());
    }
    if !options.advertise.is_empty() {
        let ports: Vec<String> = options.advertise.iter().map(u16::to_string).collect();
        start.extend(["--advertise".to_owned(), ports.join(",")]);
    }
    for setting in &options.settings {
        start.extend(["--set".to_owned(), setting.clone()]);
    }
    start
}

fn run(action: &str, directory: &Path, options: &[String]) -> Result<String, BrokerError> {
    let script = workspace().join("docker/kafka/kafka.sh");
    let output = Command::new(script)
        .arg(action)
        .arg("--dir")
        .arg(directory)
        .args(options)
        .output()
        .map_err(|error: io::Error| BrokerError::Unavailable {
            action: action.to_owned(),
            reason: error.to_string(),
        })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let output = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(BrokerError::Failed {
            action: action.to_owned(),
            output,
        })
    }
}
