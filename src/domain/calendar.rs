//! Days in a time zone, and the buckets of time that figures are kept in: how a range of local days is made up of few
//! of them. Offsets of zones are multiples of 15 minutes, and so is every edge here.

use super::time::Timestamp;
/// A day of the calendar, in no time zone.
pub use jiff::civil::Date;
use jiff::{Span, tz::TimeZone};

const DAY: i64 = 86_400;

/// The widths of the buckets, in seconds, from wide to narrow: the edges of each are edges of the next one too.
pub const SPANS: [i64; 4] = [32 * DAY, DAY, 3_600, 900];

/// Shorter ranges are not made up of the widest buckets: the way from their ends would be longer than the range.
const LONG: i64 = 2 * SPANS[0];

/// The most years that one question may cover.
const MAX_YEARS: i16 = 10;

/// The last day that can be asked for: one before the calendar ends in every zone.
pub const LAST_DAY: Date = jiff::civil::date(9998, 12, 31);

/// The bucket of width `span` that `at` falls into: whole spans since the epoch.
pub const fn bucket(span: i64, at: Timestamp) -> i64 {
    at.seconds().div_euclid(span)
}

/// Buckets `first..=last` of one width, to be added or taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Width in seconds.
    pub span: i64,
    /// First bucket.
    pub first: i64,
    /// Last bucket.
    pub last: i64,
    /// 1 to add what is in them, −1 to take it away.
    pub times: i64,
}

impl Run {
    /// The buckets of `span` from one edge to another, backwards to be taken away; none if the edges are the same.
    fn between(span: i64, from: i64, to: i64) -> Option<Self> {
        let (first, end) = (from.min(to), from.max(to));
        (first < end).then_some(Self { span, first, last: end - 1, times: if from < to { 1 } else { -1 } })
    }
}

/// The edge of buckets of width `span` that is nearest to `at`: whole spans since the epoch.
const fn nearest(span: i64, at: i64) -> i64 {
    (at + span / 2).div_euclid(span)
}

/// The buckets that lead to `at` (seconds since the epoch, a multiple of 900) from the nearest edge of the first of these
/// widths, by the others: of each at most half of what the one before holds.
fn path(spans: &[i64], at: i64) -> impl Iterator<Item = Run> {
    let edge = move |span| nearest(span, at) * span;
    spans.windows(2).filter_map(move |pair| Run::between(pair[1], edge(pair[0]) / pair[1], edge(pair[1]) / pair[1]))
}

/// The buckets that lead from the nearest midnight in UTC to `at` (seconds since the epoch, a multiple of 900): at most
/// twelve hours and two quarters of an hour, since it is as far back from the next midnight as it is on from the last.
pub fn from_midnight(at: i64) -> impl Iterator<Item = Run> {
    path(&SPANS[1..], at)
}

/// The midnight in UTC that is nearest to `at`: whole days since the epoch.
pub const fn nearest_midnight(at: i64) -> i64 {
    nearest(DAY, at)
}

/// The days from the midnight in UTC that is nearest to `from` to the one nearest to `to`.
pub fn days_between(from: i64, to: i64) -> Option<Run> {
    Run::between(DAY, nearest_midnight(from), nearest_midnight(to))
}

/// The buckets that, added and taken away, come to `from..to` (seconds since the epoch, multiples of 900) exactly.
pub fn cover(from: i64, to: i64) -> Vec<Run> {
    let spans = if to - from < LONG { &SPANS[1..] } else { &SPANS[..] };
    let widest = Run::between(spans[0], nearest(spans[0], from), nearest(spans[0], to));
    let before = path(spans, from).map(|run| Run { times: -run.times, ..run });
    widest.into_iter().chain(path(spans, to)).chain(before).collect()
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

/// The last day that a question may ask for whose first day is `from`.
pub fn furthest(from: Date) -> Date {
    from.checked_add(Span::new().years(MAX_YEARS)).unwrap_or(Date::MAX)
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
    fn a_range_is_covered_by_few() {
        let day = DAY;
        let run = |span, first, last, times| Run { span, first, last, times };
        assert_eq!(cover(0, 60 * day), [run(day, 0, 59, 1)]);
        assert_eq!(cover(0, 90 * day), [run(32 * day, 0, 2, 1), run(day, 90, 95, -1)]);
        let kathmandu = [
            run(day, 1, 2, 1),
            run(3600, 66, 71, -1),
            run(900, 264, 264, 1),
            run(3600, 18, 23, 1),
            run(900, 72, 72, -1),
        ];
        assert_eq!(cover(day - 20_700, 3 * day - 20_700), kathmandu);
        assert_eq!(cover(5, 5), []);
    }

    #[test]
    fn a_cover_counts_what_is_inside_once_and_nothing_else() {
        for from in (0..200).map(|i| -90_000 + i * 900) {
            for to in (1..250).chain(6_000..6_100).map(|i| from + i * 900) {
                // How often each instant counts changes at the edges of runs alone; taken together only two are left.
                let mut changes = std::collections::BTreeMap::new();
                for run in cover(from, to) {
                    *changes.entry(run.first * run.span).or_insert(0) += run.times;
                    *changes.entry((run.last + 1) * run.span).or_insert(0) -= run.times;
                }
                changes.retain(|_, times| *times != 0);
                assert_eq!(changes.into_iter().collect::<Vec<_>>(), [(from, 1), (to, -1)]);
            }
        }
    }
}
