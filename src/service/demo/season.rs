//! When people buy: by the hour, the day of the week and the month, and the more the shop is known.

use std::ops::Range;

const HOUR_MILLIS: i64 = 3_600_000;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;

/// In percent of the busiest: by the hour of the buyer's day, …
const HOURS: [u64; 24] = [8, 4, 3, 2, 2, 4, 10, 22, 38, 52, 62, 66, 70, 64, 58, 56, 58, 64, 74, 88, 100, 96, 62, 26];
/// … by the day of the week from Thursday, which is what 1970 began with, …
const WEEKDAYS: [u64; 7] = [72, 76, 92, 100, 84, 70, 68];
/// … by the month, from January.
const MONTHS: [u64; 12] = [58, 55, 60, 62, 60, 55, 52, 55, 66, 74, 92, 100];

/// A moment of `span`, for somebody whose clock is `offset_hours` before UTC.
pub(super) fn moment(random: &mut fastrand::Rng, span: &Range<i64>, offset_hours: i64) -> i64 {
    loop {
        let at = random.i64(span.clone());
        let local = at + offset_hours * HOUR_MILLIS;
        let weights = [
            HOURS[place(local.div_euclid(HOUR_MILLIS), 24)],
            WEEKDAYS[place(local.div_euclid(DAY_MILLIS), 7)],
            MONTHS[place(local.div_euclid(DAY_MILLIS) * 100 % 36_525 / 3_044, 12)],
            trend(at, span),
        ];
        if random.u64(0..100_000_000) < weights.iter().product() {
            return at;
        }
    }
}

fn place(number: i64, length: i64) -> usize {
    usize::try_from(number.rem_euclid(length)).unwrap_or(0)
}

/// From 60 at the beginning of `span` to 100 at its end.
fn trend(at: i64, span: &Range<i64>) -> u64 {
    60 + (40 * (at - span.start) / (span.end - span.start)).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_within_the_span_and_follow_the_weights() {
        let mut random = fastrand::Rng::with_seed(1);
        let span = 0..364 * DAY_MILLIS;
        let mut hours = [0_u32; 24];
        for _ in 0..20_000 {
            let at = moment(&mut random, &span, 9);
            assert!(span.contains(&at));
            hours[place(at.div_euclid(HOUR_MILLIS) + 9, 24)] += 1;
        }
        assert!(hours[20] > 10 * hours[3], "evenings are busy where the buyer lives, nights are not: {hours:?}");
    }
}
