//! Cursors of lists: a sealed cursor opens to the same value in its own list and in no other, and only text that was
//! sealed here opens.

#![no_main]

mod keys;

use keys::ring;
use libfuzzer_sys::fuzz_target;
use orderd::auth::{Cursor, Cursors};
use std::sync::LazyLock;

static CURSORS: LazyLock<Cursors> = LazyLock::new(|| Cursors::new(&ring()));

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (binding, text) = text.split_once('\n').unwrap_or(("orders.list", &text));
    // Bindings are formatted by the program and contain no NUL.
    let binding = binding.replace('\0', "");
    if let Ok(cursor) = CURSORS.open(text, &binding) {
        assert_eq!(CURSORS.seal(&cursor, &binding), text, "a cursor has a second spelling");
    }

    let (values, _) = data.as_chunks::<8>();
    let cursor = Cursor(values.iter().map(|value| i64::from_be_bytes(*value)).collect());
    let mut sealed = CURSORS.seal(&cursor, &binding);
    assert_eq!(CURSORS.open(&sealed, &binding).expect("it was sealed here"), cursor);
    assert!(CURSORS.open(&sealed, &format!("{binding} ")).is_err(), "the cursor opens in another list");
    let at = data.first().map_or(0, |&byte| usize::from(byte) % sealed.len());
    let altered = if sealed.as_bytes()[at] == b'A' { "B" } else { "A" };
    sealed.replace_range(at..=at, altered);
    assert!(CURSORS.open(&sealed, &binding).is_err(), "an altered cursor opens: {sealed}");
});
