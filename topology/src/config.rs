//! Settings of the runtime. Nothing here ever reaches a rule.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::secret::Secret;
use crate::topics::TopicNaming;

/// How the application runs, by Kafka Streams' names where it has them.
#[derive(Debug, Clone)]
pub struct StreamsConfig {
    /// Names of topics and their size.
    pub naming: TopicNaming,
    /// Where crash notes and the instance id are kept (`state.dir`).
    pub state_dir: PathBuf,
    /// Identity of this instance: stable over restarts.
    pub instance_id: String,
    /// Host and port at which other instances reach this one (`application.server`).
    pub application_server: Option<(String, u16)>,
    /// `num.stream.threads`.
    pub stream_threads: usize,
    /// Upper bound of the time a batch collects (`commit.interval.ms`); usually the last commit
    /// sets the pace.
    pub commit_interval: Duration,
    /// Most records of a batch.
    pub max_batch_records: usize,
    /// Largest record that may be forwarded, in bytes.
    pub max_record_bytes: usize,
    /// How long reads are answered after ownership was last proven.
    pub lease: Duration,
    /// After this long without a sign of life from a stream thread the process exits with 75.
    pub stall_timeout: Duration,
    /// Longest life of a windowed row, for the window changelog's retention.
    pub windows: Duration,
    /// Key of the MAC on records that only the runtime may write.
    pub secret: Secret,
    /// What schedules: the machine's clocks, or those of a simulation.
    pub clock: Arc<dyn Clock>,
}

impl StreamsConfig {
    /// Defaults for an application, its state directory, its instance and its secret.
    #[must_use]
    pub fn new(
        naming: TopicNaming,
        state_dir: PathBuf,
        instance_id: String,
        secret: Secret,
    ) -> Self {
        Self {
            naming,
            state_dir,
            instance_id,
            application_server: None,
            stream_threads: 1,
            commit_interval: Duration::from_millis(100),
            max_batch_records: 10_000,
            max_record_bytes: 1_000_000,
            lease: Duration::from_secs(4),
            stall_timeout: Duration::from_secs(150),
            windows: Duration::from_secs(24 * 60 * 60),
            secret,
            clock: Arc::new(SystemClock),
        }
    }
}
