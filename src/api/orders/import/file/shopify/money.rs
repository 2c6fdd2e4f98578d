//! Amounts as Shopify writes them: decimals with a point, in the currency of the order.

use crate::domain::money::{Currency, MAX_AMOUNT, TaxRate};

/// Reads the amounts of a currency.
#[derive(Clone, Copy)]
pub(super) struct Decimals {
    exponent: usize,
}

impl Decimals {
    /// Those of `currency`. An unknown one is found when the order is checked.
    pub(super) fn of(currency: Option<Currency>) -> Self {
        Self { exponent: currency.map_or(2, Currency::exponent).into() }
    }

    /// An amount in minor units: `19.9` and `19.90` are 1990 in EUR, `1980.00` is 1980 in JPY.
    pub(super) fn parse(self, text: &str) -> Option<i64> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|c| c.is_ascii_digit());
        let fraction = fraction.trim_end_matches('0');
        if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > self.exponent {
            return None;
        }
        let amount: i64 = format!("{whole}{fraction:0<width$}", width = self.exponent).parse().ok()?;
        (amount <= MAX_AMOUNT).then_some(amount)
    }

    /// An amount that may be negative.
    pub(super) fn parse_signed(self, text: &str) -> Option<i64> {
        match text.strip_prefix('-') {
            Some(positive) => self.parse(positive).map(|amount| -amount),
            None => self.parse(text),
        }
    }

    /// An amount as it should be.
    pub(super) fn example(self) -> String {
        if self.exponent == 0 { "1980".to_owned() } else { format!("19.{:9<width$}", "", width = self.exponent) }
    }
}

/// The rate in the name of a tax, such as `DE MwSt 19%` or `Washington State Tax 6.5 %`, in ten-thousandths of a
/// percent.
pub(super) fn rate_in(name: &str) -> Option<i64> {
    let before = name.split('%').next().filter(|before| before.len() < name.len())?.trim_end();
    let start = before
        .rfind(|c: char| !c.is_ascii_digit() && c != '.')
        .map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
    TaxRate::parse(&before[start..]).map(TaxRate::parts)
}
