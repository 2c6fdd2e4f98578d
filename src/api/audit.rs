//! The audit trail over HTTP.

use super::{
    input::{list::ListRequest, parsed::Parsed},
    output::list,
};
use crate::{
    app::App,
    auth::Actor,
    domain::{
        audit::{AuditFilter, AuditOutcome},
        time::Timestamp,
    },
    error::Result,
    service::audit,
};
use axum::{extract::State, response::Response};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which entries to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListAudit {
    /// The actor: `usr_…`, `key_…`, `system` or `anonymous`.
    #[schemars(length(min = 1, max = 64))]
    actor_id: Option<String>,
    /// The action: an `operationId`.
    #[schemars(length(min = 1, max = 64))]
    action: Option<String>,
    /// What was acted on: an identifier or a name.
    #[schemars(length(min = 1, max = 255))]
    target: Option<String>,
    /// How the action ended.
    outcome: Option<Parsed<AuditOutcome>>,
    /// Entries recorded at this time or later.
    from: Option<Parsed<Timestamp>>,
    /// Entries recorded before this time.
    to: Option<Parsed<Timestamp>>,
}

impl From<ListAudit> for AuditFilter {
    fn from(parameters: ListAudit) -> Self {
        Self {
            actor: parameters.actor_id,
            action: parameters.action,
            target: parameters.target,
            outcome: parameters.outcome.map(|outcome| outcome.0),
            from: parameters.from.map(|time| time.0),
            to: parameters.to.map(|time| time.0),
        }
    }
}

/// Lists audit entries, newest first.
pub(super) async fn list(
    State(app): State<App>,
    actor: Actor,
    ListRequest { filter, options }: ListRequest<ListAudit>,
) -> Result<Response> {
    let filter = AuditFilter::from(filter);
    let binding = format!("audit.list {filter:?}");
    let find = move |app, actor, page| {
        let filter = filter.clone();
        async move { audit::list(&app, &actor, filter, page).await }
    };
    list::answer(app, actor, options, binding, find).await
}
