//! The ceiling: consume, produce as many records as a hold does, commit; no rules and no store.

use std::time::{Duration, Instant};

use stagedoor_topology::log::{Assignment, InputPosition, Log, Outgoing, TopicPartition, Visit};

/// Topic and record sizes of the loop.
pub(crate) struct Shape {
    /// Input topic.
    pub(crate) input: String,
    /// Output topics with the size of the value written to each for every input.
    pub(crate) outputs: Vec<(String, usize)>,
    /// Most records of a batch, and the longest it collects: the product's own policy.
    pub(crate) max_batch: usize,
    /// Longest time a batch collects.
    pub(crate) max_wait: Duration,
}

/// Runs until `total` records are committed. Returns the time of the last commit.
pub(crate) fn run(log: &dyn Log, shape: &Shape, total: usize) -> anyhow::Result<Instant> {
    let mut member = log.member("bare", std::slice::from_ref(&shape.input))?;
    let mut session = log.session(&format!("{}-bare", shape.input))?;
    let values: Vec<Vec<u8>> = shape
        .outputs
        .iter()
        .map(|(_, size)| vec![7; *size])
        .collect();
    let (mut done, mut next) = (0, 0);
    while done < total {
        let (mut taken, mut failure) = (0_usize, None);
        let mut started = None;
        let changes = member.poll(Duration::from_millis(100), &mut |record| {
            let started = *started.get_or_insert_with(Instant::now);
            if taken == 0
                && let Err(error) = session.begin()
            {
                failure = Some(error);
                return Visit::Enough;
            }
            for ((topic, _), value) in shape.outputs.iter().zip(&values) {
                let outgoing = Outgoing {
                    topic,
                    partition: 0,
                    key: record.key,
                    value: Some(value),
                    headers: &[],
                };
                if let Err(error) = session.send(outgoing) {
                    failure = Some(error);
                }
            }
            taken += 1;
            next = record.offset + 1;
            let full = taken >= shape.max_batch || started.elapsed() >= shape.max_wait;
            if full { Visit::Enough } else { Visit::Taken }
        })?;
        if let Some(error) = failure {
            return Err(error.into());
        }
        if taken > 0 {
            let position = InputPosition {
                next_offset: next,
                unit: 0,
            };
            let input = TopicPartition::new(shape.input.as_str(), 0);
            session.add_offsets(&[(input, position)], &member.generation()?)?;
            session.commit()?;
            done += taken;
        }
        for change in changes {
            if let Assignment::Assigned(partitions) = change {
                member.accept(&partitions)?;
                for partition in &partitions {
                    start(&mut *member, partition)?;
                }
            }
        }
    }
    Ok(Instant::now())
}

/// The client needs a moment before a new partition can be sought in.
fn start(
    member: &mut dyn stagedoor_topology::log::Member,
    partition: &TopicPartition,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match member.start(partition, 0) {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}
