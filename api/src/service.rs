//! A running instance: started, watched, and ended in order.
//!
//! The end: requests are no longer taken, those under way finish (the stream threads still run, so
//! they get their answers), then the last batch is committed and the group is left. The other way
//! round every parked request would wait for an answer that cannot come.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stagedoor_topology::StreamsState;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::{App, Parts};
use crate::config::Settings;
use crate::exit::Failure;
use crate::http::server::{self, Bounds};
use crate::overload::Sample;
use crate::positions::Positions;
use crate::results::{Hub, Wakeups};
use crate::runtime::Runtime;

/// How often the backlog is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// How often histograms are tidied.
const UPKEEP: Duration = Duration::from_secs(5);

/// How long the head of a request may take.
const HEADER_READ: Duration = Duration::from_secs(10);

/// Kept back of the time to shut down, for the last commit and for leaving.
const LAST_COMMIT: Duration = Duration::from_secs(10);

/// An instance that listens.
pub(crate) struct Service {
    /// What handlers share.
    pub(crate) app: App,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

impl Service {
    /// Listens, and starts the stream application. `dev` offers what only `stagedoor dev` does.
    pub(crate) async fn start(settings: Settings, dev: bool) -> Result<Self, Failure> {
        let listener = listen(&settings).await?;
        let address = listener
            .local_addr()
            .map_err(|error| Failure::TryAgain(error.to_string()))?;
        let hub = Arc::new(Hub::new(settings.limits.parked));
        let positions = Arc::new(Positions::default());
        let wakeups = Arc::new(Wakeups::new(Arc::clone(&hub), Arc::clone(&positions)));
        let runtime = start_runtime(&settings, address, Arc::clone(&wakeups)).await?;
        let parts = Parts {
            settings,
            hub,
            positions,
            runtime: Some(runtime),
        };
        let app = App::new(parts)?;
        let stop = CancellationToken::new();
        attach(&app, wakeups, &stop);
        tokio::spawn(watch_backlog(app.clone(), stop.clone()));
        tokio::spawn(tidy_metrics(app.clone(), stop.clone()));
        let bounds = bounds(app.settings());
        let router = app.clone().router(dev);
        let server = tokio::spawn(server::serve(listener, router, bounds, stop.clone()));
        Ok(Self {
            app,
            address,
            stop,
            server,
        })
    }

    /// Runs until `end` or until the application stops by itself, then ends in order.
    pub(crate) async fn run_until(self, end: impl Future<Output = ()>) -> Result<(), Failure> {
        let failed = tokio::select! {
            () = end => None,
            reason = failure(&self.app) => Some(reason),
        };
        let closed = self.shut_down().await;
        match failed {
            Some(reason) => Err(Failure::Configuration(reason)),
            None if closed => Ok(()),
            None => Err(Failure::TryAgain(
                "the last commit did not finish in time; the next start goes on from the one \
                 before"
                    .into(),
            )),
        }
    }

    async fn shut_down(self) -> bool {
        let deadline = Instant::now() + self.app.settings().shutdown_timeout();
        tracing::info!("shutting down");
        self.app.drain();
        self.stop.cancel();
        // Ends by itself: its time to finish is bounded.
        let _ = self.server.await;
        let left = deadline.saturating_duration_since(Instant::now());
        let app = self.app;
        let close = move || app.runtime().is_ok_and(|runtime| runtime.close(left));
        let closed = tokio::task::spawn_blocking(close).await.unwrap_or(false);
        tracing::info!(closed, "shut down");
        closed
    }
}

fn bounds(settings: &Settings) -> Bounds {
    let whole = settings.shutdown_timeout();
    Bounds {
        connections: settings.limits.connections,
        header_read: HEADER_READ,
        finish: whole.saturating_sub(LAST_COMMIT).max(whole / 2),
    }
}

async fn listen(settings: &Settings) -> Result<TcpListener, Failure> {
    let place = (settings.host.as_str(), settings.port);
    TcpListener::bind(place).await.map_err(|error| {
        let (host, port) = place;
        let remedy = "stop what uses it, or choose another with --port";
        Failure::TryAgain(format!("cannot listen on {host}:{port}: {error}; {remedy}"))
    })
}

async fn start_runtime(
    settings: &Settings,
    address: SocketAddr,
    wakeups: Arc<Wakeups>,
) -> Result<Runtime, Failure> {
    let host = settings
        .advertised_host
        .clone()
        .unwrap_or_else(|| advertised_host(address));
    let server = (
        host,
        settings.advertised_port.unwrap_or_else(|| address.port()),
    );
    let settings = settings.clone();
    let started =
        tokio::task::spawn_blocking(move || Runtime::start(&settings, server, wakeups)).await;
    let started = started.map_err(|error| Failure::Problem(error.to_string()))?;
    Ok(started?)
}

/// The host's name where it listens on every address, since other instances cannot reach 0.0.0.0.
fn advertised_host(address: SocketAddr) -> String {
    if !address.ip().is_unspecified() {
        return address.ip().to_string();
    }
    let name = std::env::var("HOSTNAME").ok();
    let name = name.or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    let name = name
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "127.0.0.1".to_owned())
}

/// Opens the tail of results as soon as the log answers.
fn attach(app: &App, wakeups: Arc<Wakeups>, stop: &CancellationToken) {
    let (app, stop) = (app.clone(), stop.clone());
    tokio::task::spawn_blocking(move || {
        if let Ok(runtime) = app.runtime() {
            runtime.attach(app.hub(), &wakeups, &stop);
        }
    });
}

/// Ends with the reason once the application has stopped by itself.
async fn failure(app: &App) -> String {
    loop {
        if let Ok(runtime) = app.runtime()
            && runtime.state() == StreamsState::Error
        {
            return runtime
                .failure()
                .unwrap_or_else(|| "the application stopped".into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn watch_backlog(app: App, stop: CancellationToken) {
    let mut last = Instant::now();
    while !stop.is_cancelled() {
        tokio::time::sleep(LOOK).await;
        app.overload().look(&samples(&app), last.elapsed());
        last = Instant::now();
    }
}

/// What is parked here, and what the tasks of this instance say of their own backlog.
fn samples(app: &App) -> BTreeMap<i32, Sample> {
    let now = Instant::now();
    let waiting = app.hub().waiting().into_iter();
    let mut samples: BTreeMap<i32, Sample> = waiting
        .map(|(partition, (count, since))| {
            let oldest = now.duration_since(since);
            let backlog = u64::try_from(count).unwrap_or(u64::MAX);
            (
                partition,
                Sample {
                    oldest,
                    backlog,
                    position: None,
                },
            )
        })
        .collect();
    let tasks = app.runtime().map(Runtime::tasks).unwrap_or_default();
    for task in tasks {
        let none = Sample {
            oldest: Duration::ZERO,
            backlog: 0,
            position: None,
        };
        let sample = samples.entry(task.id.partition).or_insert(none);
        let lag = Duration::from_millis(u64::try_from(task.lag_ms).unwrap_or(0));
        sample.oldest = sample.oldest.max(lag);
        sample.position = Some(task.position);
    }
    samples
}

async fn tidy_metrics(app: App, stop: CancellationToken) {
    while !stop.is_cancelled() {
        app.metrics().upkeep();
        tokio::time::sleep(UPKEEP).await;
    }
}

/// A name that no other run has.
pub(crate) fn fresh_name(prefix: &str) -> String {
    let mut name = Uuid::new_v4().simple().to_string();
    name.truncate(8);
    format!("{prefix}-{name}")
}
