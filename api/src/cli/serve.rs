//! `stagedoor serve`: one instance on a Kafka, or a single one on a log of its own.

use std::time::{Duration, Instant};

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::options::ConfigArgs;
use crate::config::{ConfigError, Settings};
use crate::exit::Failure;
use crate::service::Service;
use crate::telemetry::logs;

/// Exit code of a process that ended before it was done.
const EXIT_TRY_AGAIN: i32 = 75;

/// Options of `serve`; everything else by `--set`, the environment or the file.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Kafka's addresses, host:port with commas between.
    #[arg(long)]
    bootstrap_servers: Option<String>,
    /// Directory of the stores; one process at a time.
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Address to listen on.
    #[arg(long)]
    host: Option<String>,
    /// Port to listen on; 0 picks a free one.
    #[arg(long)]
    port: Option<String>,
    /// Stable name of this instance: it keeps its tasks over a restart.
    #[arg(long)]
    instance_id: Option<String>,
    /// Stream threads.
    #[arg(long)]
    threads: Option<String>,
    /// Name of the application; all its instances share it.
    #[arg(long)]
    application_id: Option<String>,
    /// Prefix of every topic.
    #[arg(long)]
    topic_prefix: Option<String>,
    /// Partitions of topics that are made.
    #[arg(long)]
    partitions: Option<String>,
}

impl ServeArgs {
    fn settings(&self) -> Result<Settings, ConfigError> {
        let mut flags = self.config.layer()?;
        let given = [
            ("bootstrap_servers", &self.bootstrap_servers),
            ("data", &self.data),
            ("host", &self.host),
            ("port", &self.port),
            ("instance_id", &self.instance_id),
            ("threads", &self.threads),
            ("application_id", &self.application_id),
            ("topic_prefix", &self.topic_prefix),
            ("partitions", &self.partitions),
        ];
        for (name, value) in given {
            flags.set_some(name, value.as_deref())?;
        }
        self.config.resolve(&flags)
    }
}

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(args: &ServeArgs) -> Result<(), Failure> {
    logs::start(false);
    let settings = args.settings()?;
    settings.check_log()?;
    runtime()?.block_on(async {
        let end = end_signal()?;
        let service = Service::start(settings, false).await?;
        tracing::info!(address = %service.address, "listening");
        service.run_until(end).await
    })
}

/// The async runtime of a command.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::TryAgain(format!("cannot start threads: {error}")))
}

/// Signals this close together are one: shells and supervisors send them to a process and then to
/// its group.
const ONE_SIGNAL: Duration = Duration::from_secs(1);

/// Ends with the first SIGTERM or SIGINT. A later one ends the process at once: whoever sends it
/// does not want to wait, and what is committed is safe.
pub(crate) fn end_signal() -> Result<impl Future<Output = ()>, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::Problem(error.to_string()));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let (told, first) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        next_signal(&mut terminate, &mut interrupt).await;
        let since = Instant::now();
        // Nobody listens if the service has ended already.
        let _ = told.send(());
        loop {
            next_signal(&mut terminate, &mut interrupt).await;
            if since.elapsed() > ONE_SIGNAL {
                tracing::warn!("ending at once");
                std::process::exit(EXIT_TRY_AGAIN);
            }
        }
    });
    Ok(async move { drop(first.await) })
}

async fn next_signal(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
