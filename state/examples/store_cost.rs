//! What a store costs on one thread: writes of rows, commits of 30,000 rows, reads.
#![expect(
    clippy::print_stdout,
    reason = "it reports its figures on standard output"
)]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use stagedoor_avro::AvroRecord;
use stagedoor_state::{
    EntryIndex, KeyRange, MemoryDatabase, StorageProvider, Store, StoreSet, SumIndex, TaskState,
    TypedRead,
};

const BATCHES: u64 = 20;
const BATCH_ROWS: u64 = 30_000;
const OWNERS: u64 = 1_000;

/// About 100 bytes, with the schema of a released record.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Position")]
struct Row {
    next_offset: i64,
    unit: i32,
    stream_time_ms: i64,
    transactional_id: String,
    handed_over: bool,
    source_topic_id: String,
    committed_at_ms: i64,
}

impl AvroRecord for Row {
    const SCHEMA_ID: u32 = 1;
    const NAME: &'static str = "stagedoor.topology.Position";
}

type RowKey = (u64, u64);

const ROWS: Store<RowKey, Row> = Store::new(3, "rows").derives(|key, row, derived| {
    derived.add(&SUMS, &(key.1 % OWNERS), row.next_offset);
});
const PLAIN: Store<RowKey, Row> = Store::new(4, "plain");
const TIMED: Store<RowKey, Row> = Store::new(5, "timed").derives(|key, row, derived| {
    derived.entry(&DUE, &(row.stream_time_ms, key.0, key.1));
});
const SUMS: SumIndex<u64> = SumIndex::new(17, "sums");
const DUE: EntryIndex<(i64, u64, u64)> = EntryIndex::new(16, "due");

fn row(number: i64) -> Row {
    Row {
        next_offset: number,
        unit: 1,
        stream_time_ms: number,
        transactional_id: "stagedoor-instance-7-thread-1".to_owned(),
        handed_over: false,
        source_topic_id: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        committed_at_ms: 1_760_000_000_000,
    }
}

/// Spreads numbers over the key space, as hashes do.
fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The time that this thread has had a processor, to the nanosecond. The scheduler's own figures
/// under `/proc` would not do: they move once a tick, which is longer than what is measured here.
fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// One value per batch. Writing is measured on the processor; a commit on the clock, because
/// whoever waits for it also waits for the disk and for stalls.
struct Times {
    puts: Vec<Duration>,
    commits: Vec<Duration>,
}

fn fill(
    state: &mut TaskState,
    store: &Store<RowKey, Row>,
    first: u64,
    savepoints: bool,
) -> Result<Times, Box<dyn Error>> {
    let mut times = Times {
        puts: Vec::new(),
        commits: Vec::new(),
    };
    let mut value = row(1);
    for batch in 0..BATCHES {
        let started = now();
        for number in 0..BATCH_ROWS {
            if savepoints {
                let _ = state.savepoint();
            }
            let number = first + batch * BATCH_ROWS + number;
            value.stream_time_ms = i64::try_from(number)?;
            state.put(store, &(7, scattered(number)), &value)?;
        }
        times.puts.push(now().saturating_sub(started));
        let started = Instant::now();
        state.commit(&[(b"position", &batch.to_be_bytes())])?;
        times.commits.push(started.elapsed());
    }
    times.puts.sort();
    times.commits.sort();
    Ok(times)
}

/// What the overlay itself costs: nothing is ever stored.
fn fill_and_discard(state: &mut TaskState) -> Result<Times, Box<dyn Error>> {
    let mut times = Times {
        puts: Vec::new(),
        commits: Vec::new(),
    };
    let value = row(1);
    for _ in 0..BATCHES {
        let started = now();
        for number in 0..BATCH_ROWS {
            let _ = state.savepoint();
            state.put(&ROWS, &(7, scattered(number)), &value)?;
        }
        times.puts.push(now().saturating_sub(started));
        state.discard();
    }
    times.puts.sort();
    Ok(times)
}

fn report(what: &str, times: &Times) {
    let nanos = times.puts[times.puts.len() / 2].as_secs_f64() * 1e9 / BATCH_ROWS as f64;
    print!(
        "  {what:<34} {:>5.2} M put/s ({nanos:>4.0} ns)",
        1e3 / nanos
    );
    if let (Some(half), Some(last)) = (
        times.commits.get(times.commits.len() / 2),
        times.commits.last(),
    ) {
        let millis = |time: &Duration| time.as_secs_f64() * 1e3;
        print!(
            "   commit p50 {:>5.1} ms, max {:>5.1} ms",
            millis(half),
            millis(last)
        );
    }
    println!();
}

