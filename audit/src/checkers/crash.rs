//! D3: after a crash, the store is the replay of its commands up to its own checkpoint.

use stagedoor_state::TaskState;
use stagedoor_topology::Checkpoint;

use crate::error::AuditError;
use crate::replay::Replay;
use crate::report::{Checker, Place, Report};

/// Counts a store that proves nothing, because it was not served or is being restored.
pub(crate) fn look_at_unproven(report: &mut Report) {
    // Not a count of its own: a report in which it is zero must not be void.
    report.look(Checker::D3, "stores", 0);
}

/// Compares a store with the replay up to its checkpoint.
pub(crate) fn is_replay(
    input: Place,
    live: &TaskState,
    checkpoint: &Checkpoint,
    replay: &Replay<'_>,
    report: &mut Report,
) -> Result<(), AuditError> {
    let place = Place {
        offset: checkpoint.position.next_offset,
        ..input
    };
    let now_ms = checkpoint.position.stream_time_ms;
    let (expected, found) = (replay.state.digest(now_ms)?, live.digest(now_ms)?);
    if expected != found {
        let text = format!("the commands before it give {expected}, and the store is {found}");
        report.find(Checker::D3, &place, text);
    }
    if let Err(error) = live.check_indexes() {
        report.find(
            Checker::D3,
            &place,
            format!("indexes of the store: {error}"),
        );
    }
    report.look(Checker::D3, "stores", 1);
    report.look(Checker::D3, "records", replay.records);
    Ok(())
}

#[cfg(test)]
mod tests {
    use stagedoor_topology::Position;

    use super::*;
    use crate::samples::{Run, found};

    fn check(run: &Run, position: i64) -> Report {
        let live = run.live();
        let stream_time_ms = run.contents.time_ms();
        let position = Position {
            next_offset: position,
            stream_time_ms,
            ..Position::default()
        };
        let checkpoint = Checkpoint {
            position,
            ..Checkpoint::default()
        };
        found(|report| {
            run.with_replay_until(checkpoint.position.input(), |replay| {
                let place = Place::new("concert.commands", 0, 0);
                is_replay(place, &live, &checkpoint, replay, report).unwrap();
            });
        })
    }

    #[test]
    fn a_store_at_its_checkpoint_passes() {
        let run = Run::sale();
        let report = check(&run, run.end());
        assert!(report.is_clean(&[Checker::D3]), "{report}");
    }

    #[test]
    fn a_store_ahead_of_its_checkpoint_is_found() {
        let run = Run::sale();
        assert_eq!(check(&run, run.end() - 1).found(Checker::D3), 1);
    }
}
