//! `X-Position` and `X-Min-Position`: how far a partition was when it was read.

use std::fmt;

use axum::extract::FromRequestParts;
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;

use crate::problem::Problem;

/// Header of an answer.
pub(crate) const X_POSITION: &str = "x-position";

/// Header of a read that must not be older.
pub(crate) const X_MIN_POSITION: &str = "x-min-position";

/// A partition and the next input offset that what was read reflects. On the wire `7:1234`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Partition of the command topic.
    pub(crate) partition: i32,
    /// Next input offset.
    pub(crate) offset: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.offset)
    }
}

impl Position {
    /// Reads `7:1234`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (partition, offset) = text.trim().split_once(':')?;
        let (partition, offset) = (partition.parse().ok()?, offset.parse().ok()?);
        (partition >= 0 && offset >= 0).then_some(Self { partition, offset })
    }

    /// Writes the header of an answer.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::try_from(self.to_string()) {
            headers.insert(X_POSITION, value);
        }
    }
}

/// The least position a caller accepts, if it named one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct MinPosition(pub(crate) Option<Position>);

impl MinPosition {
    /// The least offset for a read of `partition`. A position of another partition says nothing
    /// about this one, so that a client may keep sending the last one it saw.
    pub(crate) fn offset_in(self, partition: i32) -> i64 {
        self.0
            .filter(|position| position.partition == partition)
            .map_or(0, |at| at.offset)
    }
}

impl<S: Sync> FromRequestParts<S> for MinPosition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(X_MIN_POSITION) else {
            return Ok(Self(None));
        };
        let position = value.to_str().ok().and_then(Position::parse);
        position
            .map(|position| Self(Some(position)))
            .ok_or_else(|| {
                Problem::malformed("X-Min-Position is not the X-Position of an earlier answer")
                    .error(
                        "X-Min-Position",
                        "PARTITION:OFFSET, as an X-Position shows it",
                    )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_text() {
        let position = Position {
            partition: 7,
            offset: 1234,
        };
        assert_eq!(Position::parse(&position.to_string()), Some(position));
        for bad in ["", "7", "7:", ":7", "-1:7", "7:-1", "a:b", "7:1:2"] {
            assert_eq!(Position::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_position_of_another_partition_asks_for_nothing() {
        let least = MinPosition(Some(Position {
            partition: 7,
            offset: 1234,
        }));
        assert_eq!(least.offset_in(7), 1234);
        assert_eq!(least.offset_in(8), 0);
        assert_eq!(MinPosition(None).offset_in(7), 0);
    }
}
