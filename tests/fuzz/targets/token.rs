//! Access tokens: an issued token is accepted, and no alteration of it is. API keys, refresh tokens and set-up tokens:
//! no secret parses as one of another kind, and none parses as another secret.

#![no_main]

mod keys;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use keys::ring;
use libfuzzer_sys::fuzz_target;
use orderd::auth::{
    secret::{Secret, SecretKind},
    token::Tokens,
};
use orderd::domain::time::Timestamp;
use std::sync::LazyLock;

/// The present in all checks.
const NOW: Timestamp = Timestamp::from_millis(1_795_403_651_123);
/// A token that was issued with this key ring at [`NOW`].
const ISSUED: &str = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiIsImtpZCI6IjAxMjM0NTY3ODlhYmNkZWYifQ.eyJpc3MiOiJvcmRlcmQiLCJhdWQiOiJvcmRlcmQtYXBpIiwic3ViIjoidXNyXzAxMDQwZzIwODEwNDBnMjA4MTA0MGcyMDgxIiwic2lkIjoic2VzXzAyMDgxMDQwZzIwODEwNDBnMjA4MTA0MGcyIiwianRpIjoiMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAiLCJpYXQiOjE3OTU0MDM2NTEsIm5iZiI6MTc5NTQwMzY1MSwiZXhwIjoxNzk1NDA0NTUyfQ.xByMcItfn_nhDrYAXgUt8oi-GWhkPOamEfWK4OfY0cA";

static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
    let tokens = Tokens::new(&ring()).expect("a ring that signs");
    assert!(tokens.verify(ISSUED, NOW).is_ok(), "the control: what was issued is accepted");
    tokens
});

fuzz_target!(|data: &[u8]| {
    let Some((&kind, rest)) = data.split_first() else { return };
    let text = match kind % 4 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        1 => edited(rest),
        2 => with_part(rest),
        _ => return secret(&String::from_utf8_lossy(rest)),
    };
    assert_eq!(TOKENS.verify(&text, NOW).is_ok(), text == ISSUED, "{text}");
});

/// The issued token after edits of three bytes each: position, kind of edit, and character.
fn edited(edits: &[u8]) -> String {
    let mut text = ISSUED.as_bytes().to_vec();
    for edit in edits.as_chunks::<3>().0 {
        let (at, c) = (usize::from(edit[0]) * text.len() / 256, edit[2] & 0x7f);
        match edit[1] % 4 {
            0 => text.insert(at.min(text.len()), c),
            1 if at < text.len() => drop(text.remove(at)),
            2 if at < text.len() => text[at] = c,
            // The last character of base64 has unused bits.
            _ => drop(text.pop().map(|last| text.push(last ^ (c & 3)))),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The issued token with its header, payload or signature replaced.
fn with_part(part: &[u8]) -> String {
    let Some((&which, content)) = part.split_first() else { return String::new() };
    let mut parts: Vec<_> = ISSUED.split('.').map(str::to_owned).collect();
    let which = usize::from(which) % parts.len();
    parts[which] = URL_SAFE_NO_PAD.encode(content);
    parts.join(".")
}

fn secret(text: &str) {
    let kinds = [SecretKind::ApiKey, SecretKind::RefreshToken, SecretKind::SetupToken];
    let read: Vec<_> = kinds.into_iter().filter_map(|kind| Some((kind, Secret::parse(kind, text)?))).collect();
    assert!(read.len() <= 1, "one secret of two kinds: {text}");
    for (kind, secret) in read {
        assert!(secret.reveal() == text && text.starts_with(kind.prefix()), "{text}");
    }
}
