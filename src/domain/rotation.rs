//! Backup rotation: which backups are kept, judged by their times alone. The newest backup of each of the last hours,
//! days and weeks stays.

use super::time::Timestamp;
use std::{collections::BTreeSet, time::Duration};

/// The periods, in UTC, of which one backup each is kept.
const PERIODS: [Duration; 3] = [Duration::from_hours(1), Duration::from_hours(24), Duration::from_hours(24 * 7)];

/// The times of the backups that can be deleted. `keep` backups stay for each length of period; 0 keeps all. The newest
/// backup always stays.
pub fn expendable(made: &BTreeSet<Timestamp>, keep: usize) -> BTreeSet<Timestamp> {
    if keep == 0 {
        return BTreeSet::new();
    }
    let kept: BTreeSet<_> = PERIODS.iter().flat_map(|period| newest_of_each(made, *period).take(keep)).collect();
    made.difference(&kept).copied().collect()
}

/// The newest backup of each period that has one, newest first.
fn newest_of_each(made: &BTreeSet<Timestamp>, period: Duration) -> impl Iterator<Item = Timestamp> {
    let length = i64::try_from(period.as_millis()).unwrap_or(i64::MAX);
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

    /// The backups left when one is made every `every` milliseconds until `end`, with a rotation after each.
    fn left_after(every: i64, end: i64, keep: usize) -> BTreeSet<Timestamp> {
        let mut made = BTreeSet::new();
        for time in (0..end).step_by(usize::try_from(every).unwrap()) {
            made.insert(Timestamp::from_millis(time));
            made = kept(&made, keep);
        }
        made
    }

    #[test]
    fn one_backup_stays_for_each_hour_day_and_week() {
        // Weeks are counted from the epoch, a Thursday. 100 days end within the 15th week.
        let left = left_after(HOUR, 100 * DAY, 3);
        let last = 100 * DAY - HOUR;
        let expected = [
            [last, last - HOUR, last - 2 * HOUR],
            [last, last - DAY, last - 2 * DAY],
            [last, 98 * DAY - HOUR, 91 * DAY - HOUR],
        ];
        assert_eq!(left, times(expected.concat()));
    }

    #[test]
    fn the_newest_of_several_in_an_hour_stays() {
        assert_eq!(kept(&times([0, MINUTE, 2 * MINUTE]), 7), times([2 * MINUTE]));
        assert_eq!(kept(&times([59 * MINUTE, 60 * MINUTE]), 7), times([59 * MINUTE, 60 * MINUTE]));
    }

    #[test]
    fn hours_without_a_backup_do_not_count() {
        assert_eq!(kept(&times([0, 5 * HOUR, 9 * HOUR]), 2), times([5 * HOUR, 9 * HOUR]));
    }

    #[test]
    fn zero_keeps_all() {
        assert!(expendable(&times([0, 1, 2, 3]), 0).is_empty());
    }

    #[test]
    fn rotating_after_each_backup_leaves_the_same_as_rotating_once() {
        for every in [10 * MINUTE, HOUR, 5 * HOUR, DAY, 9 * DAY] {
            for keep in 1..5 {
                let end = 40 * DAY;
                let all = times((0..end).step_by(usize::try_from(every).unwrap()));
                assert_eq!(left_after(every, end, keep), kept(&all, keep), "{every} {keep}");
            }
        }
    }

    /// Tries every subset of twelve instants close to the boundaries of hours, days and weeks.
    #[test]
    fn the_newest_and_enough_of_the_rest_stay_in_every_case() {
        let boundaries = [-7 * DAY, -DAY, -HOUR, 0, HOUR, DAY];
        let instants: Vec<_> = boundaries.iter().flat_map(|boundary| [boundary - 1, *boundary]).collect();
        for choice in 1_u32..1 << instants.len() {
            let made = times(instants.iter().enumerate().filter(|(i, _)| choice >> i & 1 == 1).map(|(_, time)| *time));
            for keep in 1..4 {
                let left = kept(&made, keep);
                assert_eq!(left.last(), made.last(), "the newest is kept: {made:?}");
                assert_eq!(kept(&left, keep), left, "a second rotation deletes nothing: {made:?}");
                assert!(left.len() <= 3 * keep && left.len() >= keep.min(newest_of_each(&made, PERIODS[0]).count()));
                assert!(
                    left.is_superset(&kept(&made, keep - 1)) || keep == 1,
                    "a larger `keep` keeps all that a smaller one keeps: {made:?}"
                );
            }
        }
    }
}
