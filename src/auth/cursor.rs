//! Places in lists as clients carry them: opaque, authenticated, and good for the one list that they were made for. They
//! stay good across restarts for as long as the signing key does.

use super::{Mac, token::KeyRing};
use crate::error::{Error, Result, problem};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Bytes of the code that proves a cursor's origin: 128 bits of HMAC-SHA256 (RFC 2104, section 5).
const CODE_LENGTH: usize = 16;

/// Where the next page begins: the values that the list is ordered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub Vec<i64>);

/// Makes and opens cursors.
pub struct Cursors(Mac);

impl Cursors {
    /// With a key of its own, derived from the ring's.
    pub fn new(ring: &KeyRing) -> Self {
        Self(Mac::new(ring, b"cursor"))
    }

    /// The text of `cursor` in the list that `binding` describes.
    pub fn seal(&self, cursor: &Cursor, binding: &str) -> String {
        let mut bytes: Vec<u8> = cursor.0.iter().flat_map(|value| value.to_be_bytes()).collect();
        let code = self.code(&bytes, binding);
        bytes.extend_from_slice(&code);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The cursor of this text.
    ///
    /// # Errors
    /// `invalid_cursor` if it was not made here, was altered, or belongs to another list.
    pub fn open(&self, text: &str, binding: &str) -> Result<Cursor> {
        self.opened(text, binding).ok_or_else(|| Error::new(&problem::INVALID_CURSOR))
    }

    fn opened(&self, text: &str, binding: &str) -> Option<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (values, code) = bytes.split_at_checked(bytes.len().checked_sub(CODE_LENGTH)?)?;
        let genuine: bool = subtle::ConstantTimeEq::ct_eq(self.code(values, binding).as_slice(), code).into();
        let (values, rest) = values.as_chunks::<8>();
        (genuine && rest.is_empty()).then(|| Cursor(values.iter().map(|v| i64::from_be_bytes(*v)).collect()))
    }

    fn code(&self, values: &[u8], binding: &str) -> [u8; CODE_LENGTH] {
        let digest = self.0.digest(&[binding.as_bytes(), &[0], values].concat());
        std::array::from_fn(|i| digest[i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_cursor_is_good_for_its_own_list_alone() {
        let ring = KeyRing::generate(Timestamp::from_millis(0)).unwrap();
        let (cursors, again) = (Cursors::new(&ring), Cursors::new(&ring));
        let cursor = Cursor(vec![-5, i64::MAX]);
        let text = cursors.seal(&cursor, "orders status=pending");
        assert_eq!(again.open(&text, "orders status=pending").unwrap(), cursor);
        assert!(cursors.open(&text, "orders status=draft").unwrap_err().is(&problem::INVALID_CURSOR));
        let other = Cursors::new(&KeyRing::generate(Timestamp::from_millis(0)).unwrap());
        assert!(other.open(&text, "orders status=pending").is_err());
    }

    #[test]
    fn an_altered_cursor_is_refused() {
        let cursors = Cursors::new(&KeyRing::generate(Timestamp::from_millis(0)).unwrap());
        let text = cursors.seal(&Cursor(vec![1042]), "l");
        for i in 0..text.len() {
            let mut altered = text.clone().into_bytes();
            altered[i] = if altered[i] == b'A' { b'B' } else { b'A' };
            assert!(cursors.open(&String::from_utf8(altered).unwrap(), "l").is_err(), "character {i}");
            assert!(cursors.open(&text[..i], "l").is_err());
        }
    }
}
