//! What is measured: one file for each kind of load.

mod embedded;
mod growth;
mod latency;
mod on_kafka;
mod over_http;
mod overload;
mod restart;

use super::Bench;
use super::options::Name;

pub(super) use on_kafka::warm_up;

/// Runs one scenario.
pub(super) fn run(bench: &mut Bench, name: Name) -> anyhow::Result<()> {
    match name {
        Name::Headline => on_kafka::headline(bench),
        Name::Hot => on_kafka::hot(bench),
        Name::HotSeats => on_kafka::hot_seats(bench),
        Name::OpenLoop => on_kafka::open_loop(bench),
        Name::Http => over_http::closed(bench),
        Name::HttpOpen => over_http::open(bench),
        Name::RedisPostgres => over_http::redis_postgres(bench),
        Name::Restart => restart::restart(bench),
        Name::Overload => overload::overload(bench),
        Name::Embedded => embedded::embedded(bench),
        Name::Latency => latency::latency(bench),
        Name::Growth => growth::growth(bench),
    }
}
