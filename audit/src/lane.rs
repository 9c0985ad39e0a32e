//! One command partition, from its first record to its last committed position.

use std::sync::Arc;

use stagedoor_state::{ReadState, TaskState};

use crate::ahead::Replayed;
use crate::checkers::answers::Keys;
use crate::checkers::capacity::Capacity;
use crate::checkers::expiry::Clock;
use crate::checkers::limits::Limits;
use crate::checkers::owners::Owners;
use crate::checkers::replayed::Comparison;
use crate::checkers::sets::Sets;
use crate::checkers::stamps::Stamps;
use crate::error::AuditError;
use crate::replay::{Given, Replay};
use crate::report::{Place, Report};
use crate::spill::Merge;
use crate::turn::{Lane, Output, Turn};

/// Every checker that is fed turn by turn.
pub(crate) struct Checkers {
    owners: Owners,
    capacity: Capacity,
    limits: Limits,
    clock: Clock,
    keys: Keys,
    stamps: Stamps,
    sets: Sets,
    replayed: Comparison,
}

impl Checkers {
    pub(crate) fn new(most_late_ms: Option<i64>) -> Self {
        Self {
            owners: Owners::default(),
            capacity: Capacity::default(),
            limits: Limits::default(),
            clock: Clock::new(most_late_ms),
            keys: Keys::default(),
            stamps: Stamps::default(),
            sets: Sets::default(),
            replayed: Comparison::default(),
        }
    }

    /// A turn whose outputs are all to be found in the topics.
    fn written(&mut self, lane: &Lane, turn: &Turn<'_>, given: &[Given], report: &mut Report) {
        self.stamps.turn(lane, turn, report);
        self.sets.outputs(turn.outputs, report);
        self.replayed.turn(lane, turn, given, report);
        self.judged(lane, turn, report);
    }

    /// What judges answers and facts, wherever they come from.
    fn judged(&mut self, lane: &Lane, turn: &Turn<'_>, report: &mut Report) {
        self.owners.turn(turn, report);
        self.capacity.turn(turn, report);
        self.limits.turn(turn, report);
        self.clock.turn(lane, turn, report);
        self.keys.turn(lane, turn, report);
    }

    /// Outputs of an offset at which there is no input.
    fn stray(&mut self, outputs: &[Output], report: &mut Report) {
        Stamps::stray(outputs, report);
        self.sets.outputs(outputs, report);
        Comparison::stray(outputs, report);
    }

    fn finish(
        &self,
        end: &Place,
        replay: &Replay<'_>,
        seats: &dyn ReadState,
        report: &mut Report,
    ) -> Result<(), AuditError> {
        self.owners.finish(report);
        self.limits.finish(report);
        self.clock.finish(report);
        self.keys.finish(report);
        self.stamps.finish(report);
        self.sets.finish(report);
        self.replayed.finish(replay, report);
        self.capacity.finish(end, seats, report)
    }

    /// Entries that all of them keep.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.owners.kept()
            + self.capacity.kept()
            + self.limits.kept()
            + self.clock.kept()
            + self.keys.kept()
    }
}

/// One pass over a command partition.
pub(crate) struct Pass {
    pub(crate) lane: Lane,
    pub(crate) checkers: Checkers,
    pub(crate) merge: Merge,
    /// What came of inputs up to this log time may be gone from its topics. The replay stands in
    /// for it, so that what is judged later has its past.
    pub(crate) complete_after_ms: i64,
    pub(crate) outputs: Vec<Output>,
}

impl Pass {
    /// Gives the next input its turn, as it was replayed.
    pub(crate) fn take(
        &mut self,
        replayed: &Replayed,
        report: &mut Report,
    ) -> Result<(), AuditError> {
        let Replayed { input, over, given } = replayed;
        self.collect(input.offset, 0)?;
        self.checkers.stray(&self.outputs, report);
        let units = if *over {
            u32::MAX
        } else {
            self.lane.until.unit
        };
        self.collect(input.offset, units)?;
        let is_kept = input.time_ms > self.complete_after_ms;
        if !is_kept {
            let place = self.lane.at(input.offset);
            let given = given.iter();
            self.outputs = given.map(|given| given.stand_in(&place)).collect();
        }
        let turn = Turn {
            input: *input,
            outputs: &self.outputs,
            over: *over,
        };
        match is_kept {
            true => self.checkers.written(&self.lane, &turn, given, report),
            false => self.checkers.judged(&self.lane, &turn, report),
        }
        Ok(())
    }

    /// Collects the outputs before a unit of an offset.
    fn collect(&mut self, offset: i64, unit: u32) -> Result<(), AuditError> {
        self.outputs.clear();
        let before = |merge: &Merge| {
            let next = merge.next_stamp();
            next.is_some_and(|stamp| (stamp.offset, stamp.unit) < (offset, unit))
        };
        while before(&self.merge) {
            self.outputs.extend(self.merge.next()?);
        }
        Ok(())
    }

    /// Ends the pass. `seats` is what readers see; the replayed state where nothing else is given.
    /// Where nothing is in flight, nothing may be left that no input explains.
    pub(crate) fn finish(
        &mut self,
        replay: &Replay<'_>,
        seats: Option<&TaskState>,
        at_rest: bool,
        report: &mut Report,
    ) -> Result<(), AuditError> {
        if at_rest {
            self.collect(i64::MAX, u32::MAX)?;
            self.checkers.stray(&self.outputs, report);
        }
        let seats = seats.unwrap_or(&replay.state);
        self.checkers
            .finish(&self.lane.end(), replay, seats, report)
    }
}

impl Given {
    /// An output as if it had been read, at the place of its input.
    fn stand_in(&self, place: &Place) -> Output {
        let place = Place {
            topic: Arc::clone(&place.topic),
            ..*place
        };
        let (key, value) = (self.key.clone(), self.value.clone());
        Output::read(self.stamp, place, self.channel, key, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Story;

    /// A seat that is held for a second, again and again, four times a minute.
    fn history(days: i64) -> Story {
        let mut story = Story::new();
        for number in 0..days * 24 * 60 * 4 {
            let (at_ms, name) = (number * 15_000, format!("r{number}"));
            story = story.hold(at_ms, &name, "ann", &["A-1-1"]);
            story = match number % 2 {
                0 => story.release(at_ms + 1_000, &name),
                _ => story.expire(at_ms + 10_000, &name),
            };
        }
        story
    }

    fn kept_after(days: i64) -> usize {
        let mut checkers = Checkers::new(None);
        let report = history(days).walk(|lane, turn, report| checkers.judged(lane, turn, report));
        assert!(report.violations.is_empty(), "{report}");
        checkers.kept()
    }

    #[test]
    fn what_checkers_keep_does_not_grow_with_the_history() {
        let (two, five) = (kept_after(2), kept_after(5));
        assert_eq!(two, five);
        assert!(two > 5_000, "a day of it is kept: {two}");
    }
}
