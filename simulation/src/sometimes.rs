//! What a campaign must have seen: where one of these never happened, the campaign is void.

use std::collections::BTreeMap;

/// Fewer runs than this may be unlucky.
pub(crate) const RUNS_TO_BE_SURE: u64 = 500;

/// Names of counters that have to be above zero.
const SOMETIMES: [&str; 59] = [
    "answer ok",
    "answer command_expired",
    "answer concert_differs",
    "answer concert_not_found",
    "answer hold_expired",
    "answer hold_not_found",
    "answer idempotency_mismatch",
    "answer invalid_request",
    "answer limit_reached",
    "answer not_enough_seats",
    "answer not_owner",
    "answer oversize",
    "answer sale_closed",
    "answer sale_not_open",
    "answer seat_taken",
    "answer unknown_seat",
    "answer wrong_state",
    "CrashAfter at Commit",
    "CrashBefore at Store",
    "CrashAfter at Store",
    "CrashAfter at Send",
    "CrashAfter at AddOffsets",
    "CrashBefore at Read",
    "CrashAfter at Read",
    "AnswerLost at Commit",
    "RequestLost at Commit",
    "Held at Commit",
    "Doubled at Commit",
    "SlowMarkers at Commit",
    "AppendDoubt at Append",
    "Meanwhile at Commit",
    "Meanwhile at Store",
    "Meanwhile at Send",
    "Meanwhile at Read",
    "Unavailable at Commit",
    "Unavailable at Store",
    "Unavailable at Session",
    "Unavailable at Committed",
    "commit unknown, was in",
    "commit unknown, was not in",
    "late EndTxn bounced",
    "markers written late",
    "append in doubt",
    "open transaction ended by a new session",
    "transaction timed out",
    "zombie write fenced",
    "zombie commit fenced",
    "stale generation refused",
    "member expelled",
    "power cuts",
    "disks lost",
    "compactions",
    "committed offsets forgotten",
    "stopped by its disk",
    "instances closed",
    "processes that stood still inside of a call",
    "looked at stores after a crash",
    "looked at commits",
    "looked at runs at rest",
];

/// Those that never happened.
pub(crate) fn never(counters: &BTreeMap<String, u64>) -> Vec<&'static str> {
    let happened = |name: &str| counters.get(name).is_some_and(|count| *count > 0);
    SOMETIMES
        .into_iter()
        .filter(|name| !happened(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_happened_is_named() {
        let mut counters: BTreeMap<String, u64> = SOMETIMES
            .iter()
            .map(|name| ((*name).to_owned(), 1))
            .collect();
        assert!(never(&counters).is_empty());
        counters.insert("power cuts".to_owned(), 0);
        counters.remove("disks lost");
        assert_eq!(never(&counters), ["power cuts", "disks lost"]);
    }
}
