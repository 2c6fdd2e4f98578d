//! JSON that the database stores, as a part of a document. It is copied unchanged: to check it by parsing it again
//! would take ten times as long as reading it.

use crate::error::{Error, Result};
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;
use std::io::{self, Write};

/// The text of a JSON value that this program stored. Only [`to_json`] writes it as JSON.
#[derive(Debug)]
pub struct StoredJson<T = String>(pub T);

impl<T: AsRef<str>> StoredJson<T> {
    /// The most bytes of a page of these, with `around` bytes of other fields for each.
    pub fn length_of_page<'a>(entries: impl IntoIterator<Item = &'a Self>, around: usize) -> usize
    where
        T: 'a,
    {
        entries.into_iter().map(|entry| entry.0.as_ref().len() + around).sum::<usize>() + TYPICAL_DOCUMENT_BYTES
    }
}

impl<T: AsRef<str>> Serialize for StoredJson<T> {
    /// No other part of a document is bytes.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_ref().as_bytes())
    }
}

/// Writes bytes as the JSON that they are, and everything else as [`serde_json::to_vec`] does.
struct CopiesStoredJson;

impl Formatter for CopiesStoredJson {
    fn write_byte_array<W: Write + ?Sized>(&mut self, writer: &mut W, stored: &[u8]) -> io::Result<()> {
        writer.write_all(stored)
    }
}

/// Bytes in which most documents fit. A page grows from here in few steps.
pub const TYPICAL_DOCUMENT_BYTES: usize = 2048;

/// A document as JSON, with the stored JSON in it. `expected` bytes are reserved for it: a page that grows to its
/// length is copied several times.
///
/// # Errors
/// `INTERNAL` if a part of it has no form in JSON.
pub fn to_json(document: &impl Serialize, expected: usize) -> Result<Vec<u8>> {
    let mut json = Vec::with_capacity(expected);
    document
        .serialize(&mut serde_json::Serializer::with_formatter(&mut json, CopiesStoredJson))
        .map_err(Error::internal)?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stored_json_is_copied_and_the_rest_is_written_as_json() {
        let stored = || StoredJson(r#"{"a" : "é\n", "b":1.50}"#);
        let document = json!({"text": "\"quoted\"", "list": [1, null]});
        let written = to_json(&(stored(), &document, [stored()]), 0).unwrap();
        let expected = format!(r"[{0},{document},[{0}]]", stored().0);
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }
}
