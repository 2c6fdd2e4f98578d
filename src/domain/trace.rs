//! W3C Trace Context: the identifiers of traces and spans, and the format of `traceparent`. How spans are recorded and
//! exported is not decided here.

use super::id::{Identifier, RequestId};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

/// The `tracing` target of the spans that are exported. They have the level `trace`, so that they cost nothing while no
/// exporter is set up.
pub const TARGET: &str = "orderd::span";

/// The flag `sampled`, the only one that level 1 of the standard defines.
const SAMPLED: u8 = 1;

/// The identifier of a trace. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(u128);

impl TraceId {
    /// The identifier of a new trace: that of the request that starts it.
    pub fn of(request: RequestId) -> Self {
        Self::from_bytes(*request.bytes())
    }

    /// From 16 bytes, most significant first.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// As 16 bytes, most significant first.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The identifier of a span. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId(u64);

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The source of span identifiers.
pub struct SpanIds(Mutex<fastrand::Rng>);

impl SpanIds {
    /// A source whose identifiers depend only on `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// The next identifier.
    pub fn next(&self) -> SpanId {
        SpanId(self.0.lock().unwrap_or_else(PoisonError::into_inner).u64(1..))
    }
}

/// The position of a request in its caller's trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace that the request belongs to.
    pub trace: TraceId,
    /// The caller's span.
    pub span: SpanId,
    /// Whether the caller records the trace.
    pub sampled: bool,
}

impl TraceParent {
    /// Reads a `traceparent`. As the standard requires, later versions are read by the rules of version 00 and their
    /// additions are ignored. `None` if it is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let (known, rest) = text.split_at_checked(55)?;
        let mut parts = known.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let later = version != "00";
        if version == "ff" || parts.next().is_some() || !(rest.is_empty() || later && rest.starts_with('-')) {
            return None;
        }
        hex(version, 2)?;
        Some(Self {
            trace: TraceId(hex(trace, 32).filter(|id| *id != 0)?),
            span: SpanId(u64::try_from(hex(span, 16)?).ok().filter(|id| *id != 0)?),
            sampled: u8::try_from(hex(flags, 2)?).ok()? & SAMPLED != 0,
        })
    }
}

/// A number in exactly `digits` lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let plain = text.len() == digits && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    if plain { u128::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_parent_is_read() {
        let parent = TraceParent::parse(GOOD).unwrap();
        assert_eq!(parent.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(parent.span.to_string(), "00f067aa0ba902b7");
        assert!(parent.sampled);
        assert!(!TraceParent::parse(&GOOD.replace("-01", "-00")).unwrap().sampled);
        assert!(TraceParent::parse(&GOOD.replace("-01", "-ff")).unwrap().sampled, "other flags are ignored");
    }

    #[test]
    fn the_known_part_of_later_versions_is_read() {
        assert!(TraceParent::parse(&format!("cc{}", &GOOD[2..])).is_some());
        assert!(TraceParent::parse(&format!("cc{}-what-the-future-holds", &GOOD[2..])).is_some());
        assert!(TraceParent::parse(&format!("cc{}.what", &GOOD[2..])).is_none());
    }

    #[test]
    fn a_malformed_trace_parent_is_ignored() {
        let upper = GOOD.to_uppercase();
        let zero_trace = GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
        let zero_span = GOOD.replace("00f067aa0ba902b7", &"0".repeat(16));
        let unknown = format!("ff{}", &GOOD[2..]);
        let longer = format!("{GOOD}-");
        let shifted = GOOD.replace("-00f067aa0ba902b7-01", "00-f067aa0ba902b7-01");
        let wide = GOOD.replace('4', "\u{e9}");
        for text in ["", "00", &GOOD[..54], &upper, &zero_trace, &zero_span, &unknown, &longer, &shifted, &wide] {
            assert_eq!(TraceParent::parse(text), None, "{text}");
        }
    }

    #[test]
    fn span_identifiers_differ() {
        let ids = SpanIds::seeded(7);
        assert_ne!(ids.next(), ids.next());
    }
}
