//! What a campaign must have seen: where one of these never happened, the campaign is void.

use std::collections::BTreeMap;

/// Fewer runs than this may be unlucky.
pub(crate) const RUNS_TO_BE_SURE: u64 = 500;

/// Names of counters that have to be above zero.
const SOMETIMES: [&str; 17] = [
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
];

/// Those that never happened.
pub(crate) fn never(counters: &BTreeMap<String, u64>) -> Vec<&'static str> {
    let happened = |name: &str| counters.get(name).is_some_and(|count| *count > 0);
    SOMETIMES
        .into_iter()
        .filter(|name| !happened(name))
        .collect()
}
