//! The tail of this instance's results partition, for concerts that another instance owns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use stagedoor_processors::concert::records::CommandResult;
use stagedoor_topology::log::{Isolation, Log, LogError, Pace, Reader, TopicPartition};
use stagedoor_topology::{Record, STAMP_HEADER, Stamp};

use super::{Answer, Hub};

/// How long one poll waits; also how fast the thread sees that it is to end.
const POLL: Duration = Duration::from_millis(100);

/// Most records of one poll.
const MOST: usize = 10_000;

/// Pause before the tail is opened anew.
const PAUSE: Duration = Duration::from_millis(200);

/// The thread that reads the tail; dropping it ends the thread.
pub(crate) struct ResultsTail {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ResultsTail {
    /// Starts reading at the present end. Returns once it is open, because an answer that is
    /// committed before would not be seen.
    ///
    /// # Errors
    /// Where the log cannot be reached or the thread not be made.
    pub(crate) fn start(
        log: Arc<dyn Log>,
        hub: Arc<Hub>,
        partition: TopicPartition,
    ) -> Result<Self, LogError> {
        let reader = open(log.as_ref(), &partition)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("results-tail".into())
            .spawn(move || run(log.as_ref(), &hub, &partition, reader, &stopped))
            .map_err(|error| LogError::Refused(error.to_string()))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for ResultsTail {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported where it happened.
            let _ = thread.join();
        }
    }
}

fn open(log: &dyn Log, partition: &TopicPartition) -> Result<Box<dyn Reader>, LogError> {
    let mut reader = log.reader(Isolation::ReadCommitted, Pace::Follow)?;
    let (_, end) = reader.watermarks(partition)?;
    reader.open(&partition.topic, &[(partition.partition, end)])?;
    Ok(reader)
}

fn run(
    log: &dyn Log,
    hub: &Hub,
    partition: &TopicPartition,
    first: Box<dyn Reader>,
    stop: &AtomicBool,
) {
    let mut reader = Some(first);
    while !stop.load(Ordering::Relaxed) {
        let polled = match reader.as_mut() {
            Some(reader) => reader
                .poll(POLL, MOST, &mut |record| read(hub, record))
                .map(|_| ()),
            // What was answered in between is not seen: those requests time out with 202.
            None => open(log, partition).map(|fresh| reader = Some(fresh)),
        };
        if let Err(error) = polled {
            tracing::warn!(%error, %partition, "cannot read results; opening the tail anew");
            reader = None;
            std::thread::sleep(PAUSE);
        }
    }
}

fn read(hub: &Hub, record: &Record<'_>) {
    if hub.parked() == 0 {
        return;
    }
    let stamp = record.header(STAMP_HEADER).and_then(Stamp::decode);
    match stagedoor_avro::decode::<CommandResult>(record.value.unwrap_or_default()) {
        Ok(result) => hub.answered(Answer {
            result,
            partition: stamp.map_or(-1, |stamp| stamp.partition),
            offset: stamp.map(|stamp| stamp.offset),
        }),
        // Another version's record, or one that somebody else wrote there.
        Err(error) => tracing::debug!(%error, ?record, "a record in results is no result"),
    }
}
