//! Results: requests parked under the id of their command until its answer comes by.
//!
//! An answer comes from the commit listener where this instance owns the concert, and from its
//! partition of the `results` topic otherwise. Both may bring the same one; the second finds
//! nobody waiting.
//!
//! A request waits for the answer to **its** record, told by the offset: after a refusal the same
//! key may be sent again, and the late answer to the first record must not be given to the second.

mod listener;
mod tail;

pub(crate) use listener::Wakeups;
pub(crate) use tail::ResultsTail;

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use stagedoor_processors::concert::records::CommandResult;
use stagedoor_processors::id::Hash;
use stagedoor_topology::log::LogError;
use tokio::sync::oneshot;

/// A command inside its concert.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CommandKey {
    /// The concert that decides it.
    pub(crate) concert: Arc<str>,
    /// Its scoped id.
    pub(crate) hash: Hash,
}

/// An answer with where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// What was decided.
    pub(crate) result: CommandResult,
    /// Partition of the command topic.
    pub(crate) partition: i32,
    /// Offset of the command record; none if the answer does not tell.
    pub(crate) offset: Option<i64>,
}

/// Why a request cannot be parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParkError {
    /// The same command is waiting already.
    InFlight,
    /// As many are waiting as may.
    Full,
}

/// What a request waits for. It is woken once: a second switch of tasks for every request costs
/// more than the rest of the waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The record is in the log.
    Appended,
    /// The command is decided.
    Answered,
}

/// What ends the waiting.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The record is in the log.
    Appended,
    /// The command is decided.
    Answered(Box<Answer>),
    /// The log did not take the record, as far as it knows.
    Failed(LogError),
}

/// A request that waits.
#[derive(Debug)]
pub(crate) struct Ticket {
    hub: Arc<Hub>,
    key: CommandKey,
    /// What ends the waiting.
    pub(crate) heard: oneshot::Receiver<Heard>,
}

impl Ticket {
    /// Whether the record is in the log by now.
    pub(crate) fn is_appended(&self) -> bool {
        let shard = self.hub.shard(&self.key);
        let parked = shard.get(&self.key);
        parked.is_some_and(|parked| parked.offset.is_some())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.hub.leave(&self.key);
    }
}

struct Parked {
    partition: i32,
    since: Instant,
    until: Until,
    waiter: Option<oneshot::Sender<Heard>>,
    /// Offset of the record, once the log has acknowledged it.
    offset: Option<i64>,
    /// Answers that came before the acknowledgement did.
    early: Vec<Answer>,
}

/// Locks are held for a lookup each; this many keep the threads out of each other's way.
const SHARDS: usize = 64;

/// Every parked request of this instance.
pub(crate) struct Hub {
    shards: Vec<Mutex<HashMap<CommandKey, Parked>>>,
    hasher: RandomState,
    parked: AtomicUsize,
    most: usize,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hub({} parked)", self.parked())
    }
}

impl Hub {
    /// A hub for at most `most` requests.
    pub(crate) fn new(most: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self {
            shards,
            hasher: RandomState::new(),
            parked: AtomicUsize::new(0),
            most,
        }
    }

    /// How many are waiting.
    pub(crate) fn parked(&self) -> usize {
        self.parked.load(Ordering::Relaxed)
    }

