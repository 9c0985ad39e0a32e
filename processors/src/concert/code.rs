//! Rejection codes: the closed list of reasons for which a concert refuses a command.

use super::records::{FieldError, Rejection};

/// Why a command was refused. Callers branch on it; the text is part of the product's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A wanted seat is taken.
    SeatTaken,
    /// Fewer seats or places are free than wanted, or not beside each other.
    NotEnoughSeats,
    /// The user would have more live seats than the concert allows.
    LimitReached,
    /// The sale window has not begun.
    SaleNotOpen,
    /// The sale window is over.
    SaleClosed,
    /// The hold has reached its deadline.
    HoldExpired,
    /// There is no such hold.
    HoldNotFound,
    /// The hold is another user's.
    NotOwner,
    /// The reservation is in a state in which this cannot be done.
    WrongState,
    /// There is no such concert.
    ConcertNotFound,
    /// A concert of this id exists with another body.
    ConcertDiffers,
    /// The concert has no such seat or section.
    UnknownSeat,
    /// The request is malformed; the errors say where.
    InvalidRequest,
    /// The command id was used for another body.
    IdempotencyMismatch,
    /// The command was appended after its sender stopped waiting for it.
    CommandExpired,
    /// The command could not be processed; nothing happened.
    Internal,
}

const ALL: [(Code, &str); 16] = [
    (Code::SeatTaken, "seat_taken"),
    (Code::NotEnoughSeats, "not_enough_seats"),
    (Code::LimitReached, "limit_reached"),
    (Code::SaleNotOpen, "sale_not_open"),
    (Code::SaleClosed, "sale_closed"),
    (Code::HoldExpired, "hold_expired"),
    (Code::HoldNotFound, "hold_not_found"),
    (Code::NotOwner, "not_owner"),
    (Code::WrongState, "wrong_state"),
    (Code::ConcertNotFound, "concert_not_found"),
    (Code::ConcertDiffers, "concert_differs"),
    (Code::UnknownSeat, "unknown_seat"),
    (Code::InvalidRequest, "invalid_request"),
    (Code::IdempotencyMismatch, "idempotency_mismatch"),
    (Code::CommandExpired, "command_expired"),
    (Code::Internal, "internal"),
];

impl Code {
    /// The code as records and HTTP bodies carry it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        ALL.iter()
            .find(|(code, _)| *code == self)
            .map_or("internal", |(_, text)| text)
    }

    /// Reads a code; `None` if a newer version wrote it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        ALL.iter()
            .find(|(_, known)| *known == text)
            .map(|(code, _)| *code)
    }

    /// A rejection with this code.
    #[must_use]
    pub fn rejection(self, detail: impl Into<String>) -> Rejection {
        let code = self.as_str().to_owned();
        Rejection {
            code,
            detail: detail.into(),
            ..Rejection::default()
        }
    }
}

/// A rejection of a malformed request.
#[must_use]
pub(super) fn invalid(errors: Vec<FieldError>) -> Rejection {
    let detail = match errors.as_slice() {
        [only] => format!("{} {}", only.field, only.detail),
        several => format!(
            "{} fields are wrong; correct them and send again",
            several.len()
        ),
    };
    Rejection {
        errors,
        ..Code::InvalidRequest.rejection(detail)
    }
}

/// One thing that is wrong with a request.
#[must_use]
pub(super) fn error(field: impl Into<String>, detail: impl Into<String>) -> FieldError {
    FieldError {
        field: field.into(),
        detail: detail.into(),
    }
}

/// What a caller sent, short enough to be sent back.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 32;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back() {
        for (code, text) in ALL {
            assert_eq!(
                (Code::parse(code.as_str()), code.as_str()),
                (Some(code), text)
            );
        }
        assert_eq!(Code::parse("sold_out_of_luck"), None);
    }
}
