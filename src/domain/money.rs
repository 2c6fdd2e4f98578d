//! Money in whole minor units, currencies of ISO 4217, and tax on amounts. No conversion, no floating point.

use std::{fmt, sync::LazyLock};

/// The largest magnitude of an amount: the largest integer that every JSON reader keeps exact (RFC 8259, section 6).
pub const MAX_AMOUNT: i64 = (1 << 53) - 1;

/// A sum of intermediate results as an amount, if it is within `0..=MAX_AMOUNT`.
pub fn amount(value: i128) -> Option<i64> {
    i64::try_from(value).ok().filter(|v| (0..=MAX_AMOUNT).contains(v))
}

/// `dividend / divisor` rounded half away from zero; `divisor` > 0.
pub fn divide_rounded(dividend: i128, divisor: i128) -> i128 {
    let half = divisor / 2;
    let magnitude = (dividend.abs() + half) / divisor;
    // Exact for odd divisors too: they have no ties, so that half of them may be rounded down.
    magnitude * dividend.signum()
}

/// Currencies that the table of ISO 4217 does not have any more, with their digits after the decimal point. It still
/// has the others that were withdrawn since 2020: BGN, CUC, HRK, SLL and ZWL.
const PAST: &[(&str, u16)] = &[("ANG", 2)];

/// A currency of ISO 4217: one in use, or one that was withdrawn since 2020, which orders of that time have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency with this upper-case alphabetic code.
    pub fn parse(code: &str) -> Option<Self> {
        let bytes: [u8; 3] = code.as_bytes().try_into().ok()?;
        let is_known = iso_currency::Currency::from_code(code).is_some() || past_exponent(code).is_some();
        (is_known && bytes.iter().all(u8::is_ascii_uppercase)).then_some(Self(bytes))
    }

    /// All currencies, by code.
    pub fn all() -> &'static [Self] {
        // The table of ISO 4217 can be looked up but not listed, so every possible code is looked up once.
        static ALL: LazyLock<Vec<Currency>> = LazyLock::new(|| {
            let letters = || b'A'..=b'Z';
            let pairs = letters().flat_map(|first| letters().map(move |second| (first, second)));
            let codes = pairs.flat_map(|(first, second)| letters().map(move |third| [first, second, third]));
            codes.filter_map(|code| Currency::parse(std::str::from_utf8(&code).ok()?)).collect()
        });
        &ALL
    }

    /// The currency that was stored under this code: it was known when it was stored.
    pub fn stored(code: &str) -> Option<Self> {
        code.as_bytes().try_into().ok().map(Self)
    }

    /// The alphabetic code.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Digits after the decimal point (JPY 0, EUR 2, KWD 3); 0 for units that have none, such as gold.
    pub fn exponent(self) -> u16 {
        let present = iso_currency::Currency::from_code(self.code()).and_then(iso_currency::Currency::exponent);
        present.or_else(|| past_exponent(self.code())).unwrap_or(0)
    }

    /// Minor units as a decimal of the currency, such as `12.50`.
    pub fn decimal(self, minor: i128) -> String {
        let exponent = usize::from(self.exponent());
        let unit = 10_u128.pow(self.exponent().into());
        let (whole, part) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
        let sign = if minor < 0 { "-" } else { "" };
        if exponent == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part:0exponent$}") }
    }
}

fn past_exponent(code: &str) -> Option<u16> {
    PAST.iter().find(|(past, _)| *past == code).map(|(_, exponent)| *exponent)
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A tax rate in percent, 0 to 100 with at most four decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaxRate {
    /// Ten-thousandths of a percent.
    parts: i64,
}

/// Ten-thousandths of a percent in the whole: 100 × 10,000.
const PARTS_OF_WHOLE: i64 = 1_000_000;

impl TaxRate {
    /// Parses a decimal such as `8.875`. `19`, `19.0` and `19.00` are the same rate.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if !digits(whole, 3) || !digits(fraction, 4) || leading_zero {
            return None;
        }
        Self::from_parts(whole.parse::<i64>().ok()? * 10_000 + format!("{fraction:0<4}").parse::<i64>().ok()?)
    }

    /// The rate of so many ten-thousandths of a percent.
    pub fn from_parts(parts: i64) -> Option<Self> {
        (0..=PARTS_OF_WHOLE).contains(&parts).then_some(Self { parts })
    }

    /// Ten-thousandths of a percent: 190,000 for 19 %.
    pub const fn parts(self) -> i64 {
        self.parts
    }

    /// The tax that is added to `net` minor units, rounded half away from zero.
    pub fn on(self, net: i64) -> i64 {
        self.share(net, PARTS_OF_WHOLE)
    }

    /// The tax that `gross` minor units include, rounded half away from zero.
    pub fn included_in(self, gross: i64) -> i64 {
        self.share(gross, PARTS_OF_WHOLE + self.parts)
    }

    fn share(self, amount: i64, of: i64) -> i64 {
        let tax = divide_rounded(i128::from(amount) * i128::from(self.parts), of.into());
        i64::try_from(tax).expect("a tax is at most the amount")
    }
}

/// In percent, without trailing zeros: `19`, `8.875`.
impl fmt::Display for TaxRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.parts / 10_000, self.parts % 10_000);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        write!(f, "{whole}.{}", format!("{fraction:04}").trim_end_matches('0'))
    }
}

