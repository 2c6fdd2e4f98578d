//! Cursors of lists: opaque to clients, authenticated, and valid only for the list that issued them. A cursor stays
//! valid across restarts as long as the signing key does.

use super::{Mac, token::KeyRing};
use crate::error::{Error, Result, problem};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Bytes of the authentication tag: 128 bits of HMAC-SHA256 (RFC 2104, section 5).
const TAG_LENGTH: usize = 16;

/// The sort values of the last entry of a page. The next page begins after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub Vec<i64>);

/// Seals and opens cursors.
pub struct Cursors(Mac);

impl Cursors {
    /// Derives the key for cursors from the key ring.
    pub fn new(ring: &KeyRing) -> Self {
        Self(Mac::new(ring, b"cursor"))
    }

    /// The text of a cursor. `binding` describes the list that it is valid for.
    pub fn seal(&self, cursor: &Cursor, binding: &str) -> String {
        let mut bytes: Vec<u8> = cursor.0.iter().flat_map(|value| value.to_be_bytes()).collect();
        let tag = self.tag(&bytes, binding);
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the text of a cursor.
    ///
    /// # Errors
    /// `invalid_cursor` if this service did not issue it, it was altered, or it belongs to another list.
    pub fn open(&self, text: &str, binding: &str) -> Result<Cursor> {
        self.verified(text, binding).ok_or_else(|| Error::new(&problem::INVALID_CURSOR))
    }

    fn verified(&self, text: &str, binding: &str) -> Option<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (values, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_LENGTH)?)?;
        let genuine: bool = subtle::ConstantTimeEq::ct_eq(self.tag(values, binding).as_slice(), tag).into();
        let (values, rest) = values.as_chunks::<8>();
        (genuine && rest.is_empty()).then(|| Cursor(values.iter().map(|v| i64::from_be_bytes(*v)).collect()))
    }

    fn tag(&self, values: &[u8], binding: &str) -> [u8; TAG_LENGTH] {
        let digest = self.0.digest(&[binding.as_bytes(), &[0], values].concat());
        std::array::from_fn(|i| digest[i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_cursor_is_valid_only_for_its_own_list() {
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
