//! The load straight to Kafka: commands of a run to a command topic, and a read-committed reader of
//! the answers. The same for every system under measure.
//!
//! Reading order: `commands` (what), `wire` (as bytes), `pace` (when), `sender`, `seen` (answers).

mod commands;
mod pace;
mod seen;
mod sender;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use stagedoor_topology::log::kafka::{KafkaConfig, KafkaLog};
use stagedoor_topology::log::{Isolation, Log as _, Pace as ReaderPace, Reader, TopicPartition};

pub(super) use commands::Commands;
pub(super) use pace::Pace;
pub(super) use seen::Played;
pub(super) use wire::Wire;

use pace::Schedule;
use seen::Seen;
use sender::Sender;

use super::stop::Stop;

/// How long no answer may come while some are missing.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait for answers, after which signals are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Most answers of one look.
const MOST: usize = 5_000;
/// How long a command waits for others where throughput is measured: the load shares the machine
/// with what is measured, and collecting saves it half a processor.
const COLLECTED: Duration = Duration::from_millis(20);
/// The same where latency is.
const AT_ONCE: Duration = Duration::from_millis(2);

/// Where a system under measure takes commands, and where it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// The broker.
    pub(super) bootstrap_servers: String,
    /// Topic of the commands.
    pub(super) commands: String,
    /// Topic of the answers, with as many partitions.
    pub(super) results: String,
    /// Partitions of both.
    pub(super) partitions: i32,
    /// How both are written.
    pub(super) wire: Wire,
}

/// A load on one site.
pub(super) struct KafkaLoad {
    site: Site,
    stop: Stop,
    reader: Box<dyn Reader>,
    collecting: Sender,
    prompt: Sender,
}

impl KafkaLoad {
    /// Opens the producers, and the reader of answers behind those that are there.
    pub(super) fn open(site: &Site, stop: &Stop) -> anyhow::Result<Self> {
        let config = KafkaConfig::new(&site.bootstrap_servers, "bench-load");
        let log = KafkaLog::new(config);
        let mut reader = log.reader(Isolation::ReadCommitted, ReaderPace::Follow)?;
        let mut from = Vec::new();
        for partition in 0..site.partitions {
            let place = TopicPartition::new(site.results.as_str(), partition);
            let (_, end) = stop.until("the answers can be read", PATIENCE, || {
                Ok(reader.watermarks(&place).ok())
            })?;
            from.push((partition, end));
        }
        reader.open(&site.results, &from)?;
        let sender = |linger| Sender::open(&site.bootstrap_servers, &site.commands, linger, stop);
        Ok(Self {
            site: site.clone(),
            stop: stop.clone(),
            reader,
            collecting: sender(COLLECTED)?,
            prompt: sender(AT_ONCE)?,
        })
    }

    /// Puts the concerts of a run on sale, and waits until every one of them is.
    pub(super) fn put_on_sale(&mut self, commands: &Commands) -> anyhow::Result<()> {
        let mut value = Vec::new();
        self.site.wire.put(commands, &mut value)?;
        for (concert, partition) in commands.concerts() {
            self.prompt.send(*partition, concert.as_bytes(), &value)?;
        }
        self.prompt.flush()?;
        // Plans are answered like holds, and nothing else is under way.
        let wanted = commands.concerts().len();
        let mut answers = 0;
        let reader = &mut self.reader;
        self.stop.until("all concerts are on sale", PATIENCE, || {
            reader.poll(LOOK, MOST, &mut |_| answers += 1)?;
            Ok((answers >= wanted).then_some(()))
        })
    }

    /// Sends the first `count` holds of a run, and reads answers until every one has its own.
    /// `progress` is told how many have.
    pub(super) fn play(
        &mut self,
        commands: &Commands,
        count: u64,
        pace: Pace,
        progress: &dyn Fn(u64),
    ) -> anyhow::Result<Played> {
        let begin = Instant::now();
        let run = Run {
            site: &self.site,
            stop: &self.stop,
            sender: match pace {
                Pace::AsFast => &self.collecting,
                Pace::Rate(_) => &self.prompt,
            },
            commands,
            count,
            schedule: Schedule::new(begin, pace),
            over: AtomicBool::new(false),
        };
        let reader = &mut *self.reader;
        let seen = std::thread::scope(|scope| {
            let sending = scope.spawn(|| run.send());
            let seen = run.read(reader, progress);
            run.over.store(true, Ordering::Relaxed);
            let Ok(sent) = sending.join() else {
                anyhow::bail!("the load generator panicked");
            };
            // A sender that failed is why answers are missing.
            sent.and(seen)
        })?;
        Ok(seen.played(begin))
    }
}

/// One run under way.
struct Run<'a> {
    site: &'a Site,
    stop: &'a Stop,
    sender: &'a Sender,
    commands: &'a Commands,
    count: u64,
    schedule: Schedule,
    over: AtomicBool,
}

impl Run<'_> {
    fn send(&self) -> anyhow::Result<()> {
        let mut value = Vec::with_capacity(256);
        for index in 0..self.count {
            self.schedule.wait(index);
            if self.over.load(Ordering::Relaxed) {
                return Ok(());
            }
            let request = self.commands.request(index);
            let (concert, partition) = &self.commands.concerts()[request.concert];
            value.clear();
            let wire = self.site.wire;
            wire.hold(self.commands, index, &request, &mut value)?;
            self.sender.send(*partition, concert.as_bytes(), &value)?;
        }
        self.sender.flush()
    }

    fn read(&self, reader: &mut dyn Reader, progress: &dyn Fn(u64)) -> anyhow::Result<Seen> {
        let label = format!("{}-", self.commands.run());
        let mut seen = Seen::new(self.count)?;
        let mut deadline = Instant::now() + PATIENCE;
        while !seen.is_complete() {
            self.stop.check()?;
            self.sender.check()?;
            let before = seen.count();
            reader.poll(LOOK, MOST, &mut |record| {
                let value = record.value.unwrap_or_default();
                if let Some(answer) = self.site.wire.answer(value, label.as_bytes()) {
                    seen.note(answer, &self.schedule, Instant::now());
                }
            })?;
            if seen.count() > before {
                progress(seen.count());
                deadline = Instant::now() + PATIENCE;
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "only {} of {} commands to {} are answered, and none within {} s",
                seen.count(),
                self.count,
                self.site.commands,
                PATIENCE.as_secs()
            );
        }
        Ok(seen)
    }
}
