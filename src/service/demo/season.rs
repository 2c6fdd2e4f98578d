//! The times of demo orders: they depend on the hour, the day of the week and the month, and grow over the whole range.

use std::ops::Range;

const HOUR_MILLIS: i64 = 3_600_000;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;

/// Sales by the hour of the buyer's day, in percent of the busiest hour.
const HOURS: [u64; 24] = [8, 4, 3, 2, 2, 4, 10, 22, 38, 52, 62, 66, 70, 64, 58, 56, 58, 64, 74, 88, 100, 96, 62, 26];
/// Sales by the day of the week, in percent of the busiest day. Starts with Thursday, like 1970.
const WEEKDAYS: [u64; 7] = [72, 76, 92, 100, 84, 70, 68];
/// Sales by the month, in percent of the busiest month. Starts with January.
const MONTHS: [u64; 12] = [58, 55, 60, 62, 60, 55, 52, 55, 66, 74, 92, 100];

/// A random time in `span`, in milliseconds, for a buyer whose clock is `offset_hours` ahead of UTC.
pub(super) fn moment(random: &mut fastrand::Rng, span: &Range<i64>, offset_hours: i64) -> i64 {
    loop {
        let at = random.i64(span.clone());
        let local = at + offset_hours * HOUR_MILLIS;
        let weights = [
            HOURS[index(local.div_euclid(HOUR_MILLIS), 24)],
            WEEKDAYS[index(local.div_euclid(DAY_MILLIS), 7)],
            MONTHS[index(local.div_euclid(DAY_MILLIS) * 100 % 36_525 / 3_044, 12)],
            trend(at, span),
        ];
        if random.u64(0..100_000_000) < weights.iter().product() {
            return at;
        }
    }
}

fn index(number: i64, length: i64) -> usize {
    usize::try_from(number.rem_euclid(length)).unwrap_or(0)
}

/// The growth over `span`: from 60 percent at its start to 100 percent at its end.
fn trend(at: i64, span: &Range<i64>) -> u64 {
    60 + (40 * (at - span.start) / (span.end - span.start)).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_within_the_span_and_follow_the_weights() {
        let mut random = fastrand::Rng::with_seed(1);
        let span = 0..364 * DAY_MILLIS;
        let mut hours = [0_u32; 24];
        for _ in 0..20_000 {
            let at = moment(&mut random, &span, 9);
            assert!(span.contains(&at));
            hours[index(at.div_euclid(HOUR_MILLIS) + 9, 24)] += 1;
        }
        assert!(hours[20] > 10 * hours[3], "the buyer's evenings are busy and their nights are not: {hours:?}");
    }
}
