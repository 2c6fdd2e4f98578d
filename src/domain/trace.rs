//! Where a request stands in the trace of a larger deed: W3C Trace Context, as the header `traceparent` carries it. How
//! traces are kept or sent is not decided here.

use super::id::{Identifier, RequestId};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

/// The target of the spans that traces are made of. They have the level `trace`, so that they cost nothing while nobody
/// records them.
pub const TARGET: &str = "orderd::span";

/// The one flag that level 1 of the standard defines: the caller records this trace.
const SAMPLED: u8 = 1;

/// The identifier of a whole trace; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(u128);

impl TraceId {
    /// A new trace, named after the identifier of the request that begins it.
    pub fn of(request: RequestId) -> Self {
        Self::from_bytes(*request.bytes())
    }

    /// The trace of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// Its bytes, as they travel.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The identifier of one step in a trace; never zero.
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
    /// A source whose identifiers depend on `seed` alone.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// The next one.
    pub fn next(&self) -> SpanId {
        SpanId(self.0.lock().unwrap_or_else(PoisonError::into_inner).u64(1..))
    }
}

/// What a caller says about the trace that its request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: TraceId,
    /// The caller's step in it.
    pub span: SpanId,
    /// Whether the caller records the trace.
    pub sampled: bool,
}

impl TraceParent {
    /// Reads a `traceparent`. Later versions are read as far as this one is known, which is what the standard asks for;
    /// anything malformed is as good as absent.
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
    fn a_trace_parent_is_read_and_written() {
        let parent = TraceParent::parse(GOOD).unwrap();
        assert_eq!(parent.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(parent.span.to_string(), "00f067aa0ba902b7");
        assert!(parent.sampled);
        assert!(!TraceParent::parse(&GOOD.replace("-01", "-00")).unwrap().sampled);
        assert!(TraceParent::parse(&GOOD.replace("-01", "-ff")).unwrap().sampled, "other flags are not ours");
    }

    #[test]
    fn later_versions_are_read_as_far_as_they_are_known() {
        assert!(TraceParent::parse(&format!("cc{}", &GOOD[2..])).is_some());
        assert!(TraceParent::parse(&format!("cc{}-what-the-future-holds", &GOOD[2..])).is_some());
        assert!(TraceParent::parse(&format!("cc{}.what", &GOOD[2..])).is_none());
    }

    #[test]
    fn what_is_malformed_is_absent() {
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
