//! Which backups are kept: the newest of each of the last hours, days and weeks that have one. What a backup is, and
//! where, is not known here.

use super::time::Timestamp;
use std::{collections::BTreeSet, time::Duration};

/// For each of these spans, in UTC, one backup is kept.
const SPANS: [Duration; 3] = [Duration::from_hours(1), Duration::from_hours(24), Duration::from_hours(24 * 7)];

/// Those of the backups made at these times that need not be kept, where `keep` are kept for each kind of span; zero
/// keeps all. The newest is always kept.
pub fn expendable(made: &BTreeSet<Timestamp>, keep: usize) -> BTreeSet<Timestamp> {
    if keep == 0 {
        return BTreeSet::new();
    }
    let kept: BTreeSet<_> = SPANS.iter().flat_map(|span| newest_of_each(made, *span).take(keep)).collect();
    made.difference(&kept).copied().collect()
}

/// The newest of each span that has any, from the newest span back.
fn newest_of_each(made: &BTreeSet<Timestamp>, span: Duration) -> impl Iterator<Item = Timestamp> {
    let length = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    let mut last = None;
    made.iter().rev().copied().filter(move |time| {
        let number = time.millis().div_euclid(length);
        last.replace(number) != Some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;

    fn times(millis: impl IntoIterator<Item = i64>) -> BTreeSet<Timestamp> {
        millis.into_iter().map(Timestamp::from_millis).collect()
    }

    fn kept(made: &BTreeSet<Timestamp>, keep: usize) -> BTreeSet<Timestamp> {
        made.difference(&expendable(made, keep)).copied().collect()
    }

    /// What is left when one is made each `every` until `end`, rotating each time.
    fn lived(every: i64, end: i64, keep: usize) -> BTreeSet<Timestamp> {
        let mut made = BTreeSet::new();
        for time in (0..end).step_by(usize::try_from(every).unwrap()) {
            made.insert(Timestamp::from_millis(time));
            made = kept(&made, keep);
        }
        made
    }

    #[test]
    fn hours_days_and_weeks_have_one_each() {
        // The epoch was a Thursday: weeks are those of the epoch. 100 days end within the 15th of them.
        let left = lived(HOUR, 100 * DAY, 3);
        let last = 100 * DAY - HOUR;
        let expected = [
            [last, last - HOUR, last - 2 * HOUR],
            [last, last - DAY, last - 2 * DAY],
            [last, 98 * DAY - HOUR, 91 * DAY - HOUR],
        ];
        assert_eq!(left, times(expected.concat()));
    }

    #[test]
    fn several_in_an_hour_leave_the_newest() {
        assert_eq!(kept(&times([0, MINUTE, 2 * MINUTE]), 7), times([2 * MINUTE]));
        assert_eq!(kept(&times([59 * MINUTE, 60 * MINUTE]), 7), times([59 * MINUTE, 60 * MINUTE]));
    }

    #[test]
    fn hours_without_one_do_not_count() {
        assert_eq!(kept(&times([0, 5 * HOUR, 9 * HOUR]), 2), times([5 * HOUR, 9 * HOUR]));
    }

    #[test]
    fn zero_keeps_all() {
        assert!(expendable(&times([0, 1, 2, 3]), 0).is_empty());
    }

    #[test]
    fn rotating_each_time_leaves_what_rotating_once_would() {
        for every in [10 * MINUTE, HOUR, 5 * HOUR, DAY, 9 * DAY] {
            for keep in 1..5 {
                let end = 40 * DAY;
                let all = times((0..end).step_by(usize::try_from(every).unwrap()));
                assert_eq!(lived(every, end, keep), kept(&all, keep), "{every} {keep}");
            }
        }
    }

    /// Every choice of twelve instants that lie close to the borders of hours, days and weeks.
    #[test]
    fn the_newest_is_kept_and_so_is_enough_of_the_rest_whatever_there_is() {
        let borders = [-7 * DAY, -DAY, -HOUR, 0, HOUR, DAY];
        let instants: Vec<_> = borders.iter().flat_map(|border| [border - 1, *border]).collect();
        for choice in 1_u32..1 << instants.len() {
            let made = times(instants.iter().enumerate().filter(|(i, _)| choice >> i & 1 == 1).map(|(_, time)| *time));
            for keep in 1..4 {
                let left = kept(&made, keep);
                assert_eq!(left.last(), made.last(), "the newest is kept: {made:?}");
                assert_eq!(kept(&left, keep), left, "nothing more goes without a newer one: {made:?}");
                assert!(left.len() <= 3 * keep && left.len() >= keep.min(newest_of_each(&made, SPANS[0]).count()));
                assert!(left.is_superset(&kept(&made, keep - 1)) || keep == 1, "more are kept of more: {made:?}");
            }
        }
    }
}
