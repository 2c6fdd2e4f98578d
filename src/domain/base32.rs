//! Crockford's base32 in lower case: the digits of identifiers and secrets, five bits each.
//!
//! Written here because a TypeID pads 128 bits to 130 at the front, and the crates for base32 pad at the end.

/// The digits in the order of their values. There is no i, l, o or u.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Bits of one digit.
const DIGIT_BITS: usize = 5;
/// Digits of a 128-bit value.
pub const U128_LENGTH: usize = 26;

/// The digit for the lowest five bits of `value`.
pub const fn digit(value: u8) -> char {
    DIGITS[(value & 31) as usize] as char
}

/// The value of each byte as a digit; [`NO_DIGIT`] for bytes that are none.
const VALUES: [u8; 256] = {
    let (mut values, mut value) = ([NO_DIGIT; 256], 0_u8);
    while value < 32 {
        values[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
};
const NO_DIGIT: u8 = 255;

/// The value of a digit, or `None` for any other byte.
pub fn value(digit: u8) -> Option<u8> {
    Some(VALUES[usize::from(digit)]).filter(|value| *value != NO_DIGIT)
}

/// The ASCII digits of a 128-bit value, most significant digit first. The first digit is at most 7.
pub fn encode_u128(value: u128) -> [u8; U128_LENGTH] {
    std::array::from_fn(|i| DIGITS[(value >> (DIGIT_BITS * (U128_LENGTH - 1 - i)) & 31) as usize])
}

/// Reads what [`encode_u128`] writes; `None` for any other text.
pub fn decode_u128(text: &str) -> Option<u128> {
    if text.len() != U128_LENGTH || text.as_bytes()[0] > b'7' {
        return None;
    }
    text.bytes().try_fold(0, |sum, c| Some(sum << DIGIT_BITS | u128::from(value(c)?)))
}

/// The first `length` digits of `bytes`, most significant bit first. Bits beyond the end count as zero.
pub fn encode_bytes(bytes: &[u8], length: usize) -> impl Iterator<Item = char> {
    let bit = |i: usize| bytes.get(i / 8).map_or(0, |byte| byte >> (7 - i % 8) & 1);
    (0..length).map(move |i| digit((0..DIGIT_BITS).fold(0, |value, j| value << 1 | bit(DIGIT_BITS * i + j))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_has_its_value_and_no_other_byte_has_one() {
        for n in 0..32 {
            assert_eq!(value(u8::try_from(digit(n)).unwrap()), Some(n));
        }
        assert_eq!((0..=255).filter(|&byte| value(byte).is_some()).count(), 32);
    }

    #[test]
    fn a_u128_is_read_back_and_what_is_too_large_is_refused() {
        for value in [0, 1, 31, 32, u128::MAX, 0x0189_0a5d_ac96_774b_bcce_b302_099a_8057] {
            assert_eq!(decode_u128(str::from_utf8(&encode_u128(value)).unwrap()), Some(value));
        }
        assert_eq!(decode_u128(&format!("8{}", "0".repeat(25))), None);
    }

    #[test]
    fn bytes_are_encoded_from_the_first_bit_on() {
        let encoded = |bytes: &[u8], length| encode_bytes(bytes, length).collect::<String>();
        assert_eq!(encoded(&[0b0000_1000, 0b1000_0000], 2), "12");
        assert_eq!(encoded(&[0xff], 2), "zw", "bits beyond the end are zero");
        assert_eq!(encoded(&7_u128.to_be_bytes(), 25), "0000000000000000000000000");
    }
}
