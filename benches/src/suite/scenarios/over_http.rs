//! Over HTTP: as fast as can be, by a clock, and beside Redis and PostgreSQL.

use std::process::Command;
use std::time::Duration;

use stagedoor_bench::http_load::Pace;

use super::on_kafka::PARTITIONS;
use crate::suite::Bench;
use crate::suite::children::{self, Process, clean, script};
use crate::suite::http::{Load, Seen, Served, play};
use crate::suite::options::{Name, Peer};
use crate::suite::service::{AUTH_SECRET, Service, ServiceOptions};

/// Connections of a closed loop: a small crowd.
const CONNECTIONS: usize = 1_024;
/// Fewest and most connections of an open loop.
const OPEN_CONNECTIONS: (f64, f64) = (64.0, 1_024.0);
/// Seconds in which each connection of an open loop has a request: longer than an answer takes, and
/// shorter than the service keeps an idle one.
const TURN: f64 = 0.25;
/// Small transactions go other ways through a broker than large ones, and those are cold before.
const WARM_UP: u64 = 20;
const STARTED: Duration = Duration::from_secs(300);

/// The product on the broker, for HTTP.
pub(super) struct Product {
    /// How it was started.
    pub(super) options: ServiceOptions,
    /// Its process.
    pub(super) service: Service,
}

impl Product {
    /// Starts it with topics of its own.
    pub(super) fn start(bench: &Bench, core: Option<usize>) -> anyhow::Result<Self> {
        let application = bench.fresh("http");
        let options = ServiceOptions {
            core,
            ..bench.service(&application, PARTITIONS)
        };
        let service = options.start(&bench.stop)?;
        Ok(Self { options, service })
    }

    /// Where it listens.
    pub(super) fn served(&self, bench: &Bench) -> Served {
        Served {
            url: self.service.url(),
            partitions: PARTITIONS,
            service: self.service.process.pid(),
            behind: vec![bench.broker.pid],
        }
    }

    /// Ends it, audits, and removes its topics.
    pub(super) fn finish(self, bench: &Bench, at: &str) -> anyhow::Result<()> {
        self.service.process.end()?;
        bench.progress.step(&format!("{at}: audit"));
        bench.audit(&self.options)?;
        bench.broker.clear()
    }
}

/// As fast as a small crowd can.
pub(super) fn closed(bench: &mut Bench) -> anyhow::Result<()> {
    let name = Name::Http.text();
    let load = format!(
        "the headline mix over HTTP by {CONNECTIONS} connections, each with one request at a time, \
         for {} s",
        bench.sizes.seconds
    );
    bench.describe(&name, &load);
    for round in 1..=bench.options.rounds {
        let at = format!("{name} round {round}");
        let seen = product_round(bench, &at, &closed_load(bench))?;
        bench.push(&name, "stagedoor", &seen.figures());
    }
    Ok(())
}

/// By a clock: half of what it takes at most, and a hundred a second.
pub(super) fn open(bench: &mut Bench) -> anyhow::Result<()> {
    let most = most(bench)?;
    for (name, rate) in [("half", (most / 2.0).max(1.0)), ("100", 100.0)] {
        let name = format!("{}-{name}", Name::HttpOpen.text());
        let load = format!(
            "the headline mix over HTTP, {rate:.0} requests a second by a clock; latency from \
             when a request was due"
        );
        bench.describe(&name, &load);
        for round in 1..=bench.options.rounds {
            let load = Load {
                pace: Pace::Open { per_second: rate },
                connections: open_connections(rate),
                ..closed_load(bench)
            };
            let at = format!("{name} round {round}");
            let seen = product_round(bench, &at, &load)?;
            bench.push(&name, "stagedoor", &seen.figures());
        }
    }
    Ok(())
}

/// Beside what a team would build instead. CPU seconds are of everything but the load: the broker
/// counts here, and PostgreSQL and Redis do.
pub(super) fn redis_postgres(bench: &mut Bench) -> anyhow::Result<()> {
    let name = Name::RedisPostgres.text();
    let load = format!(
        "the headline mix over HTTP by {CONNECTIONS} connections for {} s; CPU seconds of all \
         processes but the load, the broker's and the databases' too",
        bench.sizes.seconds
    );
    bench.describe(&name, &load);
    for round in 1..=bench.options.rounds {
        let at = format!("{name} round {round}");
        let load = closed_load(bench);
        let seen = product_round(bench, &at, &load)?;
        bench.push(&name, "stagedoor", &of_all(&seen));
        if bench.options.has(Peer::RedisPostgres) {
            let seen = peer_round(bench, &at, &load)?;
            bench.push(&name, "redis-postgres", &of_all(&seen));
        }
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to small positive numbers"
)]
fn open_connections(rate: f64) -> usize {
    let (fewest, most) = OPEN_CONNECTIONS;
    (rate * TURN).clamp(fewest, most) as usize
}

