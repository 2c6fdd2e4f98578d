//! Whether the service can serve requests. The HTTP status that follows from it is the API's matter.

use crate::app::{App, readiness::Working};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// How long the writer may take to respond.
const WRITER_TIMEOUT: Duration = Duration::from_secs(2);

/// How far the clock of this machine may be from that of PostgreSQL.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2);

/// One condition of being ready.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// Whether the condition holds.
    pub ok: bool,
    /// Why it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'static str>,
}

/// Checks every condition of being ready.
pub async fn check(app: &App) -> Vec<Check> {
    let look = async {
        let writer = app.store.writable(WRITER_TIMEOUT).await;
        Working { writer, schema: app.store.schema_is_current().await, disk: app.store.has_room() }
    };
    let working = app.readiness.working(&app.clock, look).await;
    let check = |name, ok, detail| Check { name, ok, detail: (!ok).then_some(detail) };
    let mut checks = vec![
        check("writer", working.writer, "the writer does not answer"),
        check("schema", working.schema, "the file cannot be read, or another program has changed it"),
        check("disk", working.disk, "the disk is full, or nearly full"),
        check("accepting", !app.is_draining(), "the service is stopping"),
    ];
    if app.config.db.url.is_some() {
        checks.push(check("journal", app.store.journal_is_reachable(), "the journal in PostgreSQL cannot be reached"));
        let is_close = app.store.clock_skew() <= MAX_CLOCK_SKEW;
        let detail = "the clock of this machine and that of PostgreSQL are more than 2 s apart";
        checks.push(check("clock", is_close, detail));
    }
    checks
}
