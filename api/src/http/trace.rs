//! The trace id of a request: taken from its `traceparent`, else made here; known to all it calls.

use hyper::HeaderMap;
use uuid::Uuid;

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// Length of `00-<trace id>-<span id>-<flags>`.
const LENGTH: usize = 55;

/// W3C trace context of the request being answered, as the text that is sent on: every request has
/// one, so it is kept in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceContext([u8; LENGTH]);

impl TraceContext {
    /// Reads `traceparent`; a malformed one is ignored, as the specification asks.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let parent = headers
            .get("traceparent")
            .and_then(|value| value.to_str().ok());
        parent.and_then(Self::parse).unwrap_or_else(Self::make)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace_id, span_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sound = hex(version, 2) && hex(trace_id, 32) && hex(span_id, 16) && hex(flags, 2);
        let zero = |text: &str| text.bytes().all(|byte| byte == b'0');
        let ends = version != "00" || parts.next().is_none();
        if !sound || !ends || version == "ff" || zero(trace_id) || zero(span_id) {
            return None;
        }
        Some(Self::new(trace_id, span_id, flags))
    }

    fn make() -> Self {
        let mut ids = [[0; 32]; 2];
        let [trace_id, span_id] = ids
            .each_mut()
            .map(|id| &*Uuid::new_v4().simple().encode_lower(id));
        Self::new(trace_id, &span_id[16..], "00")
    }

    /// Of parts that have their lengths.
    fn new(trace_id: &str, span_id: &str, flags: &str) -> Self {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        text[3..35].copy_from_slice(trace_id.as_bytes());
        text[36..52].copy_from_slice(span_id.as_bytes());
        text[53..].copy_from_slice(flags.as_bytes());
        Self(text)
    }

    /// The header to send on: trace id, the caller's span or a new one, flags as received.
    pub(crate) fn traceparent(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// 32 lower-case hexadecimal digits.
    pub(crate) fn trace_id(&self) -> &str {
        &self.traceparent()[3..35]
    }
}

fn hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Runs `request` with `context` as the current one.
pub(crate) async fn scope<F: Future>(context: TraceContext, request: F) -> F::Output {
    CURRENT.scope(context, request).await
}

/// Trace context of the current request; a new one outside of any.
pub(crate) fn current() -> TraceContext {
    CURRENT
        .try_with(Clone::clone)
        .unwrap_or_else(|_| TraceContext::make())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_traceparent_is_taken_over() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(TraceContext::parse(text).unwrap().traceparent(), text);
    }

    #[test]
    fn a_malformed_traceparent_is_replaced() {
        let malformed = [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ];
        for text in malformed {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
        let made = TraceContext::make();
        assert_eq!(TraceContext::parse(made.traceparent()), Some(made));
        assert_ne!(made.trace_id(), TraceContext::make().trace_id());
    }
}
