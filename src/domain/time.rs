//! Instants in UTC with millisecond precision, and the one clock they are read from.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the epoch, saturating.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Reads an RFC 3339 date-time with an offset or `Z`. Digits after milliseconds are ignored.
    pub fn parse(text: &str) -> Option<Self> {
        if !has_form_of_rfc3339(text) {
            return None;
        }
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_millisecond()))
    }

    /// Reads a date of HTTP (RFC 9110, section 5.6.7), such as `Fri, 27 Nov 2026 15:49:50 GMT`.
    pub fn parse_http(text: &str) -> Option<Self> {
        let time =
            text.strip_suffix(" GMT").and_then(|text| jiff::fmt::strtime::parse("%a, %d %b %Y %H:%M:%S", text).ok())?;
        let time = time.to_datetime().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(time.timestamp().as_millisecond()))
    }

    /// The form for names of files: RFC 3339 without dashes and colons, such as `20261123T031411.123Z`.
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

/// Whether a text has the form `date-time` of RFC 3339, section 5.6. jiff reads other forms of ISO 8601 too, which mean
/// different times to other programs. A space in place of the T is allowed only by agreement, and this API does not.
fn has_form_of_rfc3339(text: &str) -> bool {
    let fits = |text: &str, form: &[u8]| {
        text.len() == form.len()
            && text.bytes().zip(form).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                form => byte.eq_ignore_ascii_case(form),
            })
    };
    let (Some(time), Some(mut rest)) = (text.get(..19), text.get(19..)) else { return false };
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == fraction.len() {
            return false;
        }
    }
    let offset = rest.strip_prefix(['+', '-']).is_some_and(|offset| fits(offset, b"00:00") && offset[..2] < *"24");
    fits(time, b"0000-00-00T00:00:00") && (offset || rest.eq_ignore_ascii_case("z"))
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with exactly three fractional digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) if (0..=LAST_OF_FOUR_DIGITS).contains(&self.0) => {
                f.write_str(str::from_utf8(&digits_of(instant)).map_err(|_| fmt::Error)?)
            }
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// The last millisecond of the year 9999.
const LAST_OF_FOUR_DIGITS: i64 = 253_402_300_799_999;

/// `2026-11-27T15:49:50.123Z`: what jiff writes for years of four digits, in a tenth of the time. Every document has
/// some of these, and the history is written by one thread.
fn digits_of(instant: jiff::Timestamp) -> [u8; 24] {
    let time = jiff::tz::Offset::UTC.to_datetime(instant);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |end: usize, number: i32, count: usize| {
        let mut rest = number.unsigned_abs();
        for place in text[..end].iter_mut().rev().take(count) {
            *place = b"0123456789"[(rest % 10) as usize];
            rest /= 10;
        }
    };
    put(4, time.year().into(), 4);
    put(7, time.month().into(), 2);
    put(10, time.day().into(), 2);
    put(13, time.hour().into(), 2);
    put(16, time.minute().into(), 2);
    put(19, time.second().into(), 2);
    put(23, time.millisecond().into(), 3);
    text
}

/// The clock: the one of the system, or one that a test or the demo sets.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

enum Source {
    System(Steady),
    Given(Box<dyn Fn() -> Timestamp + Send + Sync>),
}

impl Clock {
    /// The system's clock, corrected so that it never goes back and never stands still.
    pub fn system() -> Self {
        Self(Arc::new(Source::System(Steady { origin: Instant::now(), offset: AtomicI64::new(i64::MIN) })))
    }

    /// A clock that shows what `now` returns.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(Source::Given(Box::new(now))))
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System(steady) => steady.at(time_of_day(), steady.origin.elapsed()),
            Source::Given(now) => now(),
        }
    }

    /// Continues from `last`, a time that this program recorded earlier, if the system's clock shows an earlier time.
    pub fn continue_from(&self, last: Timestamp) {
        if let Source::System(steady) = &*self.0 {
            steady.at(last.0.saturating_mul(1000), steady.origin.elapsed());
        }
    }
}

/// A clock that runs at the pace of the monotonic clock, from the latest time of day that was seen. It follows when the
/// system's clock is set forward, and keeps its pace when that is set back. So rows stay in the order of their times,
/// expired tokens stay expired, and valid ones expire on time.
struct Steady {
    origin: Instant,
    /// The largest difference that was seen between the time of day and the monotonic clock, in microseconds.
    offset: AtomicI64,
}

