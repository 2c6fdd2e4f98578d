//! The JSON document of an audit entry.

use super::AsText;
use crate::domain::{audit::AuditOutcome, id::AuditId, time::Timestamp, trace::TraceId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// An action that concerns access or money.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
pub struct AuditView {
    /// Identifier of the entry.
    pub id: AsText<AuditId>,
    /// When it was recorded.
    pub occurred_at: AsText<Timestamp>,
    /// Identifier of the actor: `usr_…`, `key_…`, `system`, or `anonymous` for an unauthenticated caller.
    pub actor: String,
    /// What the actor is called now: the name of the user or API key, or `system`. Null for `anonymous`, and if the
    /// user was erased.
    pub actor_name: Option<String>,
    /// The operation, by its `operationId`.
    pub action: String,
    /// What it acted on: an identifier or a name.
    pub target: Option<String>,
    /// Address that the request came from.
    pub address: Option<String>,
    /// Identifier of the request.
    pub request_id: String,
    /// Identifier of the trace, as in `traceparent`. Present if the request sent one, or if its spans were exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AsText<TraceId>")]
    pub trace_id: Option<AsText<TraceId>>,
    /// How the action ended.
    pub outcome: AsText<AuditOutcome>,
    /// The changes, without secrets.
    pub changes: Map<String, Value>,
}
