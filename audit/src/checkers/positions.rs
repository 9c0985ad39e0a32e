//! C5: stored, committed and changelogged positions of a task agree, and nothing follows them.

use stagedoor_state::TaskState;
use stagedoor_topology::Checkpoint;
use stagedoor_topology::log::InputPosition;

use crate::contents::Contents;
use crate::error::AuditError;
use crate::report::{Checker, Place, Report};

/// Looks at the end of a task's changelog.
pub(crate) fn changelog(contents: &Contents, report: &mut Report) {
    if let Some(place) = &contents.torn {
        report.find(
            Checker::C5,
            place,
            "a row follows the last position: part of a torn set",
        );
    }
    if contents.position.is_some() {
        report.look(Checker::C5, "positions", 1);
    }
}

/// Compares the last position of a task's changelog with its group's offset.
pub(crate) fn group(contents: &Contents, committed: Option<InputPosition>, report: &mut Report) {
    let Some((position, place)) = &contents.position else {
        return;
    };
    let logged = position.input();
    if committed != Some(logged) {
        let text = format!("the changelog is at {logged:?} and the group at {committed:?}");
        report.find(Checker::C5, place, text);
    }
}

/// Compares the last position of a task's changelog with its store.
pub(crate) fn store(
    contents: &Contents,
    live: &TaskState,
    report: &mut Report,
) -> Result<(), AuditError> {
    let stored = Checkpoint::of(live)?;
    let Some((position, place)) = &contents.position else {
        if let Some(stored) = stored.filter(|stored| stored.position.next_offset > 0) {
            let text = format!(
                "the store is at {:?} and no position is in the log",
                stored.position
            );
            report.find(Checker::C5, &Place::new("changelog", 0, 0), text);
        }
        return Ok(());
    };
    let logged = position.input();
    match stored {
        Some(stored) if stored.restoring || stored.position.input() != logged => {
            let at = stored.position.input();
            let text = format!("the changelog is at {logged:?} and the store at {at:?}");
            report.find(Checker::C5, place, text);
        }
        Some(stored) if stored.changelog_offset != place.offset + 1 => {
            let text = format!("the store has read to {}", stored.changelog_offset);
            report.find(Checker::C5, place, text);
        }
        Some(_) => report.look(Checker::C5, "stores", 1),
        None => report.find(Checker::C5, place, "the store has no checkpoint"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{contents_at, found, store_at};

    fn check(contents: &Contents, stored: i64, committed: Option<i64>) -> Report {
        let live = store_at(contents, stored);
        let at = |next_offset| InputPosition {
            next_offset,
            unit: 0,
        };
        found(|report| {
            changelog(contents, report);
            group(contents, committed.map(at), report);
            store(contents, &live, report).unwrap();
        })
    }

    #[test]
    fn three_equal_positions_pass() {
        let report = check(&contents_at(7), 7, Some(7));
        assert!(report.is_clean(&[Checker::C5]), "{report}");
    }

    #[test]
    fn a_store_or_a_group_at_another_position_is_found() {
        assert_eq!(check(&contents_at(7), 6, Some(7)).found(Checker::C5), 1);
        assert_eq!(check(&contents_at(7), 7, Some(8)).found(Checker::C5), 1);
        assert_eq!(check(&contents_at(7), 7, None).found(Checker::C5), 1);
    }

    #[test]
    fn a_row_behind_the_last_position_is_found() {
        let mut contents = contents_at(7);
        contents
            .take(&"changelog".into(), (0, 9), b"\x01row", Some(b"value"))
            .unwrap();
        assert_eq!(check(&contents, 7, Some(7)).found(Checker::C5), 1);
    }
}
