//! An entry of the audit trail as clients see it.

use super::AsText;
use crate::domain::{audit::AuditOutcome, id::AuditId, time::Timestamp, trace::TraceId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// An action that concerned access or money.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
pub struct AuditView {
    /// Its identifier.
    pub id: AsText<AuditId>,
    /// When it was recorded.
    pub occurred_at: AsText<Timestamp>,
    /// Who acted: `usr_…`, `key_…`, `system`, or `anonymous` where nobody had proved who they are.
    pub actor: String,
    /// What was done: an `operationId`.
    pub action: String,
    /// To what: an identifier or a name.
    pub target: Option<String>,
    /// From which address.
    pub address: Option<String>,
    /// In which request.
    pub request_id: String,
    /// In which trace, as `traceparent` has it; only where the request named one or its spans were sent to a collector.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AsText<TraceId>")]
    pub trace_id: Option<AsText<TraceId>>,
    /// How it ended.
    pub outcome: AsText<AuditOutcome>,
    /// What changed, without secrets.
    pub changes: Map<String, Value>,
}
