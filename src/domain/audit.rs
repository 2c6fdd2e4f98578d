//! The audit trail: how an action that concerns access or money can end.

use super::names::names;

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

names!(Outcome { Success "success", Failure "failure", Denied "denied" });
