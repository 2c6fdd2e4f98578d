//! SHA-256 (FIPS 180-4) of a list of parts, of a stream of bytes, or of a text.

use sha2::{Digest, Sha256};

/// The digest of `parts`. Each part is preceded by its length, so that different lists have different digests.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The digest of `bytes`; equal to the output of `sha256sum`.
pub fn sha256_of(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The digest of a stream of bytes; equal to the output of `sha256sum`.
#[derive(Default)]
pub struct Running(Sha256);

impl Running {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// The digest of `text` in hexadecimal; equal to the output of `sha256sum`.
pub fn hex_sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// The bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
