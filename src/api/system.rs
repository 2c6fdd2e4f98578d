//! Probes, version, metrics and backups over HTTP.

use super::operation::SQLITE;
use crate::{
    app::App,
    auth::Actor,
    domain::money::Currency,
    error::{Error, Result, problem},
    service::{
        self,
        backups::{self, BackupScheduleView},
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
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

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

/// What a client needs to know before anybody logs in.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Settings {
    /// Every currency that an order can have, by code.
    currencies: &'static [CurrencyView],
    /// The time zone of reports that name none, from the IANA database.
    reporting_timezone: String,
    /// The minimum length of a new password, in characters.
    password_min_length: usize,
    /// The version of the server (semantic versioning).
    version: &'static str,
    /// The text of the button that leads to `/v1/auth/oidc`, if signing in there is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    oidc_button: Option<String>,
}

/// A currency of ISO 4217.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Currency")]
struct CurrencyView {
    /// The alphabetic code.
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    code: &'static str,
    /// The digits after the decimal point: an amount is a number of units of 10^−exponent.
    exponent: u16,
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
    Err(Error::new(&problem::NOT_READY).detail(failing.join("; ") + ".").member("checks", checks))
}

/// Names the program and its version.
pub(super) async fn version() -> Json<Version> {
    Json(Version { name: "orderd", number: env!("CARGO_PKG_VERSION"), sqlite: App::sqlite_version() })
}

/// Tells what a client needs to know to show amounts and days, and to ask for a new password.
pub(super) async fn settings(State(app): State<App>) -> Json<Settings> {
    static CURRENCIES: LazyLock<Vec<CurrencyView>> = LazyLock::new(|| {
        let all = Currency::all().iter();
        all.map(|currency| CurrencyView { code: currency.code(), exponent: currency.exponent() }).collect()
    });
    Json(Settings {
        currencies: &CURRENCIES,
        reporting_timezone: app.config.reporting.timezone.iana_name().unwrap_or("UTC").to_owned(),
        password_min_length: app.config.auth.password_min_length,
        version: env!("CARGO_PKG_VERSION"),
        oidc_button: app.config.oidc.issuer.is_some().then(|| app.config.oidc.button.clone()),
    })
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

/// Tells when this server made its last scheduled backup, whether the last attempt failed, and when the next one is
/// due.
pub(super) async fn backup_schedule(State(app): State<App>, actor: Actor) -> Result<Json<BackupScheduleView>> {
    backups::schedule(&app, &actor).map(Json)
}

/// Sends the metrics in the text format of Prometheus.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, page::MEDIA_TYPE)], service::metrics::page(&app)).into_response()
}
