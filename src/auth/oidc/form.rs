//! Text in the forms that providers read.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

/// Characters that need no encoding in a form or a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Names and values as a form or a query has them.
pub fn form(pairs: &[(&str, &str)]) -> Zeroizing<String> {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={}", *encoded(value))).collect();
    Zeroizing::new(pairs.join("&"))
}

/// The value of `Authorization` with which a client proves itself to its provider (`client_secret_basic`). Both parts
/// are encoded like a form before they are joined (RFC 6749, section 2.3.1).
pub fn basic(client_id: &str, secret: &str) -> Zeroizing<String> {
    let pair = Zeroizing::new(format!("{}:{}", *encoded(client_id), *encoded(secret)));
    Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

fn encoded(text: &str) -> Zeroizing<String> {
    Zeroizing::new(utf8_percent_encode(text, PLAIN).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded() {
        assert_eq!(*form(&[("a", "b c&d=ü"), ("e", "-._~")]), "a=b%20c%26d%3D%C3%BC&e=-._~");
        assert_eq!(*basic("a b", "c:d"), format!("Basic {}", STANDARD.encode("a%20b:c%3Ad")));
    }
}
