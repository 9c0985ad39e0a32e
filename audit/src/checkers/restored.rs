//! D2: a store restored from the changelog is the live store, and its indexes are right.

use std::sync::Arc;

use stagedoor_state::{StoreSet, TaskState};

use crate::contents::Contents;
use crate::error::AuditError;
use crate::report::{Checker, Place, Report};

/// Restores a task into memory and compares digests.
pub(crate) fn is_live_store(
    contents: &Contents,
    live: &TaskState,
    stores: &Arc<StoreSet>,
    report: &mut Report,
) -> Result<(), AuditError> {
    let place = contents
        .end
        .clone()
        .unwrap_or_else(|| Place::new("changelog", 0, 0));
    let restored = contents.restored(stores)?;
    let now_ms = contents.time_ms();
    let (expected, found) = (restored.digest(now_ms)?, live.digest(now_ms)?);
    if expected != found {
        let text = format!("the changelog restores {expected}, and the store is {found}");
        report.find(Checker::D2, &place, text);
    }
    for (name, state) in [("restored", &restored), ("live", live)] {
        if let Err(error) = state.check_indexes() {
            report.find(
                Checker::D2,
                &place,
                format!("indexes of the {name} store: {error}"),
            );
        }
    }
    report.look(Checker::D2, "stores", 1);
    report.look(
        Checker::D2,
        "rows",
        usize::try_from(found.rows).unwrap_or(usize::MAX),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Run, found};

    fn check(run: &Run) -> Report {
        let live = run.live();
        found(|report| is_live_store(&run.contents, &live, &run.stores, report).unwrap())
    }

    #[test]
    fn a_store_that_is_its_changelog_passes() {
        let report = check(&Run::sale());
        assert!(report.is_clean(&[Checker::D2]), "{report}");
        assert!(report.looked_at(Checker::D2, "rows") > 3);
    }

    #[test]
    fn one_row_that_is_not_in_the_changelog_is_found() {
        let mut run = Run::sale();
        run.contents.rows.pop_last();
        assert_eq!(check(&run).found(Checker::D2), 1);
    }
}