    /// Parks a request until its ticket is dropped.
    pub(crate) fn park(
        self: &Arc<Self>,
        key: CommandKey,
        partition: i32,
        until: Until,
    ) -> Result<Ticket, ParkError> {
        let (waiter, heard) = oneshot::channel();
        let mut shard = self.shard(&key);
        let Slot::Vacant(slot) = shard.entry(key.clone()) else {
            return Err(ParkError::InFlight);
        };
        if self.parked.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.parked.fetch_sub(1, Ordering::Relaxed);
            return Err(ParkError::Full);
        }
        slot.insert(Parked {
            partition,
            since: Instant::now(),
            until,
            waiter: Some(waiter),
            offset: None,
            early: Vec::new(),
        });
        drop(shard);
        Ok(Ticket {
            hub: Arc::clone(self),
            key,
            heard,
        })
    }

    /// The log has taken the record, or has not.
    pub(crate) fn appended(&self, key: &CommandKey, outcome: Result<i64, LogError>) {
        let mut shard = self.shard(key);
        let Some(parked) = shard.get_mut(key) else {
            return;
        };
        match outcome {
            Ok(offset) => parked.offset = Some(offset),
            Err(error) => return parked.wake(Heard::Failed(error)),
        }
        if parked.until == Until::Appended {
            return parked.wake(Heard::Appended);
        }
        let (offset, early) = (parked.offset, std::mem::take(&mut parked.early));
        if let Some(answer) = early.into_iter().find(|answer| answer.offset == offset) {
            parked.wake(Heard::Answered(Box::new(answer)));
        }
    }

    /// An answer has come by.
    pub(crate) fn answered(&self, answer: Answer) {
        let key = CommandKey {
            concert: answer.result.concert.as_str().into(),
            hash: answer.result.id,
        };
        let mut shard = self.shard(&key);
        let Some(parked) = shard.get_mut(&key) else {
            return;
        };
        match (answer.offset, parked.offset) {
            (Some(of), Some(own)) if of != own => {}
            (Some(_), None) => parked.early.push(answer),
            _ => parked.wake(Heard::Answered(Box::new(answer))),
        }
    }

    /// Whether a command is waiting here.
    pub(crate) fn holds(&self, key: &CommandKey) -> bool {
        self.shard(key).contains_key(key)
    }

    /// Per partition: how many are waiting, and since when the first of them.
    pub(crate) fn waiting(&self) -> BTreeMap<i32, (usize, Instant)> {
        let mut waiting = BTreeMap::new();
        for shard in &self.shards {
            for parked in shard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .values()
            {
                let (count, oldest) = waiting.entry(parked.partition).or_insert((0, parked.since));
                *count += 1;
                *oldest = parked.since.min(*oldest);
            }
        }
        waiting
    }

    fn leave(&self, key: &CommandKey) {
        if self.shard(key).remove(key).is_some() {
            self.parked.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A panic under this lock leaves single entries as they were, never a torn map.
    fn shard(&self, key: &CommandKey) -> MutexGuard<'_, HashMap<CommandKey, Parked>> {
        let hash = self.hasher.hash_one(key);
        let index = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parked {
    fn wake(&mut self, heard: Heard) {
        if let Some(waiter) = self.waiter.take() {
            // Nobody listens any more where the caller has gone away.
            let _ = waiter.send(heard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> CommandKey {
        CommandKey {
            concert: "c1".into(),
            hash: [7; 16],
        }
    }

    fn answer(offset: Option<i64>, detail: &str) -> Answer {
        let result = CommandResult {
            id: [7; 16],
            concert: "c1".into(),
            command_id: detail.into(),
            ..CommandResult::default()
        };
        Answer {
            result,
            partition: 3,
            offset,
        }
    }

    fn given(ticket: &mut Ticket) -> Option<String> {
        match ticket.heard.try_recv() {
            Ok(Heard::Answered(answer)) => Some(answer.result.command_id),
            Ok(Heard::Appended | Heard::Failed(_)) | Err(_) => None,
        }
    }

    #[test]
    fn an_answer_wakes_whoever_waits_for_that_record() {
        let hub = Arc::new(Hub::new(10));
        let mut ticket = hub.park(key(), 3, Until::Answered).unwrap();
        hub.appended(&key(), Ok(5));
        assert!(ticket.is_appended());
        hub.answered(answer(Some(4), "of an earlier record"));
        assert_eq!(given(&mut ticket), None);
        hub.answered(answer(Some(5), "own"));
        assert_eq!(given(&mut ticket).as_deref(), Some("own"));
    }

    #[test]
    fn an_answer_may_come_before_the_acknowledgement() {
        let hub = Arc::new(Hub::new(10));
        let mut ticket = hub.park(key(), 3, Until::Answered).unwrap();
        hub.answered(answer(Some(4), "of an earlier record"));
        hub.answered(answer(Some(5), "own"));
        assert_eq!(given(&mut ticket), None);
        hub.appended(&key(), Ok(5));
        assert_eq!(given(&mut ticket).as_deref(), Some("own"));
    }

    #[test]
    fn an_answer_that_does_not_tell_its_record_is_taken() {
        let hub = Arc::new(Hub::new(10));
        let mut ticket = hub.park(key(), 3, Until::Answered).unwrap();
        hub.answered(answer(None, "own"));
        assert_eq!(given(&mut ticket).as_deref(), Some("own"));
    }

    #[test]
    fn one_command_waits_once_and_its_place_is_free_again_afterwards() {
        let hub = Arc::new(Hub::new(10));
        let ticket = hub.park(key(), 3, Until::Answered).unwrap();
        assert_eq!(
            hub.park(key(), 3, Until::Answered).unwrap_err(),
            ParkError::InFlight
        );
        assert_eq!(hub.waiting()[&3].0, 1);
        drop(ticket);
        assert_eq!((hub.parked(), hub.holds(&key())), (0, false));
        hub.park(key(), 3, Until::Answered).unwrap();
    }

    #[test]
    fn no_more_wait_than_may() {
        let hub = Arc::new(Hub::new(1));
        let _first = hub.park(key(), 3, Until::Answered).unwrap();
        let other = CommandKey {
            concert: "c2".into(),
            ..key()
        };
        assert_eq!(
            hub.park(other.clone(), 3, Until::Answered).unwrap_err(),
            ParkError::Full
        );
        assert_eq!((hub.parked(), hub.holds(&other)), (1, false));
    }

    #[test]
    fn a_failed_append_is_told() {
        let hub = Arc::new(Hub::new(1));
        let mut ticket = hub.park(key(), 3, Until::Answered).unwrap();
        hub.appended(&key(), Err(LogError::Full));
        let heard = ticket.heard.try_recv();
        assert!(matches!(heard, Ok(Heard::Failed(LogError::Full))));
        assert!(!ticket.is_appended());
    }

    #[test]
    fn whoever_waits_for_the_log_only_is_told_as_soon_as_the_record_is_in_it() {
        let hub = Arc::new(Hub::new(1));
        let mut ticket = hub.park(key(), 3, Until::Appended).unwrap();
        hub.answered(answer(Some(5), "early"));
        assert!(ticket.heard.try_recv().is_err(), "it is not acknowledged");
        hub.appended(&key(), Ok(5));
        assert!(matches!(ticket.heard.try_recv(), Ok(Heard::Appended)));
    }
}
