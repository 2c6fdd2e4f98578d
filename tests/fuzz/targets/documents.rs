//! Documents of events: a document is decoded as it was encoded, and other text causes no panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use orderd::{
    domain::{
        id::{Identifier, OrderId},
        time::Timestamp,
    },
    store::events::codec::{self, Context},
};

fuzz_target!(|texts: &str| {
    let (document, first) = texts.split_once('\n').unwrap_or((texts, ""));
    let context = Context::new(OrderId::from_bytes([1; 16]), Timestamp::from_millis(1_700_000_000_000), "system");
    let decoded = |stored: &str, first| {
        let mut text = String::new();
        codec::decode(&mut text, stored, &context, first).map(|()| text)
    };
    for first in [None, Some(first)] {
        let stored = codec::encode(document, &context, first);
        assert_eq!(decoded(&stored, first).as_deref(), Some(document), "{stored:?}");
        // Stored text that was never encoded.
        let _ = decoded(document, first);
    }
});
