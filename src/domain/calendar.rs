//! Days in a time zone, and how a range of local days is composed of few buckets of the rollups. The offsets of time
//! zones are multiples of 15 minutes, so every boundary here is one too.

use super::time::Timestamp;

/// A calendar date without a time zone.
pub use jiff::civil::Date;
use jiff::{Span, tz::TimeZone};

const DAY: i64 = 86_400;

/// The widths of buckets in seconds, widest first. Each width is a multiple of the next one.
pub const SPANS: [i64; 4] = [32 * DAY, DAY, 3_600, 900];

/// Ranges shorter than this, in seconds, do not use the widest buckets: correcting the ends would take more buckets
/// than the range itself.
const LONG_RANGE: i64 = 2 * SPANS[0];

/// The maximum number of years in one report.
const MAX_YEARS: i16 = 10;

/// The last day that a report may cover. The day after it exists in every time zone.
pub const LAST_DAY: Date = jiff::civil::date(9998, 12, 31);

/// The bucket of width `span` that contains `at`, counted from the epoch.
pub const fn bucket(span: i64, at: Timestamp) -> i64 {
    at.seconds().div_euclid(span)
}

/// The buckets `first..=last` of one width, to be added or subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketRange {
    /// The width of a bucket in seconds.
    pub span: i64,
    /// The first bucket, counted from the epoch.
    pub first: i64,
    /// The last bucket.
    pub last: i64,
    /// 1 to add the buckets, −1 to subtract them.
    pub sign: i64,
}

impl BucketRange {
    /// The buckets between two boundaries: added if `from` comes first, subtracted if `to` does. None if they are
    /// equal.
    fn between(span: i64, from: i64, to: i64) -> Option<Self> {
        let (first, end) = (from.min(to), from.max(to));
        (first < end).then_some(Self { span, first, last: end - 1, sign: if from < to { 1 } else { -1 } })
    }
}

/// The boundary between buckets of width `span` that is nearest to `at`, counted from the epoch.
const fn nearest(span: i64, at: i64) -> i64 {
    (at + span / 2).div_euclid(span)
}

/// The buckets between `at` (seconds since the epoch, a multiple of 900) and the nearest boundary of the first of these
/// widths, made up of the other widths: of each at most half as many as fit into one bucket of the width before.
fn path(spans: &[i64], at: i64) -> impl Iterator<Item = BucketRange> {
    let boundary = move |span| nearest(span, at) * span;
    let step = move |wide, narrow| BucketRange::between(narrow, boundary(wide) / narrow, boundary(narrow) / narrow);
    spans.windows(2).filter_map(move |pair| step(pair[0], pair[1]))
}

/// The buckets between the nearest midnight in UTC and `at` (seconds since the epoch, a multiple of 900): at most
/// twelve hours and two quarters of an hour.
pub fn from_midnight(at: i64) -> impl Iterator<Item = BucketRange> {
    path(&SPANS[1..], at)
}

/// The midnight in UTC that is nearest to `at`, in days since the epoch.
pub const fn nearest_midnight(at: i64) -> i64 {
    nearest(DAY, at)
}

/// The days in UTC between the midnights that are nearest to `from` and to `to`.
pub fn days_between(from: i64, to: i64) -> Option<BucketRange> {
    BucketRange::between(DAY, nearest_midnight(from), nearest_midnight(to))
}

/// Buckets that, added and subtracted, cover exactly `from..to` (seconds since the epoch, multiples of 900).
pub fn cover(from: i64, to: i64) -> Vec<BucketRange> {
    let spans = if to - from < LONG_RANGE { &SPANS[1..] } else { &SPANS[..] };
    let widest = BucketRange::between(spans[0], nearest(spans[0], from), nearest(spans[0], to));
    let before = path(spans, from).map(|range| BucketRange { sign: -range.sign, ..range });
    widest.into_iter().chain(path(spans, to)).chain(before).collect()
}

