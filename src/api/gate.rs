//! What every operation is behind, as its row in the table says. Checks come in the order that the guide promises:
//! authentication, allowance, whether it is stopping, permission, size and media type of the body, and query parameters
//! where there are none; what follows is for the handler's arguments to check. Then the request waits for its turn, and
//! denials are audited. What no operation is there for is answered here as well.

use super::{
    context::Context,
    input::query::{self, NoParameters},
    operation::{Access, Body as Expected, Operation, in_api},
    output::revalidate,
};
use crate::{
    app::App,
    auth::{
        Actor,
        allowance::{Standing, WINDOW},
    },
    error::{Category, Error, Result, problem},
    service::{access, audit},
};
use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::{sync::Arc, time::Duration};
use tokio::sync::SemaphorePermit;

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
/// How long a request may wait in line before it is worked on. Who comes later than can be served in time is told so
/// while telling is still cheap, and nobody who is served has waited long.
const LINE_TIME: Duration = Duration::from_millis(500);
/// What a handler may take beyond the time limit, so that a write's own word on its outcome comes first.
const GRACE: Duration = Duration::from_secs(1);

/// Checks, then hands on.
pub(super) async fn enter(
    State((app, operation)): State<(App, Arc<Operation>)>,
    request: Request,
    next: Next,
) -> Response {
    let context = request.extensions().get::<Arc<Context>>().cloned();
    let mut response = match prepare(&app, &operation, request).await {
        Err(error) => error.into_response(),
        Ok(request) => work(&app, &operation, request, next).await,
    };
    if let Some(standing) = context.as_ref().and_then(|context| context.standing.get()) {
        tell(standing, response.headers_mut());
    }
    if operation.payloads.len() > 1 {
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    }
    let Some(actor) = context.as_ref().and_then(|context| context.actor.get()) else { return response };
    if let Some(error) = response.extensions().get::<Arc<Error>>()
        && error.problem().category == Category::Forbidden
    {
        audit::denied(&app, actor, operation.id, error.problem().code);
    }
    revalidate::guarded(&app, &operation, actor, response)
}

/// What no operation is there for. It counts like what there is, so that nobody may look for paths as fast as they can.
pub(super) async fn absent(State(app): State<App>, request: Request) -> Response {
    stray(&app, &request, Error::absent())
}

/// A method that the path does not have; it counts likewise.
pub(super) async fn method_not_allowed(State(app): State<App>, request: Request) -> Response {
    stray(&app, &request, Error::new(&problem::METHOD_NOT_ALLOWED))
}

/// What never was a sound request, as whoever took it off the wire found.
pub(super) async fn refuse(request: Request, next: Next) -> Response {
    match request.extensions().get::<Arc<Error>>() {
        Some(error) => super::output::problem::response(Arc::clone(error)),
        None => next.run(request).await,
    }
}

fn stray(app: &App, request: &Request, error: Error) -> Response {
    let context = request.extensions().get::<Arc<Context>>().filter(|_| in_api(request.uri().path()));
    let Some(context) = context else { return error.into_response() };
    let caller = authenticate(app, context, request.headers()).ok();
    let counted = count(app, context, caller.as_ref());
    let mut response = counted.err().unwrap_or(error).into_response();
    if let Some(standing) = context.standing.get() {
        tell(standing, response.headers_mut());
    }
    response
}

/// Has the request worked on, when it is its turn.
async fn work(app: &App, operation: &Operation, request: Request, next: Next) -> Response {
    let _desk = match desk(app, operation).await {
        Ok(desk) => desk,
        Err(error) => return error.into_response(),
    };
    let limit = app.time_limit().saturating_add(operation.waits).saturating_add(GRACE);
    let answered = tokio::time::timeout(limit, next.run(request)).await;
    answered.unwrap_or_else(|_| Error::new(&problem::TIMEOUT).into_response())
}

/// A desk to work at. Who waits for events needs none, and what strangers may do is quick or has a line of its own: their
/// waiting must not keep others from working.
async fn desk<'a>(app: &'a App, operation: &Operation) -> Result<Option<SemaphorePermit<'a>>> {
    if operation.access == Access::Anonymous || !operation.waits.is_zero() {
        return Ok(None);
    }
    match tokio::time::timeout(LINE_TIME, app.request_permits.acquire()).await {
        Ok(desk) => desk.map(Some).map_err(Error::internal),
        Err(_) => Err(Error::new(&problem::OVERLOADED)),
    }
}

