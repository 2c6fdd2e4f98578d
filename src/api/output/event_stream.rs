//! Server-sent events (the HTML standard, section "Server-sent events"): a response that goes on for as long as its
//! subscription does.

use crate::{
    api::operation::EVENT_STREAM,
    service::events::{Signal, Subscription},
};
use axum::{
    body::{Body, Bytes},
    http::{HeaderName, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use std::{convert::Infallible, fmt::Write};

/// The first lines: how long a client waits before it connects again, in milliseconds.
const RETRY: &str = "retry: 1000\n\n";
/// A comment, which keeps the connection from looking idle.
const ALIVE: &str = ": still here\n\n";

/// Marks a response that checks by itself whether its caller may read on.
#[derive(Clone, Copy)]
pub(crate) struct ChecksItsCaller;

/// Answers with all that the subscription brings, until it ends.
pub(crate) fn respond(subscription: Subscription) -> Response {
    let signals = stream::unfold(subscription, |mut subscription| async move {
        let signal = subscription.next().await?;
        Some((encode(&signal), subscription))
    });
    let parts = stream::iter([Bytes::from_static(RETRY.as_bytes())]).chain(signals);
    // nginx would keep parts back until its buffer is full.
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), "no");
    let body = Body::from_stream(parts.map(Ok::<_, Infallible>));
    let mut response = ([(header::CONTENT_TYPE, EVENT_STREAM)], [unbuffered], body).into_response();
    response.extensions_mut().insert(ChecksItsCaller);
    response
}

fn encode(signal: &Signal) -> Bytes {
    let Signal::Events(events) = signal else { return Bytes::from_static(ALIVE.as_bytes()) };
    let mut text = String::with_capacity(events.iter().map(|event| event.document.len() + 64).sum());
    for event in events {
        // A document has no line break, since it is JSON on one line. Writing to a string cannot fail.
        let _ = write!(text, "id: {}\nevent: {}\ndata: {}\n\n", event.seq, event.kind.name(), event.document);
    }
    text.into()
}