/// A time zone of the IANA database, which is compiled into this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone with this name, spelled as in the IANA database.
    pub fn parse(name: &str) -> Option<Self> {
        // jiff accepts any case.
        let zone = TimeZone::get(name).ok()?;
        (zone.iana_name() == Some(name)).then_some(Self(zone))
    }

    /// The name in the IANA database.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The local time at this instant, such as `2026-11-27 03:14:11`.
    pub fn local_time(&self, at: Timestamp) -> String {
        self.local(at, "%Y-%m-%d %H:%M:%S")
    }

    /// The local day at this instant, such as `2026-11-27`.
    pub fn local_day(&self, at: Timestamp) -> String {
        self.local(at, "%Y-%m-%d")
    }

    fn local(&self, at: Timestamp, form: &str) -> String {
        let instant = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
        instant.to_zoned(self.0.clone()).strftime(form).to_string()
    }

    /// The start of `date` in this zone, in seconds since the epoch, rounded down to a quarter of an hour. If a change
    /// of the clock skips midnight, the day starts at the first instant after the gap; if midnight occurs twice, at the
    /// first.
    pub fn start_of(&self, date: Date) -> Option<i64> {
        let instant = date.to_zoned(self.0.clone()).ok()?.timestamp().as_second();
        // Only local mean time, which zones had before standard time, has offsets finer than 15 minutes.
        Some(instant.div_euclid(900) * 900)
    }
}

/// The last day of the longest report that starts with `from`.
pub fn last_day_from(from: Date) -> Date {
    from.checked_add(Span::new().years(MAX_YEARS)).unwrap_or(Date::MAX)
}

/// A range of local days, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Days {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// The time zone of the days.
    pub zone: Zone,
}

impl Days {
    /// The start of the first day and the end of the last one, in seconds since the epoch.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        Some((self.zone.start_of(self.from)?, self.zone.start_of(self.to.tomorrow().ok()?)?))
    }

    /// The number of days.
    pub fn count(&self) -> usize {
        let after_the_first = self.from.until(self.to).map_or(0, |span| span.get_days());
        usize::try_from(after_the_first).unwrap_or_default() + 1
    }

    /// Each day with its start and its end in seconds since the epoch.
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

    fn half_hours(zone: &str, date: &str) -> i64 {
        let date = parse_date(date).unwrap();
        let days = Days { from: date, to: date, zone: Zone::parse(zone).unwrap() };
        let (start, end) = days.bounds().unwrap();
        (end - start) / 1800
    }

    #[test]
    fn a_day_has_the_length_that_its_zone_gives_it() {
        assert_eq!(half_hours("UTC", "2026-03-29"), 48);
        assert_eq!(half_hours("Europe/Berlin", "2026-03-29"), 46);
        assert_eq!(half_hours("Europe/Berlin", "2026-10-25"), 50);
        assert_eq!(half_hours("America/New_York", "2026-11-01"), 50);
        assert_eq!(half_hours("Australia/Lord_Howe", "2026-04-05"), 49);
        assert_eq!(half_hours("Asia/Kathmandu", "2026-04-05"), 48);
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
    fn a_range_is_covered_by_few_buckets() {
        let day = DAY;
        let range = |span, first, last, sign| BucketRange { span, first, last, sign };
        assert_eq!(cover(0, 60 * day), [range(day, 0, 59, 1)]);
        assert_eq!(cover(0, 90 * day), [range(32 * day, 0, 2, 1), range(day, 90, 95, -1)]);
        let kathmandu = [
            range(day, 1, 2, 1),
            range(3600, 66, 71, -1),
            range(900, 264, 264, 1),
            range(3600, 18, 23, 1),
            range(900, 72, 72, -1),
        ];
        assert_eq!(cover(day - 20_700, 3 * day - 20_700), kathmandu);
        assert_eq!(cover(5, 5), []);
    }

    #[test]
    fn a_cover_counts_each_instant_inside_once_and_no_other() {
        for from in (0..200).map(|i| -90_000 + i * 900) {
            for to in (1..250).chain(6_000..6_100).map(|i| from + i * 900) {
                // The count of an instant changes only at the boundaries of ranges. In sum, two changes must be left.
                let mut changes = std::collections::BTreeMap::new();
                for range in cover(from, to) {
                    *changes.entry(range.first * range.span).or_insert(0) += range.sign;
                    *changes.entry((range.last + 1) * range.span).or_insert(0) -= range.sign;
                }
                changes.retain(|_, change| *change != 0);
                assert_eq!(changes.into_iter().collect::<Vec<_>>(), [(from, 1), (to, -1)]);
            }
        }
    }
}
