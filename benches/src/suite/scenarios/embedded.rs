//! Durable holds on the embedded log, in a process of their own.

use std::time::Duration;

use crate::suite::Bench;
use crate::suite::children::{self, clean, script};
use crate::suite::options::Name;

const ENDED: Duration = Duration::from_secs(300);

pub(super) fn embedded(bench: &mut Bench) -> anyhow::Result<()> {
    let name = Name::Embedded.text();
    let holds = bench.sizes.seats;
    let load = format!(
        "{holds} chosen seats at one concert in one partition of the embedded log, each commit \
         synchronised with the disk; one process, load included"
    );
    bench.describe(&name, &load);
    for round in 0..=bench.options.rounds {
        bench.progress.step(&format!("{name} round {round}"));
        let mut command = clean(std::env::current_exe()?);
        command.args(["embedded-round", "--holds", &holds.to_string()]);
        command.arg("--directory").arg(&bench.work);
        let lines = script("embedded", &bench.work, &command, ENDED, &bench.stop)?;
        let rate: f64 = children::value(&lines, "holds_per_second")?.parse()?;
        // The first one warms up the disk's cache.
        if round > 0 {
            bench
                .progress
                .say(&format!("{name} round {round}: {rate:.0} holds/s"));
            bench.push(&name, "stagedoor", &[("holds_per_second", rate)]);
        }
    }
    Ok(())
}
