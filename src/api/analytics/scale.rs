//! Axes and numbers of charts, in integer arithmetic: the position of a value, the values with a mark, and amounts with
//! the decimals of their currency.

use crate::domain::money::Currency;

/// The approximate number of marks on an axis.
const MARKS: i128 = 5;

/// An axis. Both ends are rounded to marked values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    low: i128,
    high: i128,
    step: i128,
    length: i64,
}

impl Scale {
    /// An axis of this length for the values from `low` (at most 0) to `high` (at least 0).
    pub(super) fn over(low: i128, high: i128, length: i64) -> Self {
        let step = step(high - low);
        let below = low.div_euclid(step) * step;
        let above = (high + step - 1).div_euclid(step) * step;
        Self { low: below, high: above.max(below + step), step, length }
    }

    /// The distance of `value` from the start of the axis.
    pub(super) fn at(&self, value: i128) -> i64 {
        let along = (value - self.low) * i128::from(self.length) / (self.high - self.low);
        i64::try_from(along).unwrap_or(self.length)
    }

    /// The marked values.
    pub(super) fn marks(&self) -> impl Iterator<Item = i128> {
        let (low, step) = (self.low, self.step);
        (0..=(self.high - self.low) / step).map(move |i| low + i * step)
    }

    /// Formats a value as a count.
    pub(super) fn count(value: i128) -> String {
        grouped(value.unsigned_abs(), value < 0)
    }

    /// Formats a marked value as an amount, without decimals if all marks are whole units.
    pub(super) fn amount(&self, value: i128, currency: Currency) -> String {
        let unit = 10_i128.pow(currency.exponent().into());
        if self.step % unit == 0 { Self::count(value / unit) } else { amount(value, currency) }
    }
}

/// The distance between marks: the smallest of 1, 2 and 5 times a power of ten that divides `range` into at most
/// [`MARKS`] steps.
fn step(range: i128) -> i128 {
    let mut power = 1;
    loop {
        if let Some(factor) = [1, 2, 5].into_iter().find(|factor| power * factor * MARKS >= range) {
            return power * factor;
        }
        power *= 10;
    }
}

/// Formats minor units in the form of their currency, such as `1,234.50`.
pub(super) fn amount(minor: i128, currency: Currency) -> String {
    let exponent = usize::from(currency.exponent());
    let unit = 10_u128.pow(currency.exponent().into());
    let (whole, part) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
    let whole = grouped(whole, minor < 0);
    if exponent == 0 { whole } else { format!("{whole}.{part:0exponent$}") }
}

fn grouped(number: u128, negative: bool) -> String {
    let digits = number.to_string();
    let mut text = String::from(if negative { "−" } else { "" });
    for (i, digit) in digits.char_indices() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_decimals_of_their_currency() {
        let shown = |minor, code| amount(minor, Currency::parse(code).unwrap());
        assert_eq!(shown(123_450, "EUR"), "1,234.50");
        assert_eq!(shown(-5, "EUR"), "−0.05");
        assert_eq!(shown(1_234_567, "JPY"), "1,234,567");
        assert_eq!(shown(1_234_567, "KWD"), "1,234.567");
        assert_eq!(shown(0, "KWD"), "0.000");
    }

    #[test]
    fn an_axis_begins_and_ends_at_round_values() {
        let axis = Scale::over(-130, 1040, 100);
        assert_eq!(axis.marks().collect::<Vec<_>>(), [-500, 0, 500, 1000, 1500]);
        assert_eq!((axis.at(-500), axis.at(0), axis.at(1500)), (0, 25, 100));
        assert_eq!(Scale::over(0, 0, 100).marks().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(Scale::over(0, 7, 100).marks().count(), 5);
        let (euro, axis) = (Currency::parse("EUR").unwrap(), Scale::over(0, 200, 100));
        assert_eq!(axis.marks().map(|mark| axis.amount(mark, euro)).last().unwrap(), "2.00");
        assert_eq!(Scale::over(0, 10_000, 1).amount(10_000, euro), "100");
    }

    #[test]
    fn large_values_fit_on_an_axis() {
        for high in [i128::from(i64::MAX) * 1_000_000, i128::from(i64::MAX), 9_007_199_254_740_991] {
            let axis = Scale::over(0, high, 100);
            assert!(axis.marks().count() <= 12 && axis.at(high) <= 100, "{axis:?}");
        }
    }
}
