//! A key ring that is the same in every run, so that a finding can be reproduced.

use orderd::auth::token::KeyRing;
use std::io::Write;

/// The content of the key file.
const FILE: &str = r#"{"keys":[{"kid":"0123456789abcdef","secret":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","created_at":"2026-11-23T03:14:11Z","not_after":null}]}"#;

/// The key ring, with one signing key.
pub fn ring() -> KeyRing {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file, which is private");
    file.write_all(FILE.as_bytes()).expect("room for a key");
    KeyRing::load(file.path()).expect("a sound key file")
}