async fn prepare(app: &App, operation: &Arc<Operation>, mut request: Request) -> Result<Request> {
    let context = request.extensions().get::<Arc<Context>>().cloned();
    let context = context.ok_or_else(|| Error::internal("a request without context"))?;
    // The operation of a request is known once.
    let _ = context.operation.set(Arc::clone(operation));
    let is_open = operation.access == Access::Anonymous || operation.opened_by.is_some_and(|by| by(&app.config));
    let caller = if is_open { Ok(None) } else { authenticate(app, &context, request.headers()).map(Some) };
    if operation.in_api() {
        count(app, &context, caller.as_ref().ok().and_then(Option::as_ref))?;
        if app.is_draining() {
            return Err(Error::new(&problem::DRAINING));
        }
    }
    if let Some(actor) = caller? {
        let _ = context.actor.set(actor.clone());
        permit(operation, &actor)?;
        request.extensions_mut().insert(actor);
    }
    request.extensions_mut().insert(Arc::clone(operation));
    let request = match operation.body {
        Expected::Json { media, optional, .. } => {
            read_body(app, request, media, optional.then_some(b"{}".as_slice())).await?
        }
        Expected::Stream(media) => {
            media_type(request.headers(), &[media])?;
            request
        }
        Expected::None => request,
    };
    // Operations with parameters read them by themselves; probes and pages take whatever monitors add.
    if operation.query.is_none() && operation.in_api() {
        query::parse::<NoParameters>(request.uri().query().unwrap_or_default())?;
    }
    Ok(request)
}

/// Counts the request against its caller's allowance, or that of the address whence it came without good credentials.
fn count(app: &App, context: &Context, caller: Option<&Actor>) -> Result<()> {
    let now = app.clock.now();
    let standing = match (caller, context.address) {
        (Some(actor), _) => app.allowances.count_principal(actor.principal, now),
        (None, Some(address)) => app.allowances.count_address(address, now),
        (None, None) => None,
    };
    let Some(standing) = standing else { return Ok(()) };
    let _ = context.standing.set(standing);
    if standing.left.is_none() {
        return Err(Error::new(&problem::RATE_LIMITED).retry_after(standing.renewed_in));
    }
    Ok(())
}

/// The headers of draft-ietf-httpapi-ratelimit-headers.
fn tell(standing: &Standing, headers: &mut HeaderMap) {
    let (left, seconds) = (standing.left.unwrap_or_default(), standing.renewed_in.as_millis().div_ceil(1000));
    let texts = [
        ("ratelimit-policy", format!("\"default\";q={};w={}", standing.allowed, WINDOW.as_secs())),
        ("ratelimit", format!("\"default\";r={left};t={seconds}")),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

fn authenticate(app: &App, context: &Context, headers: &HeaderMap) -> Result<Actor> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (sent.next(), sent.next()) else {
        return Err(Error::new(&problem::UNAUTHENTICATED));
    };
    let credentials = value.to_str().ok().and_then(|text| text.split_once(' '));
    match credentials {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            let trace = context.trace.kept(app);
            access::authenticate(app, token.trim_matches(' '), &context.request_id, trace, context.address)
        }
        _ => Err(Error::new(&problem::UNAUTHENTICATED)),
    }
}

fn permit(operation: &Operation, actor: &Actor) -> Result<()> {
    match operation.access {
        Access::Anonymous | Access::SignedIn => Ok(()),
        Access::AnyOf(permissions) if permissions.iter().any(|&p| actor.may(p)) => Ok(()),
        Access::AnyOf(permissions) => {
            let names: Vec<_> = permissions.iter().map(|p| p.name()).collect();
            let detail = format!("{} is needed for this.", names.join(" or "));
            Err(Error::new(&problem::FORBIDDEN).detail(detail))
        }
    }
}

/// Reads the body whole. Where it may be left out, an empty one stands for `absent`.
async fn read_body(app: &App, request: Request, media: &[&str], absent: Option<&'static [u8]>) -> Result<Request> {
    let limit = app.body_limit();
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let (parts, body) = request.into_parts();
    let typed = media_type(&parts.headers, media);
    // An empty body has no type to be wrong; whether it is one shows when it has been read.
    if absent.is_none() || parts.headers.contains_key(header::CONTENT_TYPE) {
        typed.as_ref().map_err(|_| unsupported(media))?;
    }
    let bytes = match tokio::time::timeout(BODY_TIME, Limited::new(body, limit).collect()).await {
        Err(_) => return Err(Error::new(&problem::SLOW_BODY)),
        Ok(Err(e)) if e.is::<LengthLimitError>() => return Err(too_large(limit)),
        Ok(Err(e)) => {
            return Err(Error::new(&problem::INVALID_JSON)
                .detail("The body broke off, or its chunks are malformed.")
                .caused_by(e));
        }
        Ok(Ok(collected)) => collected.to_bytes(),
    };
    let bytes = match absent.filter(|_| bytes.is_empty()) {
        Some(absent) => Bytes::from_static(absent),
        None => typed.map(|()| bytes)?,
    };
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

fn too_large(limit: usize) -> Error {
    Error::new(&problem::BODY_TOO_LARGE).detail(format!("A body may have {limit} bytes.")).member("limit_bytes", limit)
}

fn unsupported(media: &[&str]) -> Error {
    Error::new(&problem::UNSUPPORTED_MEDIA_TYPE).detail(format!("Send {}.", media.join(" or ")))
}

/// Refuses a body that is encoded or of another type than these. Parameters such as `charset=utf-8` are fine.
fn media_type(headers: &HeaderMap, allowed: &[&str]) -> Result<()> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(unsupported(allowed).detail("Send the body without Content-Encoding."));
    }
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    let known = allowed.iter().any(|media| essence.eq_ignore_ascii_case(media));
    if known { Ok(()) } else { Err(unsupported(allowed)) }
}
