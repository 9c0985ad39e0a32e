//! Every code a problem can carry, with its status, its title and whether trying again may help.

use hyper::StatusCode;

/// Code of a problem: the one part of it that programs decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// At least one chosen seat is not free.
    SeatTaken,
    /// Fewer free seats together than asked for.
    NotEnoughSeats,
    /// The user would own more seats of the concert than it allows.
    LimitReached,
    /// Before the sale window.
    SaleNotOpen,
    /// After the sale window.
    SaleClosed,
    /// The hold ended at its deadline.
    HoldExpired,
    /// No such hold.
    HoldNotFound,
    /// It belongs to somebody else.
    NotOwner,
    /// Nothing is left.
    SoldOut,
    /// No such concert.
    ConcertNotFound,
    /// The layout has no such seat or section.
    UnknownSeat,
    /// The request does not follow the documented shape or bounds.
    InvalidRequest,
    /// The key was used before with another request.
    IdempotencyMismatch,
    /// The same command is being decided right now.
    InFlight,
    /// No token, or one that does not hold.
    Unauthenticated,
    /// The role is missing.
    Forbidden,
    /// A command came without its key.
    IdempotencyKeyMissing,
    /// The concert exists with another body.
    ConcertDiffers,
    /// The concert was called off.
    ConcertCancelled,
    /// The state does not allow it.
    WrongState,
    /// The command reached the log too late and was refused for that.
    CommandExpired,
    /// The command had no effect and never will.
    NoEffect,
    /// The owner of the partition cannot answer now.
    Unavailable,
    /// A fault of ours.
    Internal,
    /// More is waiting than can be answered in time.
    TooBusy,
    /// No such path.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The body is larger than any valid one.
    BodyTooLarge,
    /// The body is not JSON by its content type.
    UnsupportedMediaType,
    /// The body did not arrive in time.
    RequestTimeout,
}

/// What a code stands for.
pub(crate) struct Facts {
    /// Name on the wire.
    pub(crate) name: &'static str,
    /// Default status.
    pub(crate) status: StatusCode,
    /// Short text for people, the same for every occurrence.
    pub(crate) title: &'static str,
    /// Whether the same request, sent again later, may succeed.
    pub(crate) retryable: bool,
}

impl Code {
    /// Every code.
    pub(crate) const ALL: [Self; 30] = [
        Self::SeatTaken,
        Self::NotEnoughSeats,
        Self::LimitReached,
        Self::SaleNotOpen,
        Self::SaleClosed,
        Self::HoldExpired,
        Self::HoldNotFound,
        Self::NotOwner,
        Self::SoldOut,
        Self::ConcertNotFound,
        Self::UnknownSeat,
        Self::InvalidRequest,
        Self::IdempotencyMismatch,
        Self::InFlight,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::IdempotencyKeyMissing,
        Self::ConcertDiffers,
        Self::ConcertCancelled,
        Self::WrongState,
        Self::CommandExpired,
        Self::NoEffect,
        Self::Unavailable,
        Self::Internal,
        Self::TooBusy,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::RequestTimeout,
    ];

    /// The code of that name, as it stands in a result record.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.facts().name == name)
    }

    /// What the code stands for.
    #[rustfmt::skip]
    pub(crate) const fn facts(self) -> Facts {
        use StatusCode as S;
        let (name, status, title, retryable) = match self {
            Self::SeatTaken => ("seat_taken", S::CONFLICT, "A seat is taken", false),
            Self::NotEnoughSeats => ("not_enough_seats", S::CONFLICT, "Not enough seats", false),
            Self::LimitReached => ("limit_reached", S::CONFLICT, "Limit per user reached", false),
            Self::SaleNotOpen => ("sale_not_open", S::CONFLICT, "The sale is not open yet", false),
            Self::SaleClosed => ("sale_closed", S::CONFLICT, "The sale is closed", false),
            Self::HoldExpired => ("hold_expired", S::CONFLICT, "The hold has expired", false),
            Self::HoldNotFound => ("hold_not_found", S::NOT_FOUND, "No such reservation", false),
            Self::NotOwner => ("not_owner", S::FORBIDDEN, "It belongs to somebody else", false),
            Self::SoldOut => ("sold_out", S::CONFLICT, "Sold out", false),
            Self::ConcertNotFound => ("concert_not_found", S::NOT_FOUND, "No such concert", false),
            Self::UnknownSeat => ("unknown_seat", S::UNPROCESSABLE_ENTITY, "No such seat", false),
            Self::InvalidRequest => ("invalid_request", S::UNPROCESSABLE_ENTITY, "Invalid request", false),
            Self::IdempotencyMismatch => ("idempotency_mismatch", S::UNPROCESSABLE_ENTITY, "The key was used for another request", false),
            Self::InFlight => ("in_flight", S::CONFLICT, "The same request is being decided", true),
            Self::Unauthenticated => ("unauthenticated", S::UNAUTHORIZED, "No valid token", false),
            Self::Forbidden => ("forbidden", S::FORBIDDEN, "Not allowed", false),
            Self::IdempotencyKeyMissing => ("idempotency_key_missing", S::BAD_REQUEST, "Idempotency-Key is missing", false),
            Self::ConcertDiffers => ("concert_differs", S::CONFLICT, "The concert exists with another body", false),
            Self::ConcertCancelled => ("concert_cancelled", S::CONFLICT, "The concert is cancelled", false),
            Self::WrongState => ("wrong_state", S::CONFLICT, "The reservation's state does not allow it", false),
            Self::CommandExpired => ("command_expired", S::CONFLICT, "The command came too late", true),
            Self::NoEffect => ("no_effect", S::NOT_FOUND, "The command had no effect", true),
            Self::Unavailable => ("unavailable", S::SERVICE_UNAVAILABLE, "Temporarily unavailable", true),
            Self::Internal => ("internal", S::INTERNAL_SERVER_ERROR, "Internal error", true),
            Self::TooBusy => ("too_busy", S::SERVICE_UNAVAILABLE, "Too busy", true),
            Self::NotFound => ("not_found", S::NOT_FOUND, "No such resource", false),
            Self::MethodNotAllowed => ("method_not_allowed", S::METHOD_NOT_ALLOWED, "Method not allowed", false),
            Self::BodyTooLarge => ("body_too_large", S::PAYLOAD_TOO_LARGE, "Body too large", false),
            Self::UnsupportedMediaType => ("unsupported_media_type", S::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type", false),
            Self::RequestTimeout => ("request_timeout", S::REQUEST_TIMEOUT, "The request took too long to arrive", true),
        };
        Facts { name, status, title, retryable }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_name() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.facts().name), Some(code));
        }
        assert_eq!(Code::parse("no such code"), None);
    }
}
