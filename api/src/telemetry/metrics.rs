//! `/metrics`: Prometheus text, with Kafka Streams' names for what the runtime does.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use stagedoor_topology::{StreamsState, TaskPhase, TaskStatus};

use crate::app::App;

/// Seconds; a hold takes milliseconds, a command waits up to ten seconds.
const SECONDS: [f64; 14] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0,
];

/// A gauge that no scrape has set for so long is that of a task that went elsewhere.
const GONE: Duration = Duration::from_secs(120);

/// The recorder of this process.
#[derive(Clone)]
pub(crate) struct Metrics(Option<PrometheusHandle>);

impl Metrics {
    /// Installs the recorder once for the process.
    pub(crate) fn installed() -> Self {
        static INSTALLED: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
        let install = || {
            let builder = PrometheusBuilder::new()
                .idle_timeout(MetricKindMask::GAUGE, Some(GONE))
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS);
            let installed = builder.and_then(PrometheusBuilder::install_recorder);
            installed
                .inspect_err(|error| tracing::error!(%error, "no metrics"))
                .ok()
        };
        Self(INSTALLED.get_or_init(install).clone())
    }

    /// The text. Gauges of the moment are taken at the moment of asking.
    pub(crate) fn render(&self, app: &App) -> String {
        observe(app);
        self.0
            .as_ref()
            .map(PrometheusHandle::render)
            .unwrap_or_default()
    }

    /// Keeps histograms small between two scrapes; to be called every few seconds.
    pub(crate) fn upkeep(&self) {
        if let Some(handle) = &self.0 {
            handle.run_upkeep();
        }
    }
}

fn observe(app: &App) {
    metrics::gauge!("stagedoor_parked_requests").set(gauge(app.hub().parked()));
    let Ok(runtime) = app.runtime() else { return };
    metrics::gauge!("stagedoor_stream_state").set(f64::from(ordinal(runtime.state())));
    let tasks = runtime.tasks();
    metrics::gauge!("stagedoor_stream_tasks").set(gauge(tasks.len()));
    for task in &tasks {
        observe_task(task);
    }
}

fn observe_task(task: &TaskStatus) {
    let labels = [
        ("task_id", task.id.to_string()),
        ("sub_topology", task.sub_topology.to_owned()),
    ];
    let set = |name: &'static str, value: f64| metrics::gauge!(name, &labels).set(value);
    let count = |name: &'static str, value: u64| metrics::counter!(name, &labels).absolute(value);
    if let TaskPhase::Restoring { restored } = task.phase {
        count("stagedoor_stream_task_restore_total", restored);
    }
    let running = u8::from(task.phase == TaskPhase::Running);
    set("stagedoor_stream_task_running", f64::from(running));
    set("stagedoor_stream_task_position", gauge(task.position));
    set(
        "stagedoor_stream_task_stream_time_seconds",
        gauge(task.stream_time_ms) / 1_000.0,
    );
    set(
        "stagedoor_stream_task_record_lateness_seconds",
        gauge(task.lag_ms) / 1_000.0,
    );
    count(
        "stagedoor_stream_task_dropped_records_total",
        task.dead_letters,
    );
}

/// Kafka Streams shows its state as the place in this list.
const fn ordinal(state: StreamsState) -> u8 {
    match state {
        StreamsState::Created => 0,
        StreamsState::Rebalancing => 1,
        StreamsState::Running => 2,
        StreamsState::PendingShutdown => 3,
        StreamsState::Error => 4,
        StreamsState::NotRunning => 5,
    }
}

/// Whole numbers up to 2^53 are exact in a gauge, and larger ones are none of ours.
#[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
fn gauge(value: impl TryInto<i64>) -> f64 {
    value.try_into().unwrap_or(i64::MAX) as f64
}
