//! The audit trail: how an audited action can end, and which entries a list holds.

use super::{string_enum::string_enum, time::Timestamp};

/// How an audited action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It was done.
    Success,
    /// It was tried and failed.
    Failure,
    /// It was not permitted.
    Denied,
}

string_enum!(AuditOutcome { Success "success", Failure "failure", Denied "denied" });

/// A filter of audit entries. An entry passes if it meets every condition; an absent condition is met by all.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// This actor acted.
    pub actor: Option<String>,
    /// The action was this operation.
    pub action: Option<String>,
    /// It acted on this: an identifier or a name.
    pub target: Option<String>,
    /// It ended like this.
    pub outcome: Option<AuditOutcome>,
    /// It was recorded at this time or later.
    pub from: Option<Timestamp>,
    /// It was recorded before this time.
    pub to: Option<Timestamp>,
}
