//! What a hold costs: decode, decide, evolve, encode, and a commit to memory every 2,000 commands.
//!
//! `cargo run --example hold_cost -p stagedoor-processors [-- WORDS]`, where the words choose the
//! rows of the table that contain them.
#![expect(
    clippy::print_stdout,
    reason = "the figures are what this program is for"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement needs a clock; the rules do not"
)]
#![expect(
    clippy::disallowed_types,
    reason = "a measurement needs a clock; the rules do not"
)]

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use stagedoor_processors::concert::ConcertProcessor;
use stagedoor_processors::concert::records::{
    BestAvailable, GeneralPlaces, HoldSeats, PutConcert, SectionPlan,
};
use stagedoor_processors::concert::stores::store_set;
use stagedoor_state::{MemoryDatabase, StorageProvider as _, TaskState};
use stagedoor_topology::{Context, Forwarded, NoHeaders, Processor as _, Record};

const COMMIT_EVERY: usize = 2_000;
const SECTIONS: usize = 50;
const ROWS: usize = 50;
const SEATS_PER_ROW: usize = 40;
const NOW_MS: i64 = 1_000_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let seats = SECTIONS * ROWS * SEATS_PER_ROW;
    println!(
        "one concert, {SECTIONS} sections of {} seats, one thread",
        ROWS * SEATS_PER_ROW
    );
    println!(
        "{:<28} {:>9} {:>12} {:>9} {:>9} {:>9}",
        "command", "commands", "a second", "us each", "cpu us", "refused"
    );
    let pairs = seats / 2;
    measure("2 chosen seats", pairs, chosen)?;
    measure("2 chosen seats, all taken", pairs, |n| chosen(n / 50))?;
    measure("best 2 of a section", pairs, |n| best(Some(n % SECTIONS)))?;
    measure("best 2 of any section", pairs, |_| best(None))?;
    measure("2 places, general admission", pairs, |_| general())?;
    Ok(())
}

/// Pairs of neighbours, spread over sections and rows as a crowd would.
fn chosen(n: usize) -> HoldSeats {
    let spread = n * 7_919 % (SECTIONS * ROWS * SEATS_PER_ROW / 2);
    let (section, pair) = (spread % SECTIONS, spread / SECTIONS);
    let (row, first) = (pair % ROWS + 1, pair / ROWS * 2 + 1);
    let label = |number: usize| format!("S{section}-{row}-{number}");
    HoldSeats {
        seats: vec![label(first), label(first + 1)],
        ..HoldSeats::default()
    }
}

fn best(section: Option<usize>) -> HoldSeats {
    let section = section.map(|section| format!("S{section}"));
    let best = Some(BestAvailable {
        quantity: 2,
        section,
        split: false,
    });
    HoldSeats {
        best,
        ..HoldSeats::default()
    }
}

fn general() -> HoldSeats {
    let general = Some(GeneralPlaces {
        section: "GA".to_owned(),
        quantity: 2,
    });
    HoldSeats {
        general,
        ..HoldSeats::default()
    }
}

fn measure(name: &str, count: usize, wish: impl Fn(usize) -> HoldSeats) -> Outcome<()> {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    if !chosen.iter().all(|word| name.contains(word.as_str())) {
        return Ok(());
    }
    let mut commands = Vec::with_capacity(count);
    for n in 0..count {
        let command = HoldSeats {
            user: format!("user-{n}"),
            command_id: format!("key-{n:08}"),
            ..wish(n)
        };
        commands.push(framed(&command)?);
    }
    let mut task = Task::on_sale()?;
    let (begin, cpu_begin) = (Instant::now(), cpu_seconds());
    for (n, command) in commands.iter().enumerate() {
        task.process(command)?;
        if n % COMMIT_EVERY == COMMIT_EVERY - 1 {
            task.commit()?;
        }
    }
    task.commit()?;
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds() - cpu_begin);
    let refused = task.refused;
    let each = |seconds: f64| seconds * 1e6 / count as f64;
    let (rate, wall, cpu) = (count as f64 / seconds, each(seconds), each(cpu));
    println!("{name:<28} {count:>9} {rate:>12.0} {wall:>9.2} {cpu:>9.2} {refused:>9}");
    Ok(())
}

