//! The ceiling: consume, produce as many records as a hold does, commit; no rules and no store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stagedoor_topology::Record;
use stagedoor_topology::log::{
    Assignment, InputPosition, Log, LogError, Outgoing, Session, TopicPartition, TopicSpec, Visit,
};

/// Topics and record sizes of the loop.
pub(crate) struct Shape {
    /// Input topic. All topics have the same number of partitions.
    pub(crate) input: String,
    /// What is written for every input, to its own partition number.
    pub(crate) outputs: Vec<Output>,
    /// Most records of a batch: the product's own policy.
    pub(crate) max_batch: usize,
    /// Longest time a batch collects: the same.
    pub(crate) max_wait: Duration,
}

/// Records of one output topic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Output {
    /// Full name.
    pub(crate) topic: String,
    /// Records for every input; 0.5 writes one for every other.
    pub(crate) records: f64,
    /// Bytes of each value.
    pub(crate) bytes: usize,
}

impl Shape {
    /// Creates its topics.
    pub(crate) fn create_topics(&self, log: &dyn Log, partitions: i32) -> Result<(), LogError> {
        let outputs = self.outputs.iter().map(|output| &output.topic);
        let spec = |name: &String| TopicSpec {
            name: name.clone(),
            partitions,
            counted_by: "partitions",
            config: BTreeMap::new(),
            checked: Vec::new(),
        };
        let topics: Vec<_> = outputs.chain([&self.input]).map(spec).collect();
        log.ensure_topics(&topics).map(drop)
    }
}

/// Runs until `total` records are committed. Returns the time of the last commit.
pub(crate) fn run(log: &dyn Log, shape: &Shape, total: usize) -> anyhow::Result<Instant> {
    let mut member = log.member("bare", std::slice::from_ref(&shape.input))?;
    let mut session = log.session(&format!("{}-bare", shape.input))?;
    let mut writing = Writing::new(shape);
    let mut done = 0;
    while done < total {
        let mut batch = Batch::default();
        let changes = member.poll(Duration::from_millis(100), &mut |record| {
            batch.take(record, shape, &mut *session, &mut writing)
        })?;
        if let Some(error) = batch.failure {
            return Err(error.into());
        }
        if batch.taken > 0 {
            let positions = batch.positions(&shape.input);
            session.add_offsets(&positions, &member.generation()?)?;
            session.commit()?;
            done += batch.taken;
        }
        for change in changes {
            if let Assignment::Assigned(partitions) = change {
                patiently(|| member.accept(&partitions))?;
                for partition in &partitions {
                    patiently(|| member.start(partition, 0))?;
                }
            }
        }
    }
    Ok(Instant::now())
}

/// What is written, and what of it is owed: fractions of records add up.
struct Writing {
    outputs: Vec<(Output, Vec<u8>, f64)>,
}

impl Writing {
    fn new(shape: &Shape) -> Self {
        let owed = |output: &Output| (output.clone(), vec![7; output.bytes], 0.0);
        Self {
            outputs: shape.outputs.iter().map(owed).collect(),
        }
    }

    fn write(&mut self, record: &Record<'_>, session: &mut dyn Session) -> Result<(), LogError> {
        for (output, value, owed) in &mut self.outputs {
            *owed += output.records;
            while *owed >= 1.0 {
                *owed -= 1.0;
                session.send(Outgoing {
                    topic: &output.topic,
                    partition: record.partition,
                    key: record.key,
                    value: Some(value),
                    headers: &[],
                })?;
            }
        }
        Ok(())
    }
}

/// One transaction under way.
#[derive(Default)]
struct Batch {
    taken: usize,
    started: Option<Instant>,
    next: BTreeMap<i32, i64>,
    failure: Option<LogError>,
}

impl Batch {
    fn take(
        &mut self,
        record: &Record<'_>,
        shape: &Shape,
        session: &mut dyn Session,
        writing: &mut Writing,
    ) -> Visit {
        let started = *self.started.get_or_insert_with(Instant::now);
        let begun = if self.taken == 0 {
            session.begin()
        } else {
            Ok(())
        };
        if let Err(error) = begun.and_then(|()| writing.write(record, session)) {
            self.failure = Some(error);
            return Visit::Enough;
        }
        self.taken += 1;
        self.next.insert(record.partition, record.offset + 1);
        let full = self.taken >= shape.max_batch || started.elapsed() >= shape.max_wait;
        if full { Visit::Enough } else { Visit::Taken }
    }

    fn positions(&self, input: &str) -> Vec<(TopicPartition, InputPosition)> {
        let input: Arc<str> = Arc::from(input);
        let position = |(partition, next): (&i32, &i64)| {
            let place = TopicPartition::new(Arc::clone(&input), *partition);
            let position = InputPosition {
                next_offset: *next,
                unit: 0,
            };
            (place, position)
        };
        self.next.iter().map(position).collect()
    }
}

/// The client needs a moment before a new partition is known and can be sought in.
fn patiently(mut attempt: impl FnMut() -> Result<(), LogError>) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}
