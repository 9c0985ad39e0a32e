//! S3: no user has more live seats of a concert than it allows.

use std::collections::BTreeMap;

use crate::facts::What;
use crate::history::History;
use crate::report::{Checker, Report};

/// Counts every user's live seats and places of every concert, event by event.
pub(crate) fn within_limit(history: &History, report: &mut Report) {
    for lane in &history.lanes {
        let mut limits: BTreeMap<&str, i64> = BTreeMap::new();
        let mut live: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        let mut holds = 0;
        for fact in &lane.facts {
            match &fact.what {
                What::Listed(concert, listing) => {
                    limits.insert(concert, i64::from(listing.max_seats_per_user));
                }
                What::Held(taken, _) => {
                    holds += 1;
                    let of = live.entry((&taken.concert, &taken.user)).or_default();
                    *of += taken.quantity();
                    let limit = limits.get(taken.concert.as_str()).copied().unwrap_or(0);
                    if *of > limit {
                        let (concert, user) = (&taken.concert, &taken.user);
                        let text = format!("{user} has {of} seats of {concert}, limit {limit}");
                        report.find(Checker::S3, &fact.place, text);
                    }
                }
                What::Released(taken, _) | What::Expired(taken, _) => {
                    *live.entry((&taken.concert, &taken.user)).or_default() -= taken.quantity();
                }
            }
        }
        report.look(Checker::S3, "holds", holds);
        report.look(Checker::S3, "users", live.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Story, found};

    #[test]
    fn seats_that_were_given_back_do_not_count() {
        let story = Story::new()
            .hold(1_000, "r1", "ann", &["A-1-1", "A-1-2"])
            .release(1_100, "r1")
            .hold_places(1_200, "r2", "ann", 2)
            .hold(1_300, "r3", "bob", &["A-2-1"]);
        let report = found(|report| within_limit(&story.history(), report));
        assert!(report.is_clean(&[Checker::S3]), "{report}");
    }

    #[test]
    fn one_seat_over_the_limit_of_two_is_found() {
        let story = Story::new()
            .hold(1_000, "r1", "ann", &["A-1-1", "A-1-2"])
            .hold_places(1_200, "r2", "ann", 1);
        let report = found(|report| within_limit(&story.history(), report));
        assert!(
            report.violations[0]
                .text
                .contains("ann has 3 seats of c, limit 2"),
            "{report}"
        );
    }
}