fn closed_load(bench: &Bench) -> Load<'static> {
    Load {
        run: "h",
        pace: Pace::Closed,
        connections: CONNECTIONS,
        warm_up: WARM_UP.min(bench.sizes.seconds),
        seconds: bench.sizes.seconds,
    }
}

/// Answers a second of the closed loop, measured now where it was not before.
fn most(bench: &Bench) -> anyhow::Result<f64> {
    let known = bench
        .results
        .rounds(&Name::Http.text(), "stagedoor", "answers_per_second");
    if let Some(rounds) = known {
        return Ok(rounds.median());
    }
    let seen = product_round(bench, "how much HTTP takes", &closed_load(bench))?;
    Ok(seen.outcome.answers_per_second)
}

fn product_round(bench: &Bench, at: &str, load: &Load<'_>) -> anyhow::Result<Seen> {
    bench.progress.step(&format!("{at}: stagedoor"));
    let product = Product::start(bench, None)?;
    let seen = play(bench, &product.served(bench), load)?.without_failures()?;
    bench
        .progress
        .say(&format!("{at}: stagedoor {}", seen.summary()));
    product.finish(bench, at)?;
    Ok(seen)
}

fn peer_round(bench: &Bench, at: &str, load: &Load<'_>) -> anyhow::Result<Seen> {
    bench.progress.step(&format!("{at}: redis-postgres"));
    let mut peer = RedisPostgres::start(bench)?;
    let seen = play(bench, &peer.served, load)?.without_failures()?;
    bench
        .progress
        .say(&format!("{at}: redis-postgres {}", seen.summary()));
    peer.service.check()?;
    Ok(seen)
}

/// The figures with the CPU time of everything that a side consists of.
fn of_all(seen: &Seen) -> Vec<(&'static str, f64)> {
    let rename = |(name, value)| match name {
        "cpu_seconds" => ("service_cpu_seconds", value),
        "all_cpu_seconds" => ("cpu_seconds", value),
        "answers_per_cpu_second" => ("answers_per_service_cpu_second", value),
        "answers_per_all_cpu_second" => ("answers_per_cpu_second", value),
        other => (other, value),
    };
    seen.figures().into_iter().map(rename).collect()
}

/// PostgreSQL, Redis and the small service before them. Dropped, all of them are ended.
struct RedisPostgres {
    // Before the servers, which it is connected to.
    service: Process,
    served: Served,
    _servers: Servers,
}

/// The two servers.
struct Servers(Command);

impl Drop for Servers {
    fn drop(&mut self) {
        if let Err(error) = self.0.output() {
            tracing::warn!(%error, "servers.sh stop; its watcher ends them with this process");
        }
    }
}

impl RedisPostgres {
    fn start(bench: &Bench) -> anyhow::Result<Self> {
        let path = bench.root.join("benches/peers/redis-postgres/servers.sh");
        let servers = |action: &str| {
            let mut command = clean(&path);
            command.arg(action).arg("--dir");
            command.arg(bench.work.join("servers"));
            command
        };
        let mut start = servers("start");
        start.args(["--parent", &std::process::id().to_string()]);
        let running = Servers(servers("stop"));
        let lines = script("servers", &bench.work, &start, STARTED, &bench.stop)?;
        let value = |key| children::value(&lines, key);
        let mut command = clean(std::env::current_exe()?.with_file_name("stagedoor-bench-peer"));
        command
            .args(["--postgres-url", value("postgres_url")?])
            .args(["--redis-url", value("redis_url")?])
            .env("STAGEDOOR_AUTH_SECRET", AUTH_SECRET);
        let mut service = Process::start("redis-postgres", &bench.work, &command)?;
        let url = service.line("url=", STARTED, &bench.stop)?;
        let served = Served {
            url,
            partitions: PARTITIONS,
            service: service.pid(),
            behind: vec![
                value("postgres_pid")?.parse()?,
                value("redis_pid")?.parse()?,
            ],
        };
        Ok(Self {
            service,
            served,
            _servers: running,
        })
    }
}
