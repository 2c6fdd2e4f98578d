//! SHA-256 (FIPS 180-4) over several parts, each preceded by its length so that no two lists of parts
//! look alike; or over bytes as they come.

use sha2::{Digest, Sha256};

/// The digest of `parts`.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The digest of bytes that come one piece after the other, as `sha256sum` has it.
#[derive(Default)]
pub struct Running(Sha256);

impl Running {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// The SHA-256 of `text` in hexadecimal, as `sha256sum` prints it.
pub fn hex_sha256(text: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(text).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
