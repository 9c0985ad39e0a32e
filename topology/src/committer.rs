//! Who waits for a commit and stores it: a thread of its own, so that the next batch is decided
//! meanwhile; or, where a run is stepped by hand, whoever asks for the outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use crate::commit::{Stored, Storing, Transaction};
use crate::log::{Generation, InputPosition, LogError, TopicPartition};
use crate::supervisor::spawn;
use crate::takeover::RunError;

/// A transaction whose records are produced, what ends it, and the batches that it makes real.
pub(crate) struct Departure {
    pub(crate) transaction: Transaction,
    pub(crate) positions: Vec<(TopicPartition, InputPosition)>,
    pub(crate) generation: Generation,
    /// In the order in which they were produced.
    pub(crate) batches: Vec<Storing>,
}

/// The transaction again, and what is stored of it.
pub(crate) type Arrival = (Transaction, Result<Vec<Stored>, RunError>);

/// Ends transactions, one at a time.
pub(crate) enum Committer {
    /// On a thread that ends with this.
    Aside {
        departures: Sender<Departure>,
        arrivals: Receiver<Arrival>,
        /// An arrival waits to be fetched.
        arrived: Arc<AtomicBool>,
    },
    /// When it is waited for, by whoever waits: the same calls in the same order on every run.
    ByHand(Option<Departure>),
}

impl Departure {
    fn travel(mut self) -> Arrival {
        let ended = self.transaction.end(&self.positions, &self.generation);
        let stored = ended.map_err(RunError::from).and_then(|offsets| {
            let mut offsets = offsets.into_iter();
            let store = |mut batch: Storing| {
                batch.learn(&mut offsets);
                Ok(batch.store()?)
            };
            self.batches.into_iter().map(store).collect()
        });
        (self.transaction, stored)
    }
}

impl Committer {
    /// A committer with a thread of that name.
    pub(crate) fn aside(name: &str) -> Self {
        let (departures, waiting) = mpsc::channel::<Departure>();
        let (done, arrivals) = mpsc::channel();
        let arrived = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&arrived);
        spawn(name, move || {
            for departure in waiting {
                let arrival = departure.travel();
                flag.store(true, Ordering::Release);
                // Nobody waits any more where the stream thread is gone.
                let _ = done.send(arrival);
            }
        });
        Self::Aside {
            departures,
            arrivals,
            arrived,
        }
    }

    /// A committer without a thread.
    pub(crate) fn by_hand() -> Self {
        Self::ByHand(None)
    }

    /// Sends a transaction on its way. The one before must have been fetched.
    pub(crate) fn depart(&mut self, departure: Departure) -> Result<(), LogError> {
        match self {
            Self::Aside { departures, .. } => departures.send(departure).map_err(|_| gone()),
            Self::ByHand(waiting) => {
                *waiting = Some(departure);
                Ok(())
            }
        }
    }

    /// Whether an arrival can be fetched without waiting; by hand none ever can.
    pub(crate) fn has_arrived(&self) -> bool {
        match self {
            Self::Aside { arrived, .. } => arrived.load(Ordering::Acquire),
            Self::ByHand(_) => false,
        }
    }

    /// Waits for the transaction that is on its way.
    pub(crate) fn wait(&mut self, at_most: Duration) -> Result<Option<Arrival>, LogError> {
        match self {
            Self::Aside {
                arrivals, arrived, ..
            } => match arrivals.recv_timeout(at_most) {
                Ok(arrival) => {
                    arrived.store(false, Ordering::Release);
                    Ok(Some(arrival))
                }
                Err(RecvTimeoutError::Timeout) => Ok(None),
                Err(RecvTimeoutError::Disconnected) => Err(gone()),
            },
            Self::ByHand(waiting) => Ok(waiting.take().map(Departure::travel)),
        }
    }
}

fn gone() -> LogError {
    LogError::Refused("the thread that commits has panicked; see the log above".to_owned())
}
