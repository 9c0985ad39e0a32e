//! D2: a store restored from the changelog is the live store, and its indexes are right.
//!
//! Where no store is at hand, the restored one is compared with the replay instead. Indexes are in
//! no topic, so then there are none to look at.

use stagedoor_state::{Digest, TaskState};

use crate::contents::Contents;
use crate::error::AuditError;
use crate::report::{Checker, Place, Report};

/// Compares a restored state with its live store, if that is at hand, and looks at the indexes of
/// both, which are built for that. Returns the digest of the restored state.
pub(crate) fn is_live_store(
    contents: &Contents,
    restored: &mut TaskState,
    live: Option<&TaskState>,
    report: &mut Report,
) -> Result<Digest, AuditError> {
    let place = place_of(contents);
    let digest = contents.digest_of(restored)?;
    if let Some(live) = live {
        let found = contents.digest_of(live)?;
        if digest != found {
            let text = format!("the changelog restores {digest}, and the store is {found}");
            report.find(Checker::D2, &place, text);
        }
        restored.rebuild_indexes()?;
        for (name, state) in [("restored", &*restored), ("live", live)] {
            if let Err(error) = state.check_indexes() {
                let text = format!("indexes of the {name} store: {error}");
                report.find(Checker::D2, &place, text);
            }
        }
    }
    report.look(Checker::D2, "stores", 1);
    report.look(
        Checker::D2,
        "rows",
        usize::try_from(digest.rows).unwrap_or(usize::MAX),
    );
    Ok(digest)
}

/// Where the changelog of a task ends.
pub(crate) fn place_of(contents: &Contents) -> Place {
    let place = contents.end.clone();
    place.unwrap_or_else(|| Place::new("changelog", 0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Run, found};

    fn check(run: &Run) -> Report {
        let live = run.live();
        let mut restored = run.restored();
        found(|report| {
            is_live_store(&run.contents, &mut restored, Some(&live), report).unwrap();
        })
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
        run.rows.pop_last();
        assert_eq!(check(&run).found(Checker::D2), 1);
    }
}
