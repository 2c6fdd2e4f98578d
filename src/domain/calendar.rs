//! Days in a time zone, and the buckets of time that figures are kept in: how a range of local days is covered by
//! as few buckets as possible. Offsets of zones are multiples of 15 minutes, and so is every edge here.

use super::time::Timestamp;
/// A day of the calendar, in no time zone.
pub use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The widths of the buckets, in seconds, from wide to narrow.
pub const SPANS: [i64; 3] = [86_400, 3_600, 900];

/// The most days that one question may cover: ten years.
pub const MAX_DAYS: i32 = 3_660;

/// The bucket of width `span` that `at` falls into: whole spans since the epoch.
pub const fn bucket(span: i64, at: Timestamp) -> i64 {
    at.seconds().div_euclid(span)
}

/// Buckets `first..=last` of one width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Width in seconds.
    pub span: i64,
    /// First bucket.
    pub first: i64,
    /// Last bucket.
    pub last: i64,
}

/// The fewest buckets that cover `from..to` (seconds since the epoch, multiples of 900) exactly.
pub fn cover(from: i64, to: i64) -> Vec<Run> {
    let mut runs = vec![];
    cover_with(&SPANS, from, to, &mut runs);
    runs
}

fn cover_with(spans: &[i64], from: i64, to: i64, runs: &mut Vec<Run>) {
    let Some((&span, narrower)) = spans.split_first() else { return };
    // Whole buckets of this width lie within first..end; what is left at both sides is for narrower ones.
    let (first, end) = (from.div_euclid(span) + i64::from(from.rem_euclid(span) != 0), to.div_euclid(span));
    if first < end {
        cover_with(narrower, from, first * span, runs);
        runs.push(Run { span, first, last: end - 1 });
        cover_with(narrower, end * span, to, runs);
    } else if from < to {
        cover_with(narrower, from, to, runs);
    }
}

/// A time zone of the IANA database, which is part of this program.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of this name.
    pub fn parse(name: &str) -> Option<Self> {
        // An own spelling of a known name only: jiff would accept any case.
        let zone = TimeZone::get(name).ok()?;
        (zone.iana_name() == Some(name)).then_some(Self(zone))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// When `date` begins here, in seconds since the epoch, to the quarter of an hour. Where midnight is skipped,
    /// the day begins at the first instant after the gap; where it comes twice, at the earlier one.
    pub fn start_of(&self, date: Date) -> Option<i64> {
        let instant = date.to_zoned(self.0.clone()).ok()?.timestamp().as_second();
        // Only offsets of local mean time, before the quarter-hour zones of today, are finer than 15 minutes.
        Some(instant.div_euclid(900) * 900)
    }
}

/// A range of local days, both ends included.
#[derive(Clone, Debug)]
pub struct Days {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Where the days are.
    pub zone: Zone,
}

impl Days {
    /// The instants at which the first day begins and the last one ends, in seconds since the epoch.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        Some((self.zone.start_of(self.from)?, self.zone.start_of(self.to.tomorrow().ok()?)?))
    }

    /// Each day with the instants at which it begins and ends, in seconds since the epoch.
    pub fn each(&self) -> Option<Vec<(Date, i64, i64)>> {
        let mut days = vec![];
        let (mut date, mut start) = (self.from, self.zone.start_of(self.from)?);
        while date <= self.to {
            let next = date.tomorrow().ok()?;
            let end = self.zone.start_of(next)?;
            days.push((date, start, end));
            (date, start) = (next, end);
        }
        Some(days)
    }
}

/// Reads a date of the form `2026-11-23`.
pub fn parse_date(text: &str) -> Option<Date> {
    let shape = text.len() == 10 && text.bytes().all(|c| c.is_ascii_digit() || c == b'-');
    shape.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(zone: &str, date: &str) -> i64 {
        let date = parse_date(date).unwrap();
        let days = Days { from: date, to: date, zone: Zone::parse(zone).unwrap() };
        let (start, end) = days.bounds().unwrap();
        (end - start) / 1800
    }

    #[test]
    fn days_have_the_length_that_their_zone_gives_them() {
        assert_eq!(hours("UTC", "2026-03-29"), 48);
        assert_eq!(hours("Europe/Berlin", "2026-03-29"), 46);
        assert_eq!(hours("Europe/Berlin", "2026-10-25"), 50);
        assert_eq!(hours("America/New_York", "2026-11-01"), 50);
        assert_eq!(hours("Australia/Lord_Howe", "2026-04-05"), 49);
        assert_eq!(hours("Asia/Kathmandu", "2026-04-05"), 48);
    }

    #[test]
    fn unknown_zones_and_dates_are_refused() {
        for name in ["", "Mars/Olympus", "europe/berlin", "UTC+1", "../etc/passwd"] {
            assert!(Zone::parse(name).is_none(), "{name}");
        }
        for text in ["2026-02-30", "2026-1-1", "20260101", "2026-01-01T00", ""] {
            assert!(parse_date(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_range_is_covered_once_and_by_few() {
        let day = 86_400;
        assert_eq!(cover(0, 90 * day), [Run { span: day, first: 0, last: 89 }]);
        assert_eq!(
            cover(day - 6300, 2 * day + 900),
            [
                Run { span: 900, first: 89, last: 91 },
                Run { span: 3600, first: 23, last: 23 },
                Run { span: day, first: 1, last: 1 },
                Run { span: 900, first: 192, last: 192 },
            ]
        );
        assert_eq!(cover(5, 5), []);
    }

    #[test]
    fn a_cover_is_exact_for_every_pair_of_edges() {
        for from in (0..40).map(|i| -90_000 + i * 900) {
            for to in (0..250).map(|i| from + i * 900) {
                let covered: i64 = cover(from, to).iter().map(|run| (run.last - run.first + 1) * run.span).sum();
                assert_eq!(covered, to - from);
            }
        }
    }
}
