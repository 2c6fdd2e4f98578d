//! The `Idempotency-Key` header. What a key does is the service's matter.

use crate::error::{Error, Fault, Result, problem};
use axum::http::HeaderMap;

/// The longest `Idempotency-Key`, in characters.
const MAX_KEY: usize = 255;

/// The `Idempotency-Key`: bare, or quoted as an RFC 8941 string, sent once.
///
/// # Errors
/// `invalid_idempotency_key` if it is malformed or repeated.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let mut sent = headers.get_all("idempotency-key").iter();
    let Some(value) = sent.next() else { return Ok(None) };
    let refused = |code, detail: &str| {
        Error::new(&problem::INVALID_IDEMPOTENCY_KEY).with_faults(vec![Fault::header("Idempotency-Key", code, detail)])
    };
    if sent.next().is_some() {
        return Err(refused("repeated", "must be sent once"));
    }
    let key = value.to_str().ok().and_then(unquoted);
    let key = key.filter(|key| (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|c| (0x21..=0x7e).contains(&c)));
    key.map(Some).ok_or_else(|| refused("invalid_format", "must be 1 to 255 printable ASCII characters without spaces"))
}

/// The content of an RFC 8941 string; text that does not begin with a quote is returned as it is.
fn unquoted(text: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix('"') else { return Some(text.to_owned()) };
    let inner = rest.strip_suffix('"')?;
    let mut content = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => return None,
            '\\' => content.push(characters.next().filter(|c| matches!(c, '"' | '\\'))?),
            c => content.push(c),
        }
    }
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|v| ("idempotency-key".parse().unwrap(), HeaderValue::from_str(v).unwrap())).collect()
    }

    #[test]
    fn keys_are_bare_or_quoted() {
        for (sent, read) in [("abc", "abc"), ("\"abc\"", "abc"), (r#""a\"b\\c""#, r#"a"b\c"#), ("a\"b", "a\"b")] {
            assert_eq!(idempotency_key(&headers(&[sent])).unwrap().as_deref(), Some(read));
        }
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn malformed_and_repeated_keys_are_refused() {
        let long = "k".repeat(MAX_KEY + 1);
        for sent in ["", "a b", "\"abc", "\"\"", "\"a\\b\"", "ä", long.as_str()] {
            let error = idempotency_key(&headers(&[sent])).unwrap_err();
            assert!(error.is(&problem::INVALID_IDEMPOTENCY_KEY), "{sent}");
        }
        assert!(idempotency_key(&headers(&["a", "a"])).is_err());
    }
}