/// Time on a processor, which a busy machine does not blur as much; 0 where it is not told.
fn cpu_seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told
        .split(' ')
        .next()
        .and_then(|field| field.parse::<f64>().ok());
    nanoseconds.unwrap_or_default() / 1e9
}

struct Task {
    state: TaskState,
    forwarded: Vec<Forwarded>,
    processor: ConcertProcessor,
    offset: i64,
    refused: usize,
    logged_bytes: usize,
}

impl Task {
    fn on_sale() -> Outcome<Self> {
        let storage = MemoryDatabase::new().storage("0_0")?;
        let state = TaskState::new(storage, Arc::new(store_set()?))?;
        let forwarded = Vec::new();
        let mut task = Self {
            state,
            forwarded,
            processor: ConcertProcessor::default(),
            offset: 0,
            refused: 0,
            logged_bytes: 0,
        };
        task.process(&framed(&concert())?)?;
        task.commit()?;
        Ok(task)
    }

    fn process(&mut self, value: &[u8]) -> Outcome<()> {
        let record = Record {
            topic: "concert.commands",
            partition: 0,
            offset: self.offset,
            timestamp_ms: NOW_MS,
            key: Some(b"concert"),
            value: Some(value),
            headers: &NoHeaders,
        };
        self.offset += 1;
        let savepoint = self.state.savepoint();
        let mut context = Context::new(&mut self.state, NOW_MS, &mut self.forwarded);
        if let Err(error) = self.processor.process(&record, &mut context) {
            self.state.rollback(savepoint);
            return Err(error.into());
        }
        Ok(())
    }

    /// What a commit does besides the log: every changed row is read once, then stored.
    fn commit(&mut self) -> Outcome<()> {
        for change in self.state.changes() {
            self.logged_bytes += change.key.len() + change.value.map_or(0, <[u8]>::len);
        }
        self.state.commit(&[])?;
        // An event for each hold: a command that left its answer only was refused.
        let answers = self
            .forwarded
            .iter()
            .filter(|sent| sent.sink.topic == "results")
            .count();
        self.refused += 2 * answers - self.forwarded.len();
        self.forwarded.clear();
        Ok(())
    }
}

fn concert() -> PutConcert {
    let section = |id: String| SectionPlan {
        id,
        name: "Section".to_owned(),
        grade: "S".to_owned(),
        price_minor: 100,
        ..SectionPlan::default()
    };
    let rows = i32::try_from(ROWS).ok();
    let seats_per_row = i32::try_from(SEATS_PER_ROW).ok();
    let mut sections: Vec<_> = (0..SECTIONS)
        .map(|n| SectionPlan {
            rows,
            seats_per_row,
            ..section(format!("S{n}"))
        })
        .collect();
    sections.push(SectionPlan {
        capacity: Some(1_000_000),
        ..section("GA".to_owned())
    });
    PutConcert {
        user: "organiser".to_owned(),
        command_id: "put".to_owned(),
        title: "Title".to_owned(),
        artist: "Artist".to_owned(),
        venue: "Venue".to_owned(),
        hall: None,
        run: None,
        time_zone: "Asia/Seoul".to_owned(),
        starts_at_ms: NOW_MS,
        ends_at_ms: 3 * NOW_MS,
        sale_opens_at_ms: 0,
        sale_closes_at_ms: 2 * NOW_MS,
        currency: "KRW".to_owned(),
        max_seats_per_user: 4,
        hold_seconds: 3_600,
        sections,
    }
}

fn framed<R: stagedoor_avro::AvroRecord>(record: &R) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    stagedoor_avro::encode(record, &mut bytes)?;
    Ok(bytes)
}
