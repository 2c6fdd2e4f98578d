//! The audit trail: how an action that concerns access or money can end.

use super::string_enum::string_enum;

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
