//! Headers that are parsed here: `Idempotency-Key`, compared with a second implementation of its grammar; `If-Match`;
//! and `traceparent`, which is written as it was read.

#![no_main]

use axum::http::{HeaderMap, HeaderValue, header::IF_MATCH};
use libfuzzer_sys::fuzz_target;
use orderd::{
    api::input::{extract::if_match, idempotency_key::idempotency_key},
    domain::trace::TraceParent,
    error::problem,
    service::orders::ExpectedVersion,
};

fuzz_target!(|data: &[u8]| {
    let (first, second) = match data.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&data[..end], Some(&data[end + 1..])),
        None => (data, None),
    };
    let Ok(value) = HeaderValue::from_bytes(first) else { return };
    let mut headers = HeaderMap::new();
    headers.append("idempotency-key", value.clone());
    headers.append(IF_MATCH, value);
    key(first, &headers);
    if let Some(second) = second.and_then(|second| HeaderValue::from_bytes(second).ok()) {
        headers.append("idempotency-key", second.clone());
        assert!(idempotency_key(&headers).is_err(), "a repeated key is accepted");
        headers.append(IF_MATCH, second);
    }
    tags(&headers);
    if let Ok(text) = std::str::from_utf8(first) {
        trace_parent(text);
    }
});

fn key(sent: &[u8], headers: &HeaderMap) {
    let read = idempotency_key(headers).ok().flatten();
    assert_eq!(read, expected(sent), "{:?}", String::from_utf8_lossy(sent));
    let Some(key) = read else { return };
    let quoted = format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
    let quoted = HeaderMap::from_iter([("idempotency-key".parse().unwrap(), HeaderValue::from_str(&quoted).unwrap())]);
    assert_eq!(idempotency_key(&quoted).unwrap(), Some(key), "the quoted key is another key");
}

/// The key by a second implementation of the grammar.
fn expected(sent: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(sent).ok()?;
    let key = if text.starts_with('"') {
        let inner = text.get(1..text.len() - 1).filter(|_| text.len() > 1 && text.ends_with('"'))?;
        let left = inner.replace("\\\\", "").replace("\\\"", "");
        // After all escapes are removed, a backslash or a quotation mark is a fault.
        if left.contains(['"', '\\']) {
            return None;
        }
        inner.replace("\\\\", "\u{1}").replace("\\\"", "\"").replace('\u{1}', "\\")
    } else {
        text.to_owned()
    };
    let printable = key.chars().all(|c| ('!'..='~').contains(&c));
    (printable && (1..=255).contains(&key.len())).then_some(key)
}

/// `If-Match` is refused, or it is `*`, or every version that it names is quoted in it.
fn tags(headers: &HeaderMap) {
    let lines: Vec<_> = headers.get_all(IF_MATCH).iter().map(|value| value.as_bytes()).collect();
    let all = String::from_utf8_lossy(&lines.join(&b","[..])).into_owned();
    match if_match(headers) {
        Err(error) => assert!(error.is(&problem::INVALID_HEADER), "{error}"),
        Ok(None | Some(ExpectedVersion::Missing | ExpectedVersion::Unspecified)) => panic!("it was sent"),
        Ok(Some(ExpectedVersion::Any)) => assert_eq!(all.trim(), "*"),
        Ok(Some(ExpectedVersion::OneOf(versions))) => {
            assert!(all.matches('"').count() >= 2 * versions.len().max(1), "{all}: {versions:?}");
            assert!(versions.iter().all(|version| all.contains(&format!("\"{version}\""))), "{all}: {versions:?}");
        }
    }
}

fn trace_parent(text: &str) {
    let Some(parent) = TraceParent::parse(text) else { return };
    let hexadecimal = |part: &str| part.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
    assert!(text.get(..55).is_some_and(|known| known.split('-').all(hexadecimal)), "{text}");
    let written = format!("00-{}-{}-{:02x}", parent.trace, parent.span, u8::from(parent.sampled));
    assert_eq!(TraceParent::parse(&written), Some(parent), "{text}");
    assert_eq!(written[3..52], text[3..52]);
}