impl Steady {
    /// The time to show when the system shows `time_of_day` (in microseconds) and `elapsed` has passed since the
    /// origin.
    fn at(&self, time_of_day: i64, elapsed: Duration) -> Timestamp {
        let elapsed = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        let seen = time_of_day.saturating_sub(elapsed);
        let offset = self.offset.fetch_max(seen, Ordering::Relaxed).max(seen);
        Timestamp(offset.saturating_add(elapsed).div_euclid(1000))
    }
}

/// The time of day of the system in microseconds since the epoch.
fn time_of_day() -> i64 {
    #[allow(clippy::disallowed_methods, reason = "the one place where the time of day is read")]
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_has_exactly_three_fractional_digits() {
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(1_795_403_651_123).to_string(), "2026-11-23T03:14:11.123Z");
    }

    #[test]
    fn a_timestamp_is_written_as_jiff_writes_it() {
        let mut random = fastrand::Rng::with_seed(1);
        let some = std::iter::repeat_with(|| random.i64(-LAST_OF_FOUR_DIGITS..LAST_OF_FOUR_DIGITS)).take(1000);
        for millis in [0, 1, -1, LAST_OF_FOUR_DIGITS, 951_782_400_000, 1_795_823_990_123].into_iter().chain(some) {
            let Ok(instant) = jiff::Timestamp::from_millisecond(millis) else { continue };
            assert_eq!(Timestamp::from_millis(millis).to_string(), format!("{instant:.3}"));
        }
    }

    #[test]
    fn a_stamp_is_read_back() {
        let instant = Timestamp::from_millis(1_795_403_651_123);
        assert_eq!(instant.stamp(), "20261123T031411.123Z");
        assert_eq!(Timestamp::from_stamp("20261123T031411.123Z"), Some(instant));
        for text in ["", "20261123", "20261123T031411Z", "2026112ät031411.123Z", "2026-11-23T03:14:11.123Z"] {
            assert_eq!(Timestamp::from_stamp(text), None, "{text}");
        }
    }

    #[test]
    fn only_rfc_3339_is_read() {
        let instant = Timestamp::from_millis(1_795_403_651_123);
        assert_eq!(Timestamp::parse("2026-11-23T03:14:11.123Z"), Some(instant));
        assert_eq!(Timestamp::parse("2026-11-23T04:14:11.123999+01:00"), Some(instant));
        assert_eq!(Timestamp::parse("2026-11-23t03:14:11.123z"), Some(instant));
        for text in ["2026-11-23", "2026-11-23T03:14:11", "2026-11-23 03:14:11Z", "yesterday", ""] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        // Other forms of ISO 8601.
        for text in ["T03Z", "T03:14Z", "T031411Z", "T03:14:11,5Z", "T03:14:11.Z", "T03:14:11Z[UTC]"] {
            assert_eq!(Timestamp::parse(&format!("2026-11-23{text}")), None, "{text}");
        }
        for offset in ["+01", "+0100", "+24:00", "+01:60", "+01:00[Europe/Berlin]", "é"] {
            assert_eq!(Timestamp::parse(&format!("2026-11-23T03:14:11{offset}")), None, "{offset}");
        }
    }

    #[test]
    fn the_clock_never_goes_back_and_never_stands_still() {
        const SECOND: i64 = 1_000_000;
        const DAY: i64 = 86_400 * SECOND;
        let steady = Steady { origin: Instant::now(), offset: AtomicI64::new(i64::MIN) };
        let now = 20_000 * DAY;
        let mut last = i64::MIN;
        for (second, system, expected) in [
            (0, now, now),
            (1, now + SECOND, now + SECOND),
            (2, now - DAY, now + 2 * SECOND),
            (3, now - DAY + SECOND, now + 3 * SECOND),
            (4, now + 30 * DAY, now + 30 * DAY),
            (5, now + 5 * SECOND, now + 30 * DAY + SECOND),
            (9, now + 9 * SECOND, now + 30 * DAY + 5 * SECOND),
        ] {
            let at = steady.at(system, Duration::from_secs(second));
            assert_eq!(at.millis(), expected / 1000, "after {second} s");
            assert!(at.millis() > last);
            last = at.millis();
        }
    }

    #[test]
    fn the_clock_continues_from_a_recorded_time() {
        let clock = Clock::system();
        let later = clock.now().plus(Duration::from_hours(24));
        clock.continue_from(later);
        assert!(clock.now() >= later && clock.now() < later.plus(Duration::from_hours(1)));
        clock.continue_from(Timestamp::from_millis(0));
        assert!(clock.now() >= later);
    }
}
