//! Probes, version, metrics and backups over HTTP.

use super::operation::SQLITE;
use crate::{
    app::App,
    auth::Actor,
    error::{Error, Result, problem},
    service::{
        self, backups,
        readiness::{self, Check},
    },
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

/// The longest time that a backup may take.
pub(super) const COPY_TIME: Duration = Duration::from_hours(1);

/// The process is up.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Live {
    /// `ok`.
    status: &'static str,
}

/// The service can serve requests.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Ready {
    /// `ok`. A service that is not ready responds with the problem `not_ready`.
    status: &'static str,
    /// What an acknowledged write survives: `full` (a power cut) or `normal` (a crash of the process).
    durability: &'static str,
    /// The conditions that were checked.
    checks: Vec<Check>,
}

/// The program and its version.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Version {
    /// The name of the program.
    name: &'static str,
    /// Its version (semantic versioning).
    #[serde(rename = "version")]
    number: &'static str,
    /// The version of the SQLite in it.
    sqlite: &'static str,
}

/// Responds as long as the process is up.
pub(super) async fn live() -> Json<Live> {
    Json(Live { status: "ok" })
}

/// Checks whether the service can serve requests.
///
/// # Errors
/// `not_ready` with all checks if one of them fails.
pub(super) async fn ready(State(app): State<App>) -> Result<Json<Ready>> {
    let checks = readiness::check(&app).await;
    let failing: Vec<_> =
        checks.iter().filter_map(|check| Some(format!("{}: {}", check.name, check.detail?))).collect();
    if failing.is_empty() {
        return Ok(Json(Ready { status: "ok", durability: app.config.db.durability.name(), checks }));
    }
    let checks = serde_json::to_value(checks).map_err(Error::internal)?;
    Err(Error::new(&problem::NOT_READY).detail(failing.join("; ")).member("checks", checks))
}

/// Names the program and its version.
pub(super) async fn version() -> Json<Version> {
    Json(Version { name: "orderd", number: env!("CARGO_PKG_VERSION"), sqlite: App::sqlite_version() })
}

/// Sends a copy of the whole database. It is consistent and verified, and writes go on while it is made.
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

/// Sends the metrics in the text format of Prometheus.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, page::MEDIA_TYPE)], service::metrics::page(&app)).into_response()
}
