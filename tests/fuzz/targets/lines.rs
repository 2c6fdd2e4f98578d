//! The lines of an import: they do not depend on the chunks in which the body arrives.

#![no_main]

use axum::body::{Body, Bytes};
use futures_util::stream;
use libfuzzer_sys::fuzz_target;
use orderd::api::input::lines::Lines;
use std::{convert::Infallible, sync::LazyLock};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

fuzz_target!(|data: &[u8]| {
    let Some((&size, data)) = data.split_first() else { return };
    let pieces: Vec<_> = data.chunks(usize::from(size).max(1)).map(Bytes::copy_from_slice).collect();
    let body = Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
    let read = RUNTIME.block_on(async {
        let (mut lines, mut read) = (Lines::of(body), vec![]);
        while let Some((number, line)) = lines.next().await {
            read.push((number, line.expect("no line is long")));
        }
        read
    });
    let mut written: Vec<_> = data.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    // There is no line after the last line end.
    written.pop_if(|last| last.is_empty());
    // A byte order mark before the first line is passed over.
    let mark = "\u{feff}".as_bytes();
    if let Some(first) = written.first_mut().filter(|first| first.starts_with(mark)) {
        first.drain(..mark.len());
    }
    assert_eq!(read, (1..).zip(written).collect::<Vec<_>>(), "in pieces of {size}");
});
