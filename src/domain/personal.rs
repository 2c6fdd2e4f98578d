//! Personal data that is kept apart, so that it can be erased while the rows and the history that it belongs to stay.

/// The number of bytes of a digest. A salt is drawn after the content is known, so nobody can prepare two contents with
/// the same digest, and 128 bits are as hard to meet as those of a longer one.
pub const DIGEST_BYTES: usize = 16;

/// Where a piece of personal data is kept, and its salted digest, which hash chains cover in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonalRow {
    /// Its row in the database.
    pub seq: i64,
    /// SHA-256 of salt and content, its first bytes.
    pub digest: [u8; DIGEST_BYTES],
}

/// A JSON document in two parts: what stays, and the personal data in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitDocument {
    /// The document as it is answered.
    pub whole: String,
    /// The document with `null` for personal data; none if it has none.
    pub apart: Option<Apart>,
}

/// A document without its personal data, and where that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apart {
    /// The document with `null` for personal data.
    pub rest: String,
    /// What replaces `null`.
    pub row: PersonalRow,
}

impl SplitDocument {
    /// A document without personal data.
    pub fn impersonal(whole: String) -> Self {
        Self { whole, apart: None }
    }

    /// The document as it is stored.
    pub fn stored(&self) -> &str {
        self.apart.as_ref().map_or(&self.whole, |apart| &apart.rest)
    }

    /// Where the personal data is kept.
    pub fn row(&self) -> Option<PersonalRow> {
        self.apart.as_ref().map(|apart| apart.row)
    }
}
