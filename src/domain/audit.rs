//! The audit trail: how an audited action can end, and which entries a list of the trail has.

use super::{string_enum::string_enum, time::Timestamp};

/// How an audited action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was tried and failed.
    Failure,
    /// It was not permitted.
    Denied,
}

string_enum!(Outcome { Success "success", Failure "failure", Denied "denied" });

/// Which entries of the audit trail to list: those that match every part that is given.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// The actor's identifier, `system` or `anonymous`.
    pub actor: Option<String>,
    /// An operation id.
    pub action: Option<String>,
    /// Recorded then or later.
    pub from: Option<Timestamp>,
    /// Recorded before then.
    pub to: Option<Timestamp>,
}
