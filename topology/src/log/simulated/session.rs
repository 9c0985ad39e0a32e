//! The transactional session: what is sent is in the log at once, and real when the end is.
//!
//! As on Kafka two producers take turns, so that the markers of a transaction may be written
//! inside of the next one.

use super::SimulatedLog;
use super::fault::{Call, Fault};
use super::group::Membership;
use super::state::State;
use super::transactions::{LateEnd, Producer};
use crate::faults::switched_off;
use crate::log::{Generation, InputPosition, LogError, Outgoing, Session, TopicPartition};

/// Transactions in turn by two producers, each with its transactional id.
pub(super) struct SimulatedSession {
    log: SimulatedLog,
    turn: (String, Producer),
    other: (String, Producer),
    tracked: Vec<i64>,
    written: bool,
    reusable: bool,
}

impl SimulatedSession {
    pub(super) fn new(log: SimulatedLog, producers: [(String, Producer); 2]) -> Self {
        // The first transaction begins with a change of turns.
        let [other, turn] = producers;
        Self {
            log,
            turn,
            other,
            tracked: Vec::new(),
            written: false,
            reusable: true,
        }
    }

    fn produce(&mut self, record: &Outgoing<'_>) -> Result<i64, LogError> {
        let times = (self.log.now(), self.log.wall_ms());
        let (id, producer) = (&self.turn.0, self.turn.1);
        self.written = true;
        let sent = self.log.call(Call::Send, |state, _| {
            state.send(id, producer, record, times)
        });
        self.noted(sent)
    }

    /// A failed call other than a refused size ends the session.
    fn noted<T>(&mut self, outcome: Result<T, LogError>) -> Result<T, LogError> {
        if outcome
            .as_ref()
            .is_err_and(|error| !matches!(error, LogError::TooLarge { .. }))
        {
            self.reusable = false;
        }
        outcome
    }
}

impl Session for SimulatedSession {
    fn begin(&mut self) -> Result<(), LogError> {
        std::mem::swap(&mut self.turn, &mut self.other);
        self.tracked.clear();
        self.written = false;
        Ok(())
    }

    fn send(&mut self, record: Outgoing<'_>) -> Result<(), LogError> {
        self.produce(&record).map(|_| ())
    }

    fn send_tracked(&mut self, record: Outgoing<'_>) -> Result<(), LogError> {
        let offset = self.produce(&record)?;
        self.tracked.push(offset);
        Ok(())
    }

    fn add_offsets(
        &mut self,
        positions: &[(TopicPartition, InputPosition)],
        generation: &Generation,
    ) -> Result<(), LogError> {
        let Some(membership) = generation.0.downcast_ref::<Membership>().copied() else {
            let text = "the membership is of another log".to_owned();
            return Err(LogError::Refused(text));
        };
        let now = self.log.now();
        let (id, producer) = (&self.turn.0, self.turn.1);
        self.written = true;
        let added = self.log.call(Call::AddOffsets, |state, _| {
            if !state.group.is_current(membership) {
                state.count("stale generation refused");
                let text = "the membership is not of this generation".to_owned();
                return Err(LogError::Fenced(text));
            }
            state.add_offsets(id, producer, positions, now)
        });
        self.noted(added)
    }

    fn commit(&mut self) -> Result<Vec<i64>, LogError> {
        let (id, producer) = (&self.turn.0, self.turn.1);
        if !self.written {
            return Ok(Vec::new());
        }
        let doubled = &mut false;
        let ended = self.log.call(Call::Commit, |state, fault| {
            *doubled = matches!(fault, Some(Fault::Doubled));
            end(state, id, producer, fault)
        });
        // The log of the client tells of the cut connection.
        let suspicious = *doubled && !switched_off("late-endtxn-guard");
        self.noted(ended)?;
        self.reusable &= !suspicious;
        Ok(std::mem::take(&mut self.tracked))
    }

    fn reusable(&self) -> bool {
        self.reusable
    }
}

fn end(
    state: &mut State,
    transactional_id: &str,
    producer: Producer,
    fault: Option<&Fault>,
) -> Result<(), LogError> {
    let in_doubt = |text: &str| Err(LogError::InDoubt(text.to_owned()));
    let late = || LateEnd {
        transactional_id: transactional_id.to_owned(),
        producer,
    };
    match fault {
        Some(Fault::AnswerLost) => {
            state.commit(transactional_id, producer, false)?;
            state.count("commit unknown, was in");
            in_doubt("the answer was lost")
        }
        Some(Fault::RequestLost) => {
            state.count("commit unknown, was not in");
            in_doubt("no answer")
        }
        Some(Fault::Held) => {
            state.count("EndTxn held in the network");
            state.late.push(late());
            in_doubt("timed out")
        }
        Some(Fault::Doubled) => {
            state.commit(transactional_id, producer, false)?;
            state.count("EndTxn sent twice");
            state.late.push(late());
            Ok(())
        }
        other => {
            let slow = matches!(other, Some(Fault::SlowMarkers));
            state.commit(transactional_id, producer, slow)
        }
    }
}
