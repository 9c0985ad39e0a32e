//! Times: RFC 3339 in UTC outside, milliseconds since the Unix epoch inside.

use jiff::Timestamp;

/// A stored time as callers see it. Times far outside of the calendar are shown as its ends.
pub(crate) fn timestamp(millis: i64) -> Timestamp {
    let end = if millis < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_millisecond(millis).unwrap_or(end)
}

/// The time of this machine, for deadlines of requests; it decides nothing that is stored.
pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_times_are_shown_in_utc() {
        assert_eq!(timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(
            timestamp(1_767_225_600_123).to_string(),
            "2026-01-01T00:00:00.123Z"
        );
        assert_eq!(timestamp(i64::MAX), Timestamp::MAX);
    }
}
