//! Amounts in whole minor units, currencies of ISO 4217, and tax rates. There is no conversion between currencies and no
//! floating point.

use std::fmt;

/// The largest amount: the largest integer that every JSON reader reads exactly (RFC 8259, section 6).
pub const MAX_AMOUNT: i64 = (1 << 53) - 1;

/// `value` as an amount, if it is in `0..=MAX_AMOUNT`.
pub fn amount(value: i128) -> Option<i64> {
    i64::try_from(value).ok().filter(|v| (0..=MAX_AMOUNT).contains(v))
}

/// `dividend / divisor`, rounded half away from zero. `divisor` must be positive.
pub fn divide_rounded(dividend: i128, divisor: i128) -> i128 {
    let half = divisor / 2;
    let magnitude = (dividend.abs() + half) / divisor;
    // An odd divisor has no ties, so it does not matter that its half is rounded down.
    magnitude * dividend.signum()
}

/// A currency of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency with this alphabetic code in upper case.
    pub fn parse(code: &str) -> Option<Self> {
        let bytes: [u8; 3] = code.as_bytes().try_into().ok()?;
        let known = bytes.iter().all(u8::is_ascii_uppercase) && iso_currency::Currency::from_code(code).is_some();
        known.then_some(Self(bytes))
    }

    /// The currency with this code from the database. It is not looked up again: it was checked before it was stored.
    pub fn stored(code: &str) -> Option<Self> {
        code.as_bytes().try_into().ok().map(Self)
    }

    /// The alphabetic code.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Digits after the decimal point (JPY 0, EUR 2, KWD 3). 0 for codes without minor units, such as gold.
    pub fn exponent(self) -> u16 {
        iso_currency::Currency::from_code(self.code()).and_then(iso_currency::Currency::exponent).unwrap_or(0)
    }
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

/// A tax rate in percent, 0 to 100 with at most four decimals. It keeps the spelling of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxRate {
    text: String,
    /// The rate in ten-thousandths of a percent.
    parts: i64,
}

/// 100 percent in ten-thousandths of a percent.
const PARTS_OF_WHOLE: i128 = 1_000_000;

impl TaxRate {
    /// Reads a decimal such as `8.875`.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if !digits(whole, 3) || !digits(fraction, 4) || leading_zero {
            return None;
        }
        let parts = whole.parse::<i64>().ok()? * 10_000 + format!("{fraction:0<4}").parse::<i64>().ok()?;
        (i128::from(parts) <= PARTS_OF_WHOLE).then(|| Self { text: text.to_owned(), parts })
    }

    /// The rate as the caller wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tax on `net` minor units, rounded half away from zero.
    pub fn of(&self, net: i64) -> i128 {
        divide_rounded(i128::from(net) * i128::from(self.parts), PARTS_OF_WHOLE)
    }
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
        for code in ["eur", "EU", "EURO", "ABC", "", "€€€"] {
            assert_eq!(Currency::parse(code), None, "{code}");
        }
    }

    #[test]
    fn tax_is_rounded_half_away_from_zero() {
        for (rate, net, tax) in
            [("8.875", 2500, 222), ("50", 1, 1), ("25", 2, 1), ("24.9999", 2, 0), ("0", 999, 0), ("100", 7, 7)]
        {
            assert_eq!(TaxRate::parse(rate).unwrap().of(net), tax, "{rate} % of {net}");
        }
    }

    #[test]
    fn malformed_rates_are_refused() {
        for rate in ["", ".", "1.", ".5", "100.0001", "101", "1.23456", "-1", "+1", "1e2", "08", "1,5", " 1"] {
            assert_eq!(TaxRate::parse(rate), None, "{rate}");
        }
    }

    proptest! {
        #[test]
        fn division_rounds_to_the_nearest_integer(dividend in -1_000_000_000_i128..1_000_000_000, divisor in 1_i128..10_000) {
            let quotient = divide_rounded(dividend, divisor);
            let error = (dividend - quotient * divisor).abs() * 2;
            prop_assert!(error <= divisor);
            if error == divisor {
                prop_assert!((quotient * divisor).abs() > dividend.abs(), "a tie is rounded away from zero");
            }
        }

        #[test]
        fn tax_is_exact_to_half_a_unit_and_grows_with_the_net(net in 0_i64..1_000_000_000, parts in 0_i64..=1_000_000) {
            let rate = TaxRate::parse(&format!("{}.{:04}", parts / 10_000, parts % 10_000)).unwrap();
            let (tax, exact) = (rate.of(net), i128::from(net) * i128::from(parts));
            prop_assert!((tax * PARTS_OF_WHOLE - exact).abs() * 2 <= PARTS_OF_WHOLE);
            prop_assert!(rate.of(net + 1) >= tax);
            prop_assert!(tax <= i128::from(net));
        }
    }
}
