//! W3C Trace Context (<https://www.w3.org/TR/trace-context/>): one trace from the request to the last job it caused.
//!
//! The context of the running task is kept beside it ([`current`]); HTTP, gRPC, outbox rows and jobs carry it as the text of
//! a `traceparent` header.

use std::fmt;
use std::str::FromStr;

use rand::RngExt;

/// Where in a trace we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

tokio::task_local! {
    static CURRENT: TraceContext;
}

impl TraceContext {
    /// Name of the header and metadata key.
    pub const HEADER: &'static str = "traceparent";

    /// Begins a new trace.
    #[must_use]
    pub fn root() -> Self {
        let mut rng = rand::rng();
        Self {
            trace_id: rng.random::<u128>() | 1,
            span_id: rng.random::<u64>() | 1,
            flags: 1,
        }
    }

    /// A new span of the same trace.
    #[must_use]
    pub fn child(self) -> Self {
        Self {
            span_id: rand::rng().random::<u64>() | 1,
            ..self
        }
    }

    /// The context a header's text continues, or a new trace if there is none or it is malformed.
    #[must_use]
    pub fn continued(header: Option<&str>) -> Self {
        header
            .and_then(|text| text.parse::<Self>().ok())
            .map_or_else(Self::root, Self::child)
    }

    /// The trace's id, 32 hex digits, as logs show it.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id, self.span_id, self.flags
        )
    }
}

/// The text is no `traceparent` of version 00.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

impl FromStr for TraceContext {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let hex = |part: &str, len: usize| {
            let lower = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            (part.len() == len && lower)
                .then(|| u128::from_str_radix(part, 16).ok())
                .flatten()
                .ok_or(Malformed)
        };
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or(Malformed);
        let (version, trace, span, flags) = (next()?, next()?, next()?, next()?);
        let version = hex(version, 2)?;
        // A later version may add fields; version 00 may not.
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return Err(Malformed);
        }
        let (trace_id, span_id) = (hex(trace, 32)?, hex(span, 16)?);
        if trace_id == 0 || span_id == 0 {
            return Err(Malformed);
        }
        let span_id = u64::try_from(span_id).map_err(|_| Malformed)?;
        Ok(Self {
            trace_id,
            span_id,
            flags: u8::try_from(hex(flags, 2)?).map_err(|_| Malformed)?,
        })
    }
}

/// Context of the running task, if it was given one.
#[must_use]
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|c| *c).ok()
}

/// The `traceparent` to send along, empty if there is no context.
#[must_use]
pub fn current_header() -> String {
    current().map(|c| c.to_string()).unwrap_or_default()
}

/// Runs `work` in a context.
pub async fn scope<F: Future>(context: TraceContext, work: F) -> F::Output {
    CURRENT.scope(context, work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_recommendation_is_read_and_written() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context: TraceContext = text.parse().unwrap();
        assert_eq!(context.to_string(), text);
        assert_eq!(context.child().trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_ne!(context.child(), context);
    }

    #[test]
    fn malformed_headers_begin_a_new_trace() {
        for bad in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(bad.parse::<TraceContext>(), Err(Malformed), "{bad}");
        }
    }
}
