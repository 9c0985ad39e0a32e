//! Load over HTTP: closed loop, or open loop at a rate with latencies from the moment a request
//! should have begun.
//!
//! Reading order: `plan` (what to do), `schedule` (which request is due when), `connection` (one
//! exchange after the other), `worker` (a connection's life), `tally` and `outcome` (what was
//! seen), `set_up` (concerts on sale).

mod connection;
mod outcome;
mod plan;
mod requests;
mod schedule;
mod set_up;
mod tally;
mod tokens;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::http::uri::{Authority, Uri};

pub use outcome::{Latency, Outcome};
pub use plan::{Pace, Plan};
pub use set_up::set_up;

use requests::Requests;
use schedule::Schedule;
use tally::Tally;

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The target is no URL that can be used.
    #[error("url {url}: {reason}; give one such as http://127.0.0.1:8080")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A setting of the plan makes no sense.
    #[error("{setting}: {reason}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What it must be.
        reason: String,
    },
    /// The service does not do what the load needs first.
    #[error("{step} failed: {reason}; is the service running at {url}, with the same auth secret?")]
    Target {
        /// What was tried.
        step: String,
        /// What came of it.
        reason: String,
        /// Where.
        url: String,
    },
    /// The generator itself failed.
    #[error("the load generator failed: {0}")]
    Generator(String),
}

/// Sends the load of a plan to concerts that are on sale (see [`set_up()`]), and waits for its end.
///
/// # Errors
/// A plan that makes no sense, or a target without anybody behind it. What a service answers is
/// never an error.
pub fn run(plan: &Plan) -> Result<Outcome, LoadError> {
    plan.check()?;
    let target = Target::parse(&plan.url)?;
    target.probe(plan)?;
    let requests = Arc::new(Requests::new(plan, &target)?);
    // A moment ahead, so that every thread is there when the first request is due.
    let begin = Instant::now() + plan::LEAD;
    let schedule = Arc::new(Schedule::new(plan, begin));
    let before = crate::measure::process::own_cpu_seconds();
    let tally = across_threads(plan, &target, &requests, &schedule)?;
    let cpu_seconds = crate::measure::process::own_cpu_seconds() - before;
    Ok(Outcome::new(plan, &schedule, &tally, cpu_seconds))
}

/// One thread with a runtime of its own each, because threads that share one wake each other.
fn across_threads(
    plan: &Plan,
    target: &Target,
    requests: &Arc<Requests>,
    schedule: &Arc<Schedule>,
) -> Result<Tally, LoadError> {
    let mut tally = Tally::new()?;
    let results: Vec<Result<Tally, LoadError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.threads)
            .map(|thread| {
                let share = plan.connections / plan.threads
                    + usize::from(thread < plan.connections % plan.threads);
                scope.spawn(move || worker::run(plan, share, target, requests, schedule))
            })
            .collect();
        let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .map(|thread| thread.unwrap_or_else(|_| Err(LoadError::Generator("panic".into()))))
            .collect()
    });
    for result in results {
        tally.add(result?)?;
    }
    Ok(tally)
}

/// Where the load goes.
#[derive(Clone, Debug)]
struct Target {
    address: SocketAddr,
    authority: Authority,
    url: String,
}

impl Target {
    fn parse(url: &str) -> Result<Self, LoadError> {
        let wrong = |reason| LoadError::Url {
            url: url.to_owned(),
            reason,
        };
        let uri: Uri = url.parse().map_err(|_| wrong("not a URL"))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("only http is spoken"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("no host"))?.clone();
        let host = authority.host().trim_matches(['[', ']']);
        let found =
            std::net::ToSocketAddrs::to_socket_addrs(&(host, authority.port_u16().unwrap_or(80)));
        let address = found.ok().and_then(|mut found| found.next());
        Ok(Self {
            address: address.ok_or_else(|| wrong("the host has no address"))?,
            authority,
            url: url.to_owned(),
        })
    }

    /// A load without anybody at its other end would report a million failures instead of one.
    fn probe(&self, plan: &Plan) -> Result<(), LoadError> {
        let connected = std::net::TcpStream::connect_timeout(&self.address, plan.request_timeout);
        connected.map(drop).map_err(|error| LoadError::Target {
            step: "connecting".to_owned(),
            reason: error.to_string(),
            url: self.url.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
