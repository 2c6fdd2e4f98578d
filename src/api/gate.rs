//! The checks before every handler, as the operation's row in the table declares them. They run in the order that the
//! guide promises: authentication, rate limit, shutdown, permission, size and media type of the body, and query
//! parameters where an operation has none. The arguments of the handler check the rest. Requests that match no
//! operation are answered here as well.

mod body;
mod rate_limit;

use super::{
    browser,
    context::Context,
    input::query::{self, NoParameters},
    operation::{Access, Body as Expected, Operation, in_api},
    output::revalidate,
};
use crate::{
    app::App,
    auth::{Actor, rate_limit::AnonymousBucket},
    error::{Category, Error, Result, problem},
    service::{access, audit},
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::Route,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::SemaphorePermit;
use tower::ServiceExt;

/// How long a request waits for a permit. A request that cannot start within this time is rejected early.
const PERMIT_WAIT: Duration = Duration::from_millis(500);
/// How much longer than the time limit a handler may run. A write that reaches the limit itself reports its outcome
/// within this time.
const GRACE: Duration = Duration::from_secs(1);

/// Checks a request against its operation, runs the handler, and audits a denial.
pub(super) async fn enter(app: &App, operation: &Arc<Operation>, mut request: Request, handler: Route) -> Response {
    let context = request.extensions().get::<Arc<Context>>().cloned();
    let mut response = match check(app, operation, &mut request).await {
        Err(error) => error.into_response(),
        Ok(()) => run(app, operation, request, handler).await,
    };
    if let Some(state) = context.as_ref().and_then(|context| context.rate_limit.get()) {
        rate_limit::add_headers(state, response.headers_mut());
    }
    if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        body::add_accepted(operation, response.headers_mut());
    }
    if operation.payloads.len() > 1 || !operation.files.is_empty() {
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    }
    let Some(actor) = context.as_ref().and_then(|context| context.actor.get()) else { return response };
    if let Some(error) = response.extensions().get::<Arc<Error>>()
        && error.problem().category == Category::Forbidden
    {
        audit::denied(app, actor, operation.id, error.problem().code);
    }
    revalidate::guarded(app, operation, actor, response)
}

/// Answers requests for unknown paths. They count against the rate limit, so that paths cannot be guessed at full
/// speed.
pub(super) async fn not_found(State(app): State<App>, request: Request) -> Response {
    unmatched(&app, &request, Error::absent())
}

/// Answers requests with a method that the path does not have. They count against the rate limit too.
pub(super) async fn method_not_allowed(State(app): State<App>, request: Request) -> Response {
    unmatched(&app, &request, Error::new(&problem::METHOD_NOT_ALLOWED))
}

fn unmatched(app: &App, request: &Request, error: Error) -> Response {
    let context = request.extensions().get::<Arc<Context>>().filter(|_| in_api(request.uri().path()));
    let Some(context) = context else { return error.into_response() };
    let caller = authenticate(app, context, request.headers()).ok();
    let counted = rate_limit::count(app, context, caller.as_ref(), AnonymousBucket::General);
    let mut response = counted.err().unwrap_or(error).into_response();
    if let Some(state) = context.rate_limit.get() {
        rate_limit::add_headers(state, response.headers_mut());
    }
    response
}

/// Runs the handler within the time limit, once a permit is free.
async fn run(app: &App, operation: &Operation, request: Request, handler: Route) -> Response {
    let _permit = match request_permit(app, operation).await {
        Ok(permit) => permit,
        Err(error) => return error.into_response(),
    };
    let limit = app.time_limit().saturating_add(operation.extra_time).saturating_add(GRACE);
    match tokio::time::timeout(limit, handler.oneshot(request)).await {
        Ok(Ok(response)) => response,
        Err(_) => Error::new(&problem::TIMEOUT).into_response(),
    }
}

/// Waits for a permit to do work. Two kinds of operation need none, because their waiting would keep others from
/// working: those that wait for something to happen, and anonymous ones, which are quick or have a queue of their own.
async fn request_permit<'a>(app: &'a App, operation: &Operation) -> Result<Option<SemaphorePermit<'a>>> {
    if operation.access == Access::Anonymous || !operation.extra_time.is_zero() {
        return Ok(None);
    }
    // Nearly always one is free, and a timer costs more than the permit.
    if let Ok(permit) = app.request_permits.try_acquire() {
        return Ok(Some(permit));
    }
    match tokio::time::timeout(PERMIT_WAIT, app.request_permits.acquire()).await {
        Ok(permit) => permit.map(Some).map_err(Error::internal),
        Err(_) => Err(Error::new(&problem::OVERLOADED)),
    }
}

