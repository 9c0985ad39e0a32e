//! What the stream threads of a process share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use stagedoor_state::StorageProvider;

use crate::board::{Board, TaskPhase};
use crate::config::StreamsConfig;
use crate::instances::Instance;
use crate::log::{Appender, Haste, Log, Outgoing};
use crate::output::Output;
use crate::wiring::{WiredTopic, Wiring};

/// What became real with one commit of one task.
pub struct Committed<'a> {
    /// Name of the sub-topology.
    pub sub_topology: &'static str,
    /// Partition of its input.
    pub partition: i32,
    /// Next input offset: reads at this position see everything that was answered.
    pub position: i64,
    /// What was forwarded, in order.
    pub outputs: &'a [Output],
}

/// Told about every commit, on the stream thread and after the store batch: it must not block.
pub trait CommitListener: Send + Sync {
    /// A task's batch is committed and readable.
    fn committed(&self, committed: &Committed<'_>);
}

/// A listener that does not care.
pub struct NoListener;

impl CommitListener for NoListener {
    fn committed(&self, _committed: &Committed<'_>) {}
}

pub(crate) struct Shared {
    pub(crate) config: StreamsConfig,
    pub(crate) wirings: Vec<Arc<Wiring>>,
    pub(crate) instances: WiredTopic,
    pub(crate) stores: Arc<dyn StorageProvider>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) appender: Arc<dyn Appender>,
    pub(crate) listener: Arc<dyn CommitListener>,
    pub(crate) board: Arc<Board>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) failure: Arc<Mutex<Option<String>>>,
    /// Directory of crash notes, after an unclean stop.
    pub(crate) unclean: Option<PathBuf>,
}

impl Shared {
    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Ends the application: what happened cannot be mended by going on.
    pub(crate) fn fail(&self, reason: String) {
        tracing::error!(reason, "the application stops");
        self.failure.lock().get_or_insert(reason);
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Publishes which tasks this instance serves.
    pub(crate) fn announce(&self) {
        let Some((host, port)) = self.config.application_server.clone() else {
            return;
        };
        let running = |status: &crate::board::TaskStatus| status.phase == TaskPhase::Running;
        let statuses = self.board.statuses();
        let instance = Instance {
            host,
            port: i32::from(port),
            tasks: statuses
                .iter()
                .filter(|status| running(status))
                .map(|s| s.id.to_string())
                .collect(),
            instance: self.config.instance_id.clone(),
        };
        let mut value = Vec::new();
        if let Err(error) = stagedoor_avro::encode(&instance, &mut value) {
            tracing::warn!(%error, "the instance cannot be announced");
            return;
        }
        self.append_instance(Some(&value));
    }

    /// Takes this instance out of the table.
    pub(crate) fn withdraw(&self) {
        if self.config.application_server.is_some() {
            self.append_instance(None);
        }
    }

    fn append_instance(&self, value: Option<&[u8]>) {
        let record = Outgoing {
            topic: &self.instances.name,
            partition: 0,
            key: Some(self.config.instance_id.as_bytes()),
            value,
            headers: &[],
        };
        self.appender.append(
            record,
            Haste::Prompt,
            Box::new(|result| {
                if let Err(error) = result {
                    tracing::debug!(%error, "announcing the instance");
                }
            }),
        );
    }
}

/// Signs of life of one stream thread, for the watchdog.
pub(crate) struct Heartbeat {
    epoch: Instant,
    last_ms: AtomicU64,
}

impl Heartbeat {
    pub(crate) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            last_ms: AtomicU64::new(0),
        }
    }

    pub(crate) fn beat(&self) {
        let now = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now, Ordering::Relaxed);
    }

    pub(crate) fn silent_for(&self) -> std::time::Duration {
        let last = std::time::Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.epoch.elapsed().saturating_sub(last)
    }
}
