//! A history to audit: a sale of a mix on the embedded log, as a service would have left it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stagedoor_avro::AvroRecord;
use stagedoor_bench::mix::{Mix, user_name};
use stagedoor_processors::concert;
use stagedoor_processors::concert::records::{HoldSeats, ReleaseHold};
use stagedoor_processors::id::{Id, scoped_hash};
use stagedoor_state::{Database, DatabaseOptions};
use stagedoor_topology::log::embedded::{Durability, EmbeddedConfig, EmbeddedLog};
use stagedoor_topology::log::{Appender, Haste, Outgoing};
use stagedoor_topology::{
    CommitListener, Committed, Secret, StreamsConfig, TopicNaming, partition_for,
};

use crate::application::{self, until};
use crate::load;

/// So short that nobody waits long for their end.
const HOLD_SECONDS: i32 = 3;
/// Commands on their way, so that memory stays small.
const AHEAD: u64 = 50_000;

/// Names of a history's topics.
pub(crate) fn naming(partitions: i32) -> TopicNaming {
    stagedoor_processors::naming("history", "history.", partitions, None)
}

/// Key of the MAC on its Ticks.
pub(crate) fn secret() -> Secret {
    Secret::new(*b"bench")
}

/// Opens the stores and the log of a data directory.
pub(crate) fn open(directory: &Path) -> anyhow::Result<(Database, EmbeddedLog)> {
    let options = DatabaseOptions {
        authoritative: true,
        ..DatabaseOptions::default()
    };
    let stores = Database::open(directory.join("state"), &options)?;
    let config = EmbeddedConfig {
        durability: Durability::Never,
        ..EmbeddedConfig::new("history")
    };
    let log = EmbeddedLog::open(&stores, config)?;
    Ok((stores, log))
}

/// Counts what was decided.
#[derive(Default)]
struct Decided {
    answers: AtomicU64,
    events: AtomicU64,
}

impl CommitListener for Decided {
    fn committed(&self, committed: &Committed<'_>) {
        let count = |topic| {
            let outputs = committed.outputs.iter();
            outputs.filter(|output| output.sink == topic).count() as u64
        };
        let (answers, events) = (count(concert::RESULTS.topic), count(concert::EVENTS.topic));
        self.events.fetch_add(events, Ordering::SeqCst);
        self.answers.fetch_add(answers, Ordering::SeqCst);
    }
}

/// Sells a mix. Beside its requests one command in eight releases an earlier hold, one in sixteen
/// repeats an earlier request, some with another body, and holds expire after a few seconds.
pub(crate) fn make(directory: &Path, mix: &Mix, partitions: i32) -> anyhow::Result<()> {
    let (stores, log) = open(directory)?;
    let appender = stagedoor_topology::log::Log::appender(&log)?;
    let decided = Arc::new(Decided::default());
    let listener: Arc<dyn CommitListener> = Arc::<Decided>::clone(&decided);
    let naming = naming(partitions);
    let topic = naming.topic("concert.commands");
    let run = directory.join("run");
    let config = StreamsConfig::new(naming, run, "history".to_owned(), secret());
    let streams = application::start(Arc::new(log), stores, config, listener)?;
    let mut sender = Sender {
        appender,
        topic,
        partitions,
        sent: 0,
    };
    let sections = load::section_plans(mix.sections())?;
    let plan = load::on_sale("put".to_owned(), HOLD_SECONDS, sections);
    for concert in mix.concerts() {
        sender.send(concert, &plan)?;
    }
    for index in 0..mix.requests() {
        sell(&mut sender, mix, index)?;
        if sender
            .sent
            .saturating_sub(decided.answers.load(Ordering::SeqCst))
            > AHEAD
        {
            let wanted = sender.sent - AHEAD / 2;
            until("half of the commands are answered", || {
                Ok(decided.answers.load(Ordering::SeqCst) >= wanted)
            })?;
        }
    }
    until("every command is answered", || {
        Ok(decided.answers.load(Ordering::SeqCst) >= sender.sent)
    })?;
    // Nobody commands any more, so what is decided now is that holds expire.
    let before = decided.events.load(Ordering::SeqCst);
    until("holds expire", || {
        Ok(decided.events.load(Ordering::SeqCst) > before)
    })?;
    let closed = streams.close(Duration::from_secs(30));
    anyhow::ensure!(closed, "the application did not close");
    Ok(())
}

/// The `index`-th request, and what comes beside it.
fn sell(sender: &mut Sender, mix: &Mix, index: u64) -> anyhow::Result<()> {
    let concert = |index| &mix.concerts()[mix.request(index).concert];
    sender.send(concert(index), &hold(mix, index))?;
    if index % 8 == 7 {
        let earlier = index / 8 * 4;
        sender.send(concert(earlier), &release(mix, earlier))?;
    }
    if index % 16 == 15 {
        let earlier = index - index % 11;
        let mut again = hold(mix, earlier);
        if index % 64 == 63 {
            // Another body under the same key.
            again.seats.push("S0-1-1".to_owned());
        }
        sender.send(concert(earlier), &again)?;
    }
    Ok(())
}

/// Writes commands.
struct Sender {
    appender: Arc<dyn Appender>,
    topic: String,
    partitions: i32,
    sent: u64,
}

impl Sender {
    fn send<C: AvroRecord>(&mut self, concert: &str, command: &C) -> anyhow::Result<()> {
        let value = load::encoded(command)?;
        let record = Outgoing {
            topic: &self.topic,
            partition: partition_for(concert.as_bytes(), self.partitions),
            key: Some(concert.as_bytes()),
            value: Some(&value),
            headers: &[],
        };
        let told = |result: Result<_, _>| {
            if let Err(error) = result {
                tracing::error!(%error, "a command was not appended; the history will not end");
            }
        };
        self.appender.append(record, Haste::Patient, Box::new(told));
        self.sent += 1;
        Ok(())
    }
}

fn hold(mix: &Mix, index: u64) -> HoldSeats {
    let request = mix.request(index);
    load::hold_of(user_name(request.user), mix.command_id(index), request.wish)
}

fn release(mix: &Mix, index: u64) -> ReleaseHold {
    let held = hold(mix, index);
    let concert = &mix.concerts()[mix.request(index).concert];
    let hash = scoped_hash(&held.user, &held.command_id);
    ReleaseHold {
        user: held.user,
        command_id: format!("{}-release", held.command_id),
        reservation: Id::reservation(concert, hash).to_string(),
    }
}
