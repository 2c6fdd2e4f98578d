//! Headers that we read ourselves: `Idempotency-Key`, held to a second statement of its grammar; `If-Match`; and
//! `traceparent`, which is read as it is written.

#![no_main]

use axum::http::{HeaderMap, HeaderValue, header::IF_MATCH};
use libfuzzer_sys::fuzz_target;
use orderd::{
    api::input::extract::{idempotency_key, if_match},
    domain::trace::TraceParent,
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
        assert!(idempotency_key(&headers).is_err(), "it was sent twice");
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
    assert_eq!(idempotency_key(&quoted).unwrap(), Some(key), "quoted it is another key");
}

/// The key that was sent, by the words of the standard.
fn expected(sent: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(sent).ok()?;
    let key = if text.starts_with('"') {
        let inner = text.get(1..text.len() - 1).filter(|_| text.len() > 1 && text.ends_with('"'))?;
        let left = inner.replace("\\\\", "").replace("\\\"", "");
        // What is left are no escapes; a backslash or a quotation mark among it is a fault.
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

fn tags(headers: &HeaderMap) {
    match if_match(headers) {
        None | Some(ExpectedVersion::Missing | ExpectedVersion::Unspecified) => panic!("it was sent"),
        Some(ExpectedVersion::Any) => {
            let sent: Vec<_> = headers.get_all(IF_MATCH).iter().collect();
            assert!(sent.len() == 1 && sent[0].as_bytes().trim_ascii() == b"*", "{sent:?}");
        }
        Some(ExpectedVersion::OneOf(versions)) => {
            let all: Vec<_> = headers.get_all(IF_MATCH).iter().map(|value| value.as_bytes()).collect();
            let all = String::from_utf8_lossy(&all.join(&b","[..])).into_owned();
            assert!(versions.len() <= all.split(',').count(), "{all}: {versions:?}");
            if let Some(version) = versions.first() {
                assert!(all.contains(&format!("\"{version}\"")), "{all}: {versions:?}");
            }
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
