//! librdkafka's errors, sorted by what the runtime does next.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::native::NativeError;
use crate::log::LogError;

/// Sorts an error of a client call.
pub(super) fn sort(error: &KafkaError) -> LogError {
    let text = error.to_string();
    let code = if let KafkaError::Transaction(inner) = error {
        Some(inner.code())
    } else {
        error.rdkafka_error_code()
    };
    match code {
        Some(code) if is_fencing(code) => LogError::Fenced(text),
        Some(Code::QueueFull) => LogError::Full,
        Some(Code::InvalidArgument) => LogError::Refused(text),
        Some(
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed,
        ) => LogError::Refused(text),
        _ if matches!(
            error,
            KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_)
        ) =>
        {
            LogError::Refused(text)
        }
        _ => LogError::Unavailable(text),
    }
}

/// Sorts an error of the commit itself: whatever is not a clear refusal is in doubt.
pub(super) fn sort_commit(error: &NativeError) -> LogError {
    let text = format!("{}: {}", error.name, error.text);
    let fenced = [
        "FENCED",
        "INVALID_PRODUCER_EPOCH",
        "ILLEGAL_GENERATION",
        "UNKNOWN_MEMBER_ID",
    ];
    if fenced.iter().any(|name| error.name.contains(name)) {
        return LogError::Fenced(text);
    }
    LogError::InDoubt(text)
}

/// Whether an error says that somebody else has taken over.
pub(super) fn is_fencing(code: Code) -> bool {
    matches!(
        code,
        Code::Fenced
            | Code::ProducerFenced
            | Code::InvalidProducerEpoch
            | Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::FencedInstanceId
    )
}
