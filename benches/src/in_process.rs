//! What a hold costs on one thread without Kafka.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use stagedoor_processors::concert;
use stagedoor_state::{Database, DatabaseOptions, MemoryDatabase, StorageProvider, TaskState};
use stagedoor_topology::{Context, NoHeaders, Processor, Record};

use crate::load;
use crate::report::{self, Side};

/// Runs both sides round by round.
pub(crate) fn run(holds: u32, batch: u32, rounds: usize) -> anyhow::Result<()> {
    let commands = commands(holds)?;
    let (mut memory, mut rocks) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let without = play(&MemoryDatabase::new(), &commands, batch, false)?;
        let directory = tempfile::tempdir()?;
        let database = Database::open(directory.path(), &DatabaseOptions::default())?;
        let with = play(&database, &commands, batch, true)?;
        if round > 0 {
            memory.push(without);
            rocks.push(with);
        }
    }
    let notes = format!("{holds} holds, commits of {batch}");
    report::print(
        "holds on one thread, without Kafka",
        &[
            Side {
                name: "with the RocksDB batch",
                rounds: rocks,
                notes: notes.clone(),
            },
            Side {
                name: "decide + evolve + encode",
                rounds: memory,
                notes,
            },
        ],
    );
    Ok(())
}

/// Plays one side once.
pub(crate) fn once(holds: u32, batch: u32, rocksdb: bool) -> anyhow::Result<()> {
    let commands = commands(holds)?;
    if !rocksdb {
        return play(&MemoryDatabase::new(), &commands, batch, false).map(drop);
    }
    let directory = tempfile::tempdir()?;
    let database = Database::open(directory.path(), &DatabaseOptions::default())?;
    play(&database, &commands, batch, true).map(drop)
}

fn commands(holds: u32) -> anyhow::Result<Vec<Vec<u8>>> {
    (0..holds)
        .map(|index| load::encoded(&load::hold(index, holds)))
        .collect()
}

/// Plays all commands; returns holds a second. Without `commit` the overlay is dropped instead of
/// written, after its changes were read as a commit would.
fn play(
    provider: &dyn StorageProvider,
    commands: &[Vec<u8>],
    batch: u32,
    commit: bool,
) -> anyhow::Result<f64> {
    let part = concert::sub_topology()?;
    let mut state = TaskState::new(provider.storage("0_0")?, Arc::clone(&part.stores))?;
    let mut processor = (part.processor)();
    let put = load::encoded(&load::concert(u32::try_from(commands.len())?))?;
    take(&mut *processor, &mut state, &put, 0)?;
    state.commit(&[])?;
    let started = Instant::now();
    for (offset, command) in (1..).zip(commands) {
        let forwarded = take(&mut *processor, &mut state, command, offset)?;
        anyhow::ensure!(
            forwarded == 2,
            "hold {offset} forwarded {forwarded} records"
        );
        if offset % i64::from(batch) == 0 {
            end_batch(&mut state, commit)?;
        }
    }
    Ok(commands.len() as f64 / started.elapsed().as_secs_f64())
}

fn end_batch(state: &mut TaskState, commit: bool) -> anyhow::Result<()> {
    let changed: usize = state.changes().map(|change| change.key.len()).sum();
    anyhow::ensure!(changed > 0, "a batch of holds changes rows");
    if commit {
        state.commit(&[(b"checkpoint", b"bench")])?
    } else {
        state.discard()
    }
    Ok(())
}

fn take(
    processor: &mut dyn Processor,
    state: &mut TaskState,
    value: &[u8],
    offset: i64,
) -> anyhow::Result<usize> {
    let record = Record {
        topic: "concert.commands",
        partition: 0,
        offset,
        timestamp_ms: 1_800_000_000_000,
        key: Some(load::CONCERT.as_bytes()),
        value: Some(value),
        headers: &NoHeaders,
    };
    let mut forwarded = Vec::with_capacity(4);
    let savepoint = state.savepoint();
    let mut context = Context::new(state, record.timestamp_ms, &mut forwarded);
    processor
        .process(&record, &mut context)
        .context("the processor refused a hold")?;
    // A unit that succeeds never goes back to its savepoint.
    let _ = savepoint;
    Ok(forwarded.len())
}
