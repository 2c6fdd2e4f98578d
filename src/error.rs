//! One error type for the whole service: what the caller can do, what the caller may be told, and the internal cause
//! that only the log records. It knows nothing of HTTP: `api/output/problem.rs` maps each [`Category`] to a status.

mod catalogue;
mod fault;
mod kind;

pub use catalogue::{ALL, problem};
pub use fault::{Fault, FaultLocation, FeeField, Field, ItemField, TransactionField};
pub use kind::{Category, Problem, Retry};

use std::{error::Error as StdError, fmt, time::Duration};

/// The result of a fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation failed.
pub struct Error(Box<Inner>);

struct Inner {
    problem: &'static Problem,
    detail: Option<String>,
    faults: Vec<Fault>,
    members: Vec<(&'static str, serde_json::Value)>,
    retry_after: Option<Duration>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind. Its public detail is the title of the kind until [`Error::detail`] sets another.
    pub fn new(problem: &'static Problem) -> Self {
        Self(Box::new(Inner { problem, detail: None, faults: vec![], members: vec![], retry_after: None, cause: None }))
    }

    /// `validation_failed` with all faults of a request.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        Self::new(&problem::VALIDATION_FAILED).with_faults(faults)
    }

    /// A fault of the service itself. `cause` goes to the log and never to the caller.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(&problem::INTERNAL).caused_by(cause)
    }

    /// `not_found`: the resource does not exist, or the caller may not see it.
    pub fn absent() -> Self {
        Self::new(&problem::NOT_FOUND)
    }

    /// Sets the explanation of this occurrence, for a person. It must not contain anything internal.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds these faults.
    #[must_use]
    pub fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.0.faults.extend(faults);
        self
    }

    /// Names the transaction at this index, from 0, in each fault of one of its fields.
    #[must_use]
    pub fn in_transaction(mut self, index: usize) -> Self {
        self.0.faults.iter_mut().for_each(|fault| fault.put_in_transaction(index));
        self
    }

    /// Adds an extension member to the problem body (RFC 9457, section 3.2).
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.0.members.push((name, value.into()));
        self
    }

    /// Sets how long the caller should wait before the next attempt.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Sets the internal cause, which goes to the log only.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The kind of problem.
    pub fn problem(&self) -> &'static Problem {
        self.0.problem
    }

    /// The explanation of this occurrence, if one was set.
    pub fn public_detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The faults found in the request.
    pub fn faults(&self) -> &[Fault] {
        &self.0.faults
    }

    /// Extension members of the problem body.
    pub fn members(&self) -> &[(&'static str, serde_json::Value)] {
        &self.0.members
    }

    /// How long to wait before the next attempt. Always present where [`Retry::AfterDelay`] applies: one second by
    /// default.
    pub fn wait(&self) -> Option<Duration> {
        let default = self.0.problem.category.retry() == Retry::AfterDelay;
        self.0.retry_after.or(default.then_some(Duration::from_secs(1)))
    }

    /// The internal cause. It goes to the log only.
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.cause.as_deref()
    }

    /// Whether this error is of that kind.
    pub fn is(&self, problem: &Problem) -> bool {
        self.0.problem.code == problem.code
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.problem.code, self.0.detail.as_deref().unwrap_or(self.0.problem.title))?;
        for fault in &self.0.faults {
            write!(f, "; {:?} {}", fault.at, fault.detail)?;
        }
        match &self.0.cause {
            Some(cause) => write!(f, " (caused by: {cause})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {}
