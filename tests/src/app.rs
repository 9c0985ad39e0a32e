//! The runtime in this process: an application of a test's own on a broker, with its topics and its store.
//!
//! A [`Site`] is the names and the directory that outlive an application; an [`App`] is one run.

pub mod admin;
pub mod audit;
pub mod commands;
pub mod fragile;
pub mod process;
mod site;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stagedoor_state::{Database, DatabaseOptions, StateError};
use stagedoor_topology::log::kafka::{KafkaConfig, KafkaLog};
use stagedoor_topology::{
    NoListener, Secret, StartError, Streams, StreamsConfig, StreamsState, TopicNaming, Topology,
};

use crate::wait;

pub use site::{Owned, Site, digest};

/// The MAC key of every application under test.
pub const SECRET: &[u8] = b"under test";

/// How long an application may take to serve.
pub const START: Duration = Duration::from_secs(30);

/// How long an application may take to end.
const END: Duration = Duration::from_secs(30);

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The product's topology.
    Concerts,
    /// The one of [`fragile`], whose processor fails on demand.
    Fragile,
}

/// One application and how it runs.
#[derive(Debug, Clone)]
pub struct AppOptions {
    /// `host:port` of the broker, or of a proxy in front of it.
    pub bootstrap_servers: String,
    /// Group id and start of every topic name.
    pub application: String,
    /// Names the transactional id.
    pub instance: String,
    /// Stores and crash notes.
    pub directory: PathBuf,
    /// Partitions of every topic.
    pub partitions: i32,
    /// `session.timeout.ms`.
    pub session: Duration,
    /// `transaction.timeout.ms`.
    pub transaction: Duration,
    /// Raw settings of every client of an application in this process.
    pub raw: BTreeMap<String, String>,
    /// Most records of a batch.
    pub batch: usize,
    /// What runs.
    pub program: Program,
}

impl AppOptions {
    /// The log that the application runs on.
    #[must_use]
    pub fn log(&self) -> KafkaLog {
        let mut config = KafkaConfig::new(&self.bootstrap_servers, &self.application);
        config.session_timeout = self.session;
        config.transaction_timeout = self.transaction;
        config.raw.clone_from(&self.raw);
        KafkaLog::new(config)
    }

    /// The names of its topics.
    #[must_use]
    pub fn naming(&self) -> TopicNaming {
        let prefix = format!("{}.", self.application);
        stagedoor_processors::naming(&self.application, prefix, self.partitions, None)
    }

    /// Its topology.
    #[must_use]
    pub fn topology(&self) -> Topology {
        match self.program {
            Program::Concerts => stagedoor_processors::topology().expect("the topology is one"),
            Program::Fragile => fragile::topology(),
        }
    }
}

/// Why an application did not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Its store refused.
    #[error(transparent)]
    State(#[from] StateError),
    /// The runtime refused.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It stopped by itself, or did not get there in time.
    #[error("the application is {state}: {reason}")]
    Stopped {
        /// Its state.
        state: StreamsState,
        /// Why, in its own words.
        reason: String,
    },
}

/// A running application; it ends with this.
pub struct App {
    streams: Streams,
}

impl App {
    /// Starts an application and returns at once.
    ///
    /// # Errors
    /// An unusable directory.
    pub fn launch(options: &AppOptions) -> Result<Self, AppError> {
        let stores = Database::open(options.directory.join("data"), &DatabaseOptions::default())?;
        let mut config = StreamsConfig::new(
            options.naming(),
            options.directory.join("run"),
            options.instance.clone(),
            Secret::new(SECRET),
        );
        config.max_batch_records = options.batch;
        let log = Arc::new(options.log());
        let listener = Arc::new(NoListener);
        let topology = options.topology();
        let streams = Streams::start(topology, log, Arc::new(stores), config, listener)?;
        Ok(Self { streams })
    }

    /// Starts an application and waits until all its tasks serve.
    ///
    /// # Errors
    /// As for [`App::launch`], and the failure of an application that refuses to run.
    pub fn start(options: &AppOptions) -> Result<Self, AppError> {
        let app = Self::launch(options)?;
        app.becomes(StreamsState::Running, START)?;
        Ok(app)
    }

    /// Waits for a state.
    ///
    /// # Errors
    /// Another state after `limit`, with the failure, or an error state before.
    pub fn becomes(&self, wanted: StreamsState, limit: Duration) -> Result<(), AppError> {
        let ended = |state| state == wanted || state == StreamsState::Error;
        wait::until(limit, || ended(self.streams.state()));
        match self.streams.state() {
            state if state == wanted => Ok(()),
            state => Err(AppError::Stopped {
                state,
                reason: self
                    .streams
                    .failure()
                    .unwrap_or_else(|| "no failure".to_owned()),
            }),
        }
    }

    /// The runtime.
    #[must_use]
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Ends the application in good order, and frees its directory.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn close(self) {
        assert!(
            self.streams.close(END),
            "the application closes within {END:?}"
        );
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // A test that failed must not keep the directory from the next ones.
        self.streams.close(END);
    }
}

/// Shows the runtime's own log where `RUST_LOG` asks for it.
pub fn show_logs() {
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| "off".to_owned());
    let filter = tracing_subscriber::EnvFilter::new(wanted);
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second test of the same process finds it installed.
    drop(lines.try_init());
}
