//! The guard against a record that kills the process: the third noted death in its unit skips it.
//!
//! After an unclean stop the first batches of a task note each unit in a file before it runs and
//! remove the note after it. A note that is still there at the next start counts as a death
//! inside of that unit. A clean run notes nothing, so the hot path pays nothing, and the first of
//! several deaths goes unnoted.

use std::path::{Path, PathBuf};

use crate::error::{Failure, TaskError};
use crate::log::InputPosition;

/// Noted deaths in one unit after which it is skipped.
const DEATHS: u32 = 3;

/// Units that are noted after an unclean stop, and the rest of the batch of the last one: the
/// process died before it had committed more than one batch further.
const NOTED_UNITS: u32 = 10_000;

/// Notes the units of a task while it is under suspicion.
pub(crate) struct CrashLoopGuard {
    file: Option<PathBuf>,
    left: u32,
    deadly: Option<(InputPosition, u32)>,
    skips: Vec<InputPosition>,
}

impl CrashLoopGuard {
    /// A guard that notes nothing.
    pub(crate) fn off() -> Self {
        Self {
            file: None,
            left: 0,
            deadly: None,
            skips: Vec::new(),
        }
    }

    /// A guard that repeats skips which a dead letter has recorded, for a replay.
    pub(crate) fn replaying(skips: Vec<InputPosition>) -> Self {
        Self {
            skips,
            ..Self::off()
        }
    }

    /// The guard of a task after the process stopped uncleanly.
    pub(crate) fn after_unclean_stop(directory: &Path, task: &str) -> Self {
        let file = directory.join(format!("unit-{task}"));
        let deadly = std::fs::read_to_string(&file)
            .ok()
            .and_then(|note| parse(&note));
        Self {
            file: Some(file),
            left: NOTED_UNITS,
            deadly,
            skips: Vec::new(),
        }
    }

    /// Notes a unit that begins. Returns the failure to record if it must be skipped.
    pub(crate) fn enter(&mut self, at: InputPosition) -> Result<Option<Failure>, TaskError> {
        if self.skips.contains(&at) {
            return Ok(Some(skipped()));
        }
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let deaths = match self.deadly {
            Some((unit, deaths)) if unit == at => deaths,
            _ => 0,
        };
        if deaths >= DEATHS {
            return Ok(Some(skipped()));
        }
        let note = format!("{} {} {}", at.next_offset, at.unit, deaths + 1);
        std::fs::write(file, note).map_err(|error| unwritable(file, &error))?;
        Ok(None)
    }

    /// Removes the note of a unit that ended.
    pub(crate) fn leave(&mut self) -> Result<(), TaskError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(unwritable(file, &error));
            }
            _ => {}
        }
        self.left = self.left.saturating_sub(1);
        Ok(())
    }

    /// Whether units are noted.
    pub(crate) fn is_watching(&self) -> bool {
        self.file.is_some()
    }

    /// The units so far are committed: none of them runs again. Not before that may the notes end,
    /// else a deadly unit further back in the same batch would kill without ever being noted.
    pub(crate) fn committed(&mut self) {
        if self.left == 0 {
            self.file = None;
        }
    }
}

fn skipped() -> Failure {
    Failure::new(
        "crash_loop",
        "the process died at least three times in this unit; it is skipped",
    )
}

fn unwritable(file: &Path, error: &std::io::Error) -> TaskError {
    let reason = format!(
        "cannot note the running unit in {}: {error}",
        file.display()
    );
    TaskError::Fatal { reason }
}

fn parse(note: &str) -> Option<(InputPosition, u32)> {
    let mut words = note.split_whitespace();
    let next_offset = words.next()?.parse().ok()?;
    let unit = words.next()?.parse().ok()?;
    let deaths = words.next()?.parse().ok()?;
    Some((InputPosition { next_offset, unit }, deaths))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_death_in_a_unit_skips_it_and_others_are_innocent() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let unit = InputPosition {
            next_offset: 7,
            unit: 1,
        };
        let other = InputPosition {
            next_offset: 6,
            unit: 0,
        };
        for _ in 0..3 {
            let mut guard = CrashLoopGuard::after_unclean_stop(directory.path(), "0_1");
            assert!(guard.enter(other).expect("enter").is_none());
            guard.leave().expect("leave");
            assert!(guard.enter(unit).expect("enter").is_none());
        }
        let mut guard = CrashLoopGuard::after_unclean_stop(directory.path(), "0_1");
        assert!(guard.enter(other).expect("enter").is_none());
        guard.leave().expect("leave");
        let failure = guard.enter(unit).expect("enter").expect("skipped");
        assert_eq!(failure.code, "crash_loop");
    }
}
