//! The result of a run: for programs as JSON, for people as a table.

use std::collections::BTreeMap;

use comfy_table::{Table, presets};
use hdrhistogram::Histogram;
use serde::Serialize;

use super::connection::Lost;
use super::plan::{Pace, Plan};
use super::schedule::Schedule;
use super::tally::{Tally, is_decision, is_overload};

/// Latencies in milliseconds: from the intended start in an open loop, from the actual one in a
/// closed one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the answers came within this.
    pub p50_ms: f64,
    /// Nine of ten.
    pub p90_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// 999 of 1000.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// What came of a run. Counts are of requests that began in the measured time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Requests a second that were asked for; none: a closed loop.
    pub rate: Option<f64>,
    /// Connections.
    pub connections: usize,
    /// From the start of the measurement to the last answer.
    pub seconds: f64,
    /// Decisions: the request succeeded, or was refused for a reason of its own.
    pub answers: u64,
    /// Decisions a second.
    pub answers_per_second: f64,
    /// Decisions that made a reservation (201).
    pub held: u64,
    /// Answers of a service that was too busy (429, 503).
    pub overloaded: u64,
    /// Other failures: 5xx, broken connections, time-outs.
    pub failed: u64,
    /// Requests of an open loop that were due and never sent, because no connection became free.
    pub unsent: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Connections refused or broken.
    pub broken: u64,
    /// Requests without an answer in time.
    pub timed_out: u64,
    /// Of decisions.
    pub latency: Latency,
    /// Decisions in each second of the measurement.
    pub by_second: Vec<u64>,
    /// What this process used meanwhile, warm-up included.
    pub generator_cpu_seconds: f64,
}

impl Outcome {
    pub(super) fn new(plan: &Plan, schedule: &Schedule, tally: &Tally, cpu_seconds: f64) -> Self {
        let count = |of: fn(u16) -> bool| {
            let matching = tally.statuses.iter().filter(|(status, _)| of(**status));
            matching.map(|(_, count)| count).sum::<u64>()
        };
        let lost = |kind| tally.lost.get(&kind).copied().unwrap_or(0);
        let (answers, seconds) = (count(is_decision), tally.last.as_secs_f64());
        let (broken, timed_out) = (lost(Lost::Connection), lost(Lost::Timeout));
        Self {
            rate: match plan.pace {
                Pace::Closed => None,
                Pace::Open { per_second } => Some(per_second),
            },
            connections: plan.connections,
            seconds,
            answers,
            #[expect(clippy::cast_precision_loss, reason = "a quotient for people")]
            answers_per_second: if seconds > 0.0 {
                answers as f64 / seconds
            } else {
                0.0
            },
            held: tally.statuses.get(&201).copied().unwrap_or(0),
            overloaded: count(is_overload),
            failed: count(|status| !is_decision(status) && !is_overload(status))
                + broken
                + timed_out,
            unsent: schedule.unsent(),
            statuses: tally.statuses.clone(),
            broken,
            timed_out,
            latency: Latency::of(&tally.latencies),
            by_second: tally.by_second.clone(),
            generator_cpu_seconds: cpu_seconds,
        }
    }

    /// The outcome as a table of two columns.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        let pace = match self.rate {
            Some(rate) => format!("open loop, {rate} a second, latency from the intended start"),
            None => "closed loop".to_owned(),
        };
        let Latency {
            p50_ms,
            p90_ms,
            p99_ms,
            p999_ms,
            max_ms,
        } = self.latency;
        let statuses = self
            .statuses
            .iter()
            .map(|(status, count)| format!("{status}: {count}"));
        table.set_header(["", &format!("{pace}, {} connections", self.connections)]);
        table.add_row(["answers/s", &format!("{:.0}", self.answers_per_second)]);
        table.add_row([
            "answers",
            &format!(
                "{} in {:.1} s, {} held",
                self.answers, self.seconds, self.held
            ),
        ]);
        table.add_row(["by status", &statuses.collect::<Vec<_>>().join(", ")]);
        table.add_row([
            "latency",
            &format!(
                "p50 {p50_ms:.2}, p90 {p90_ms:.2}, p99 {p99_ms:.2}, p99.9 {p999_ms:.2}, \
                 max {max_ms:.2} ms"
            ),
        ]);
        table.add_row([
            "not decided",
            &format!(
                "{} overloaded, {} failed ({} broken, {} timed out), {} never sent",
                self.overloaded, self.failed, self.broken, self.timed_out, self.unsent
            ),
        ]);
        table.add_row([
            "generator",
            &format!("{:.2} CPU s", self.generator_cpu_seconds),
        ]);
        table.to_string()
    }
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "an hour of microseconds is far below 2^53"
        )]
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        #[expect(
            clippy::cast_precision_loss,
            reason = "an hour of microseconds is far below 2^53"
        )]
        let max_ms = histogram.max() as f64 / 1e3;
        Self {
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms,
        }
    }
}
