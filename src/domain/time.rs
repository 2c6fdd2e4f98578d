//! Instants in UTC with millisecond precision, and the one clock they are read from.

use std::{fmt, sync::Arc, time::Duration};

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Reads an RFC 3339 date-time with an offset or `Z`; finer fractions are cut to milliseconds.
    pub fn parse(text: &str) -> Option<Self> {
        // jiff accepts a space for the T; RFC 3339 leaves that to agreement, and here it is not agreed.
        if text.as_bytes().get(10).is_none_or(|c| !c.eq_ignore_ascii_case(&b'T')) {
            return None;
        }
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_millisecond()))
    }

    /// As it stands in names of files: RFC 3339 without its dashes and colons, such as `20261123T031411.123Z`.
    pub fn stamp(self) -> String {
        self.to_string().replace(['-', ':'], "")
    }

    /// Reads what [`Timestamp::stamp`] writes.
    pub fn from_stamp(text: &str) -> Option<Self> {
        let part = |range| text.get(range);
        let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
        let (t, hour, minute, rest) = (part(8..9)?, part(9..11)?, part(11..13)?, text.get(13..)?);
        Self::parse(&format!("{year}-{month}-{day}{t}{hour}:{minute}:{rest}")).filter(|time| time.stamp() == text)
    }

    /// Later by `wait`, saturating.
    #[must_use]
    pub fn plus(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Earlier by `wait`, saturating.
    #[must_use]
    pub fn minus(self, wait: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with exactly three fractional digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// Where the time comes from: the system, or a hand that a test holds.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        #[allow(clippy::disallowed_methods, reason = "the one place where the time of day is read")]
        Self(Arc::new(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
        }))
    }

    /// A clock that says whatever `tell` says.
    pub fn from_fn(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_with_exactly_three_fractional_digits() {
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(1_795_403_651_123).to_string(), "2026-11-23T03:14:11.123Z");
    }

    #[test]
    fn stamps_of_files_are_read_back() {
        let instant = Timestamp::from_millis(1_795_403_651_123);
        assert_eq!(instant.stamp(), "20261123T031411.123Z");
        assert_eq!(Timestamp::from_stamp("20261123T031411.123Z"), Some(instant));
        for text in ["", "20261123", "20261123T031411Z", "2026112ät031411.123Z", "2026-11-23T03:14:11.123Z"] {
            assert_eq!(Timestamp::from_stamp(text), None, "{text}");
        }
    }

    #[test]
    fn reads_rfc_3339_and_nothing_else() {
        let instant = Timestamp::from_millis(1_795_403_651_123);
        assert_eq!(Timestamp::parse("2026-11-23T03:14:11.123Z"), Some(instant));
        assert_eq!(Timestamp::parse("2026-11-23T04:14:11.123999+01:00"), Some(instant));
        for text in ["2026-11-23", "2026-11-23T03:14:11", "2026-11-23 03:14:11Z", "yesterday", ""] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