/// The median over slices of the calls.
fn time_each(
    what: &str,
    count: u64,
    mut call: impl FnMut(u64) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let slice = count.div_ceil(BATCHES);
    let mut times = Vec::new();
    for first in (0..count).step_by(usize::try_from(slice)?) {
        let started = now();
        for number in first..first + slice {
            call(number)?;
        }
        times.push(now().saturating_sub(started));
    }
    times.sort();
    let nanos = times[times.len() / 2].as_secs_f64() * 1e9 / slice as f64;
    println!("  {what:<34} {nanos:>9.0} ns");
    Ok(())
}

fn measure(name: &str, database: &dyn StorageProvider) -> Result<(), Box<dyn Error>> {
    println!("{name}");
    let set = StoreSet::builder()
        .store(&ROWS)
        .store(&PLAIN)
        .store(&TIMED)
        .sum(&SUMS)
        .index(&DUE);
    let mut state = TaskState::new(database.storage("0_0")?, Arc::new(set.build()?))?;
    report(
        "one sum, over nothing stored",
        &fill_and_discard(&mut state)?,
    );
    report("new rows, no index", &fill(&mut state, &PLAIN, 0, true)?);
    report("new rows, one sum", &fill(&mut state, &ROWS, 0, true)?);
    report(
        "new rows, one sum, no savepoints",
        &fill(&mut state, &ROWS, 1 << 40, false)?,
    );
    report("changed rows, one sum", &fill(&mut state, &ROWS, 0, true)?);
    report("new rows, one entry", &fill(&mut state, &TIMED, 0, true)?);
    let total = BATCHES * BATCH_ROWS;
    time_each("get of a row that is there", total, |number| {
        state
            .get(&ROWS, &(7, scattered(number)))?
            .ok_or("missing")?;
        Ok(())
    })?;
    time_each("get of an absent row", total, |number| {
        Ok(state
            .get(&ROWS, &(8, scattered(number)))?
            .map_or(Ok(()), |_| Err("there"))?)
    })?;
    time_each("sum", total, |number| {
        Ok(state.sum(&SUMS, &(number % OWNERS)).map(drop)?)
    })?;
    time_each("asking what is due: nothing", total, |_| {
        let range = KeyRange::from_until(&i64::MIN, &0_i64);
        Ok(state.scan_index(&DUE, range, &mut |_| std::ops::ControlFlow::Break(()))?)
    })?;
    time_each("scan of 600,000 rows", 1, |_| {
        Ok(state.scan(&PLAIN, KeyRange::all(), &mut |_, _| {
            std::ops::ControlFlow::Continue(())
        })?)
    })?;
    time_each("digest", 1, |_| Ok(state.digest(0).map(drop)?))?;
    let mut value = Vec::new();
    stagedoor_avro::encode(&row(1), &mut value)?;
    time_each("bulk restore of 4,000 rows", 160, |batch| {
        let keys = (0..4_000).map(|number| scattered(batch * 4_000 + number).to_be_bytes());
        let keys: Vec<Vec<u8>> = keys
            .map(|key| [&[4], [9; 8].as_slice(), &key].concat())
            .collect();
        let mut rows = keys
            .iter()
            .map(|key| (key.as_slice(), Some(value.as_slice())));
        Ok(state.restore_bulk(&mut rows, &[])?)
    })?;
    time_each(
        "rebuild of the indexes",
        1,
        |_| Ok(state.rebuild_indexes()?),
    )
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("codec");
    let (value, mut bytes) = (row(1), Vec::new());
    stagedoor_avro::encode(&value, &mut bytes)?;
    println!("  a row has {} bytes", bytes.len());
    time_each("encode", 600_000, |_| {
        bytes.clear();
        Ok(stagedoor_avro::encode(&value, &mut bytes)?)
    })?;
    time_each("decode", 600_000, |_| {
        Ok(stagedoor_avro::decode::<Row>(&bytes).map(drop)?)
    })?;
    measure("memory", &MemoryDatabase::new())?;
    #[cfg(feature = "rocksdb")]
    {
        let directory = tempfile::tempdir()?;
        let options = stagedoor_state::DatabaseOptions::default();
        let database = stagedoor_state::Database::open(directory.path(), &options)?;
        measure("rocksdb", &database)?;
    }
    Ok(())
}