/// Splits `amount` in proportion to `weights` by the largest remainder; of equal remainders the earlier weight gets the
/// unit. The parts add up to `amount`. Needs `0 ≤ amount ≤ Σ weights`; then no part exceeds its weight.
///
/// # Panics
/// If `amount` is not within `0..=Σ weights`.
pub fn allocate(amount: i64, weights: &[i64]) -> Vec<i64> {
    let whole: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    if whole == 0 {
        return vec![0; weights.len()];
    }
    debug_assert!((0..=whole).contains(&amount.into()));
    let product = |weight: i64| i128::from(amount) * i128::from(weight);
    let narrowed = |part: i128| i64::try_from(part).expect("a part is at most the amount");
    let mut parts: Vec<i64> = weights.iter().map(|&weight| narrowed(product(weight) / whole)).collect();
    let left = usize::try_from(amount - parts.iter().sum::<i64>()).expect("parts are rounded down");
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|&i| std::cmp::Reverse(product(weights[i]) % whole));
    by_remainder.into_iter().take(left).for_each(|i| parts[i] += 1);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exponents_come_from_the_iso_table() {
        for (code, exponent) in [("JPY", 0), ("EUR", 2), ("USD", 2), ("KWD", 3), ("CLF", 4)] {
            assert_eq!(Currency::parse(code).map(Currency::exponent), Some(exponent), "{code}");
        }
        let listed = |code: &str| Currency::all().iter().any(|currency| currency.code() == code);
        assert!(["AED", "EUR", "JPY", "ZWG"].iter().all(|code| listed(code)) && !listed("ABC"));
        assert!(Currency::all().is_sorted() && Currency::all().len() > 150, "{}", Currency::all().len());
        for code in ["eur", "EU", "EURO", "ABC", "", "€€€"] {
            assert_eq!(Currency::parse(code), None, "{code}");
        }
    }

    #[test]
    fn tax_is_rounded_half_away_from_zero() {
        for (rate, net, tax) in
            [("8.875", 2500, 222), ("50", 1, 1), ("25", 2, 1), ("24.9999", 2, 0), ("0", 999, 0), ("100", 7, 7)]
        {
            assert_eq!(TaxRate::parse(rate).unwrap().on(net), tax, "{rate} % on {net}");
        }
    }

    #[test]
    fn tax_is_taken_out_of_a_price_that_includes_it() {
        for (rate, gross, tax) in [("20", 10_470, 1745), ("21", 1489, 258), ("100", 1, 1), ("0", 999, 0), ("19", 0, 0)]
        {
            assert_eq!(TaxRate::parse(rate).unwrap().included_in(gross), tax, "{rate} % in {gross}");
        }
    }

    #[test]
    fn a_rate_is_a_number_and_is_shown_without_trailing_zeros() {
        for (text, shown) in
            [("19", "19"), ("19.0", "19"), ("19.00", "19"), ("8.8750", "8.875"), ("0.05", "0.05"), ("0", "0")]
        {
            let rate = TaxRate::parse(text).unwrap();
            assert_eq!(rate.to_string(), shown);
            assert_eq!(TaxRate::from_parts(rate.parts()), Some(rate));
        }
        assert_eq!(TaxRate::from_parts(1_000_001), None);
    }

    #[test]
    fn the_largest_remainder_gets_the_unit_and_of_equal_ones_the_earlier() {
        assert_eq!(allocate(100, &[1, 1, 1].map(|w| w * 100)), [34, 33, 33]);
        assert_eq!(allocate(5, &[3, 0, 4]), [2, 0, 3]);
        assert_eq!(allocate(0, &[0, 0]), [0, 0]);
        assert_eq!(allocate(1, &[1, 3]), [0, 1]);
    }

    #[test]
    fn rates_outside_the_form_are_refused() {
        for rate in ["", ".", "1.", ".5", "100.0001", "101", "1.23456", "-1", "+1", "1e2", "08", "1,5", " 1"] {
            assert_eq!(TaxRate::parse(rate), None, "{rate}");
        }
    }

    proptest! {
        #[test]
        fn division_is_the_nearest_integer(dividend in -1_000_000_000_i128..1_000_000_000, divisor in 1_i128..10_000) {
            let quotient = divide_rounded(dividend, divisor);
            let error = (dividend - quotient * divisor).abs() * 2;
            prop_assert!(error <= divisor);
            if error == divisor {
                prop_assert!((quotient * divisor).abs() > dividend.abs(), "a tie goes away from zero");
            }
        }

        #[test]
        fn tax_is_within_half_a_unit_and_never_falls(amount in 0_i64..1_000_000_000, parts in 0_i64..=1_000_000) {
            let rate = TaxRate::from_parts(parts).unwrap();
            for (tax, next, of) in [
                (rate.on(amount), rate.on(amount + 1), PARTS_OF_WHOLE),
                (rate.included_in(amount), rate.included_in(amount + 1), PARTS_OF_WHOLE + parts),
            ] {
                let exact = i128::from(amount) * i128::from(parts);
                prop_assert!((i128::from(tax) * i128::from(of) - exact).abs() * 2 <= i128::from(of));
                prop_assert!(next >= tax);
                prop_assert!((0..=amount).contains(&tax));
            }
        }

        #[test]
        fn parts_add_up_and_stay_within_their_weights(weights in prop::collection::vec(0_i64..1_000_000, 1..12), share in 0_u8..=100) {
            let amount = weights.iter().sum::<i64>() * i64::from(share) / 100;
            let parts = allocate(amount, &weights);
            prop_assert_eq!(parts.iter().sum::<i64>(), amount);
            prop_assert!(parts.iter().zip(&weights).all(|(part, weight)| (0..=*weight).contains(part)));
        }
    }
}
