//! A service that was killed until its first commit, and one that lost its store until it is back.

use std::fs;
use std::time::Instant;

use crate::suite::Bench;
use crate::suite::kafka_load::{Commands, KafkaLoad, Pace};
use crate::suite::options::Name;
use crate::suite::service::{Service, ServiceOptions, bytes_below};

const PARTITIONS: i32 = 5;
/// Most holds that are made to reach the size.
const MOST_HOLDS: u64 = 12_000_000;

pub(super) fn restart(bench: &mut Bench) -> anyhow::Result<()> {
    let name = Name::Restart.text();
    let wanted = bench.sizes.state_bytes;
    let load = format!(
        "places of general admission until the stores of {PARTITIONS} partitions have {} MiB; \
         then SIGKILL, and a command that waits for the restarted service; then the same without its stores",
        wanted >> 20
    );
    bench.describe(&name, &load);
    let application = bench.fresh("restart");
    let options = bench.service(&application, PARTITIONS);
    let mut service = options.start(&bench.stop)?;
    let mut load = KafkaLoad::open(&options.site(), &bench.stop)?;
    let bytes = grow(bench, &options, &mut load)?;
    for round in 1..=bench.options.rounds {
        bench
            .progress
            .step(&format!("{name} round {round}: killed"));
        service.process.kill()?;
        let seconds;
        (service, seconds) = first_commit(bench, &options, &mut load, round)?;
        bench.progress.say(&format!(
            "{name} round {round}: first commit after {seconds:.2} s"
        ));
        let figures = [
            ("first_commit_seconds", seconds),
            ("state_bytes", bytes as f64),
        ];
        bench.push(&name, "stagedoor", &figures);
    }
    for round in 1..=bench.options.rounds {
        bench
            .progress
            .step(&format!("{name} round {round}: without stores"));
        service.process.end()?;
        let figures;
        (service, figures) = restore(bench, &options)?;
        let (_, rate) = figures[2];
        bench.progress.say(&format!(
            "{name} round {round}: {rate:.0} changelog records restored a second"
        ));
        bench.push(&name, "stagedoor", &figures);
    }
    drop(load);
    service.process.end()?;
    bench.progress.step(&format!("{name}: audit"));
    bench.audit(&options)?;
    bench.broker.clear()
}

/// Holds places until the stores are as large as is wanted. Returns their bytes.
fn grow(bench: &Bench, options: &ServiceOptions, load: &mut KafkaLoad) -> anyhow::Result<u64> {
    let chunk = bench.sizes.requests;
    for number in 0..MOST_HOLDS / chunk {
        let bytes = bytes_below(&options.data())?;
        if bytes >= bench.sizes.state_bytes {
            return Ok(bytes);
        }
        bench
            .progress
            .step(&format!("restart: the state has {} MiB", bytes >> 20));
        let concerts = u64::from(PARTITIONS.unsigned_abs());
        let commands = Commands::spread(concerts, chunk, &format!("g{number}"), PARTITIONS)?;
        load.put_on_sale(&commands)?;
        load.play(&commands, chunk, Pace::AsFast, &|done| {
            bench.progress.at(done)
        })?;
    }
    bytes_below(&options.data())
}

/// From the start of the process to the committed answer of a command that waits for it.
fn first_commit(
    bench: &Bench,
    options: &ServiceOptions,
    load: &mut KafkaLoad,
    round: u32,
) -> anyhow::Result<(Service, f64)> {
    let begun = Instant::now();
    let mut service = options.spawn()?;
    // Refused, since there is no such concert: an answer all the same.
    let commands = Commands::spread(1, 1, &format!("k{round}"), PARTITIONS)?;
    load.play(&commands, 1, Pace::Rate(1.0), &|_| ())?;
    let seconds = begun.elapsed().as_secs_f64();
    service.becomes_ready(&bench.stop)?;
    Ok((service, seconds))
}

/// From the start of the process without a store until every task is restored.
fn restore(
    bench: &Bench,
    options: &ServiceOptions,
) -> anyhow::Result<(Service, Vec<(&'static str, f64)>)> {
    fs::remove_dir_all(options.data())?;
    let extents = bench.broker.extents(&options.application)?;
    let changelogs = extents
        .iter()
        .filter(|(topic, _)| topic.ends_with("-changelog"));
    let records: u64 = changelogs.map(|(_, extent)| extent.records).sum();
    let begun = Instant::now();
    let service = options.start(&bench.stop)?;
    let seconds = begun.elapsed().as_secs_f64();
    let figures = vec![
        ("restored_records", records as f64),
        ("restore_seconds", seconds),
        ("restored_per_second", records as f64 / seconds),
    ];
    Ok((service, figures))
}
