//! What an audit costs: records a second of CPU time over topics in memory.
//!
//! `cargo run --example audit_cost -p stagedoor-audit [-- COMMANDS [BUDGET_MIB [THREADS]]]`

#![expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::error::Error;
use std::time::Instant;

use common::task::{Site, Task, concert, hold, release};
use stagedoor_audit::{Checker, Sources, run};

/// As many commands as a busy task decides between two commits.
const COMMIT_EVERY: i64 = 2_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let commands: i64 = arguments.next().map_or(Ok(400_000), |text| text.parse())?;
    let budget: usize = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let site = Site::new(4);
    for partition in 0..site.naming.partitions {
        sell(&site, partition, commands / 4);
    }
    let mut sources = Sources::new(&site.log, &site.topology, &site.naming, &site.secret);
    sources.memory_bytes = budget * 1024 * 1024;
    sources.threads = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let (begun, clock) = (cpu_seconds(), Instant::now());
    let report = run(&sources)?;
    let (seconds, wall) = (cpu_seconds() - begun, clock.elapsed());
    let records = site.log.records();
    println!("{report}");
    println!(
        "clean: {}",
        report.is_clean(&[Checker::D1, Checker::S1, Checker::C1, Checker::C4])
    );
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = records as f64 / seconds;
    println!(
        "{records} records, {commands} commands, budget {budget} MiB, {} threads: {seconds:.2} s of CPU, {rate:.0} records a second of it, \
         {wall:?} in all",
        sources.threads
    );
    Ok(())
}

/// Holds, of which half are released and the others expire; a seat is free again in time.
fn sell(site: &Site, partition: i32, commands: i64) {
    let mut task = Task::new(site, partition);
    task.send(0, &concert(10));
    for number in 0..commands / 3 * 2 {
        let at_ms = 1_000 + number * 20;
        let mut next = task.send(at_ms, &hold(number)) + 1;
        if number % 2 == 0 {
            next = task.send(at_ms + 5, &release(number)) + 1;
        }
        if number % COMMIT_EVERY == COMMIT_EVERY - 1 {
            task.commit(next);
        }
    }
    let at_ms = 1_000_000_000 + commands * 20;
    let next = task.tick(at_ms) + 1;
    task.commit(next);
}

/// CPU time of this process.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap_or("").split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}
