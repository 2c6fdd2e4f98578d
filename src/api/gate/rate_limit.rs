//! Counts a request against the rate limit of its caller and reports the state of that limit in headers. The counters
//! themselves are in `auth`.

use crate::{
    api::context::Context,
    app::App,
    auth::{
        Actor, Principal,
        rate_limit::{AnonymousBucket, RateLimitState, WINDOW},
    },
    domain::time::Timestamp,
    error::{Error, Result, problem},
};
use axum::http::{HeaderMap, HeaderValue};

/// Counts the request against the limit of its caller or, without valid credentials, against this bucket of its
/// address.
pub(super) fn count(app: &App, context: &Context, caller: Option<&Actor>, bucket: AnonymousBucket) -> Result<()> {
    let now = app.clock.now();
    let state = match (caller, context.address) {
        (Some(actor), _) => app.request_limits.count_principal(actor.principal, now),
        (None, Some(address)) => app.request_limits.count_address(address, bucket, now),
        (None, None) => None,
    };
    let Some(state) = state else { return Ok(()) };
    let _ = context.rate_limit.set(state);
    if state.remaining.is_none() {
        return Err(exceeded(caller, state, now));
    }
    Ok(())
}

/// Says which limit is used up, and until when.
fn exceeded(caller: Option<&Actor>, state: RateLimitState, now: Timestamp) -> Error {
    let whose = match caller.map(|actor| actor.principal) {
        Some(Principal::ApiKey { .. }) => "this API key",
        Some(_) => "this user",
        None => "requests without valid credentials from this address",
    };
    let (limit, until) = (state.limit, now.plus(state.resets_in));
    Error::new(&problem::RATE_LIMITED)
        .detail(format!("The limit of {limit} requests a minute for {whose} is used up until {until}."))
        .retry_after(state.resets_in)
}

/// Adds the headers of draft-ietf-httpapi-ratelimit-headers.
pub(super) fn add_headers(state: &RateLimitState, headers: &mut HeaderMap) {
    let (remaining, seconds) = (state.remaining.unwrap_or_default(), state.resets_in.as_millis().div_ceil(1000));
    let texts = [
        ("ratelimit-policy", format!("\"default\";q={};w={}", state.limit, WINDOW.as_secs())),
        ("ratelimit", format!("\"default\";r={remaining};t={seconds}")),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}
