//! The trace id of a request: taken from its `traceparent`, else made here; known to all it calls.

use hyper::HeaderMap;
use uuid::Uuid;

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// W3C trace context of the request being answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TraceContext {
    /// 32 lower-case hexadecimal digits.
    pub(crate) trace_id: String,
    /// The caller's span, 16 hexadecimal digits, or a new one.
    pub(crate) span_id: String,
    /// Flags as received; `01` is sampled.
    pub(crate) flags: String,
}

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
        Some(Self {
            trace_id: trace_id.into(),
            span_id: span_id.into(),
            flags: flags.into(),
        })
    }

    fn make() -> Self {
        let span_id = Uuid::new_v4().simple().to_string().split_off(16);
        Self {
            trace_id: Uuid::new_v4().simple().to_string(),
            span_id,
            flags: "00".into(),
        }
    }

    /// The header to send on.
    pub(crate) fn traceparent(&self) -> String {
        format!("00-{}-{}-{}", self.trace_id, self.span_id, self.flags)
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

/// Trace id of the current request; a new one outside of any.
pub(crate) fn current() -> String {
    current_context().trace_id
}

/// Trace context of the current request; a new one outside of any.
pub(crate) fn current_context() -> TraceContext {
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
        assert_eq!(TraceContext::make().trace_id.len(), 32);
        assert_eq!(TraceContext::make().span_id.len(), 16);
    }
}
