//! Numbers, texts and values of SQL as bytes, both ways. Reading never panics and never believes a length that the
//! bytes do not have.

use rusqlite::types::ValueRef;

/// Appends `number` in groups of seven bits, the lowest first.
pub(in crate::store) fn put_uint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Appends a number that may be negative; small ones of either sign are short.
pub(in crate::store) fn put_int(out: &mut Vec<u8>, number: i64) {
    put_uint(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Appends bytes after their length.
pub(in crate::store) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// Appends a value as it is bound.
pub(in crate::store) fn put_value(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => out.push(NULL),
        ValueRef::Integer(number) => {
            out.push(INTEGER);
            put_int(out, number);
        }
        ValueRef::Real(number) => {
            out.push(REAL);
            out.extend_from_slice(&number.to_bits().to_be_bytes());
        }
        ValueRef::Text(text) => {
            out.push(TEXT);
            put_bytes(out, text);
        }
        ValueRef::Blob(bytes) => {
            out.push(BLOB);
            put_bytes(out, bytes);
        }
    }
}

/// Reads what the functions above have appended. Each method returns none if the bytes are not of that form.
#[derive(Clone)]
pub(in crate::store) struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    pub(in crate::store) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(in crate::store) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of bytes that are left.
    pub(in crate::store) fn left(&self) -> usize {
        self.0.len()
    }

    pub(in crate::store) fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(in crate::store) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(in crate::store) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// A number in its shortest form: a longer one would give the same entry two spellings.
    pub(in crate::store) fn uint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits || byte == 0 && shift > 0 {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(in crate::store) fn int(&mut self) -> Option<i64> {
        let number = self.uint()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// A number of things of which each takes a byte or more.
    pub(in crate::store) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.uint()?).ok()?;
        (count <= self.left()).then_some(count)
    }

    pub(in crate::store) fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = self.count()?;
        self.take(length)
    }

    pub(in crate::store) fn text(&mut self) -> Option<&'b str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub(in crate::store) fn value(&mut self) -> Option<ValueRef<'b>> {
        Some(match self.byte()? {
            NULL => ValueRef::Null,
            INTEGER => ValueRef::Integer(self.int()?),
            REAL => ValueRef::Real(f64::from_bits(u64::from_be_bytes(self.array()?))),
            TEXT => ValueRef::Text(self.text()?.as_bytes()),
            BLOB => ValueRef::Blob(self.bytes()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_is_read_as_it_was_written(number: i64) {
            let mut bytes = vec![];
            put_int(&mut bytes, number);
            put_uint(&mut bytes, number.cast_unsigned());
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!((reader.int(), reader.uint()), (Some(number), Some(number.cast_unsigned())));
            prop_assert!(reader.is_at_end());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic_and_in_one_spelling(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            if let Some(value) = reader.value() {
                let mut again = vec![];
                put_value(&mut again, value);
                prop_assert_eq!(&again[..], &bytes[..bytes.len() - reader.left()]);
            }
        }
    }

    #[test]
    fn a_number_has_one_spelling_and_a_length_has_its_bytes() {
        assert_eq!(Reader::new(&[0x80, 0x00]).uint(), None, "longer than needed");
        assert_eq!(Reader::new(&[0xff; 10]).uint(), None, "more than 64 bits");
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0x7f, 1]).bytes(), None, "a length without its bytes");
        assert_eq!(Reader::new(&[TEXT, 1, 0xff]).value(), None, "no UTF-8");
    }
}
