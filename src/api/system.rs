//! Probes, the version, the metrics, and a copy of everything.

use super::operation::SQLITE;
use crate::{
    app::{App, readiness::Working},
    auth::Actor,
    error::{Error, Result, problem},
    service::{self, backups},
    telemetry::metrics::page,
};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::stream;
use schemars::JsonSchema;
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// How long the writer may take to show that it lives.
const PROBE_TIME: Duration = Duration::from_secs(2);
/// How long making a copy of everything may take.
pub(super) const COPY_TIME: Duration = Duration::from_hours(1);

/// That the process is up.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Live {
    /// `ok`.
    status: &'static str,
}

/// That requests can be served.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Ready {
    /// `ok`; what is not is the problem `not_ready`.
    status: &'static str,
    /// What an acknowledged write survives: `full` (a power cut) or `normal` (a crash of the process).
    durability: &'static str,
    /// What was checked.
    checks: Vec<Check>,
}

/// One condition of being ready.
#[derive(Debug, Serialize, JsonSchema)]
struct Check {
    /// What was checked.
    name: &'static str,
    /// Whether it holds.
    ok: bool,
    /// What an operator should know.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
}

/// What is running here.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Version {
    /// The program.
    name: &'static str,
    /// Its version, as semantic versioning has it.
    #[serde(rename = "version")]
    number: &'static str,
    /// The SQLite that is part of it.
    sqlite: &'static str,
}

/// The process is up.
pub(super) async fn live() -> Json<Live> {
    Json(Live { status: "ok" })
}

/// Whether requests can be served.
///
/// # Errors
/// `not_ready` with the checks, if one of them fails.
pub(super) async fn ready(State(app): State<App>) -> Result<Json<Ready>> {
    let check = |name, ok, detail| Check { name, ok, detail: (!ok).then_some(detail) };
    let look = async {
        let writer = app.store.writable(PROBE_TIME).await;
        Working { writer, schema: app.store.schema_is_current().await, disk: app.store.has_room() }
    };
    let working = app.readiness.working(&app.clock, look).await;
    let checks = vec![
        check("writer", working.writer, "the writer does not answer"),
        check("schema", working.schema, "the file cannot be read, or another program has changed it"),
        check("disk", working.disk, "the disk is full, or almost"),
        check("accepting", !app.is_draining(), "the service is stopping"),
    ];
    let failing: Vec<_> =
        checks.iter().filter_map(|check| Some(format!("{}: {}", check.name, check.detail?))).collect();
    if failing.is_empty() {
        return Ok(Json(Ready { status: "ok", durability: app.config.db.durability.name(), checks }));
    }
    let checks = serde_json::to_value(checks).map_err(Error::internal)?;
    Err(Error::new(&problem::NOT_READY).detail(failing.join("; ")).member("checks", checks))
}

/// What is running here.
pub(super) async fn version() -> Json<Version> {
    Json(Version { name: "orderd", number: env!("CARGO_PKG_VERSION"), sqlite: App::sqlite_version() })
}

/// A copy of everything as it is now: consistent, verified, and made while writes go on.
pub(super) async fn backup(State(app): State<App>, actor: Actor) -> Result<Response> {
    let download = Arc::new(backups::download(&app, actor).await?);
    let headers = [
        (header::CONTENT_TYPE, SQLITE.to_owned()),
        (header::CONTENT_LENGTH, download.bytes().to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", download.name)),
        (
            header::HeaderName::from_static("repr-digest"),
            format!("sha-256=:{}:", BASE64_STANDARD.encode(download.digest())),
        ),
    ];
    let body = stream::try_unfold(0, move |offset| {
        let chunk = Arc::clone(&download).read(offset);
        async move {
            let chunk = Bytes::from(chunk.await?);
            let next = offset + chunk.len() as u64;
            Ok::<_, Error>((!chunk.is_empty()).then_some((chunk, next)))
        }
    });
    Ok((headers, Body::from_stream(body)).into_response())
}

/// What is counted, in Prometheus's text format.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, page::MEDIA_TYPE)], service::metrics::page(&app)).into_response()
}