async fn check(app: &App, operation: &Arc<Operation>, request: &mut Request) -> Result<()> {
    let context = request.extensions().get::<Arc<Context>>().cloned();
    let context = context.ok_or_else(|| Error::internal("a request without context"))?;
    // Each request passes one gate, so the operation is set once.
    let _ = context.operation.set(Arc::clone(operation));
    if operation.in_api() {
        access::current(app).await?;
    }
    let is_public = operation.access == Access::Anonymous || operation.public_if.is_some_and(|is| is(&app.config));
    let caller = if is_public { Ok(None) } else { authenticate(app, &context, request.headers()).map(Some) };
    if operation.in_api() {
        let caller = caller.as_ref().ok().and_then(Option::as_ref);
        rate_limit::count(app, &context, caller, operation.anonymous_bucket)?;
        if app.is_draining() {
            return Err(Error::new(&problem::DRAINING));
        }
    }
    if let Some(actor) = caller? {
        authorize(operation, context.actor.get_or_init(|| actor))?;
    }
    // Lists, reports and streams have addresses that differ in their form alone.
    request.extensions_mut().insert(Arc::clone(operation));
    match operation.body {
        Expected::Json { media, optional, .. } => {
            body::read(app, request, media, optional.then_some(b"{}".as_slice())).await?;
        }
        Expected::Stream(media) => body::check_media_type(request.headers(), &[media])?,
        Expected::None => {}
    }
    // An operation with parameters parses them in its handler. Probes and pages accept any parameter that a monitor
    // adds.
    if operation.query.is_none() && operation.in_api() {
        query::parse::<NoParameters>(request.uri().query().unwrap_or_default())?;
    }
    Ok(())
}

fn authenticate(app: &App, context: &Context, headers: &HeaderMap) -> Result<Actor> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let request = access::RequestIdentity {
        request_id: &context.request_id,
        trace: context.trace.recorded_id(app),
        address: context.address,
    };
    let value = match (sent.next(), sent.next()) {
        (Some(value), None) => value,
        (None, _) => return authenticate_browser(app, context, headers, &request),
        (Some(_), Some(_)) => {
            let detail = "The header `Authorization` was sent more than once.";
            return Err(Error::new(&problem::UNAUTHENTICATED).detail(detail));
        }
    };
    let credentials = value.to_str().ok().and_then(|text| text.split_once(' '));
    match credentials {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            access::authenticate(app, token.trim_matches(' '), &request)
        }
        _ => Err(Error::new(&problem::UNAUTHENTICATED).detail("The header `Authorization` has another form.")),
    }
}

/// Authenticates a request by both halves of a browser's session. A request with `Authorization` is judged by that
/// alone.
fn authenticate_browser(
    app: &App,
    context: &Context,
    headers: &HeaderMap,
    request: &access::RequestIdentity<'_>,
) -> Result<Actor> {
    let (cookies, key) = (browser::session_cookies(context.scheme, headers), browser::console_key(headers));
    match (cookies.as_slice(), &key) {
        ([], None) => Err(Error::new(&problem::UNAUTHENTICATED).detail("The header `Authorization` is missing.")),
        (cookies, Some(key)) if !cookies.is_empty() => access::authenticate_browser(app, cookies, key, request),
        _ => Err(Error::new(&problem::UNAUTHENTICATED)
            .detail("A browser's session needs both its cookie and `X-Console-Key`: sign in again.")),
    }
}

fn authorize(operation: &Operation, actor: &Actor) -> Result<()> {
    if !operation.before_second_factor {
        access::require_second_factor(actor)?;
    }
    match operation.access {
        Access::Anonymous | Access::SignedIn => Ok(()),
        Access::AnyOf(permissions) if permissions.iter().any(|&p| actor.may(p)) => Ok(()),
        Access::AnyOf(permissions) => {
            let names: Vec<_> = permissions.iter().map(|p| p.name()).collect();
            let detail = format!(
                "This needs {}. Ask an administrator for a role or an API key that includes it.",
                names.join(" or ")
            );
            Err(Error::new(&problem::FORBIDDEN).detail(detail))
        }
    }
}
