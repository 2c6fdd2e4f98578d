//! One error for the whole service: what the caller can do about it, what may be said in public, and the
//! cause that only the log sees. It knows nothing of HTTP: [`Class`] becomes a status in `api/problem.rs`.

mod catalogue;

pub use catalogue::{ALL, problem};

use std::{error::Error as StdError, fmt, time::Duration};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do about a problem; `api/problem.rs` turns each into one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Mend the syntax, a header or a parameter.
    Malformed,
    /// Present valid credentials.
    Unauthenticated,
    /// Nothing: the caller may never do this.
    Forbidden,
    /// Look elsewhere: it does not exist, or not for this caller.
    Absent,
    /// Use one of the allowed methods.
    MethodNotAllowed,
    /// Send the body faster.
    SlowBody,
    /// Read the present state, then decide anew.
    Conflict,
    /// Read the present version, then try again.
    VersionMismatch,
    /// Send less.
    TooLarge,
    /// Send another media type.
    UnsupportedMedia,
    /// Mend the meaning of the request.
    Invalid,
    /// Say which version is meant.
    PreconditionRequired,
    /// Slow down.
    RateLimited,
    /// Report it; the fault is ours.
    Internal,
    /// Try again later.
    Unavailable,
}

/// What it helps to send the same request again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Nothing.
    Useless,
    /// Perhaps something.
    MayHelp,
    /// It does help, and the answer says how long to wait.
    For,
}

impl Class {
    /// What waiting does about it.
    pub const fn waiting(self) -> Waiting {
        match self {
            Self::RateLimited | Self::Unavailable => Waiting::For,
            Self::SlowBody => Waiting::MayHelp,
            Self::Malformed
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::Absent
            | Self::MethodNotAllowed
            | Self::Conflict
            | Self::VersionMismatch
            | Self::TooLarge
            | Self::UnsupportedMedia
            | Self::Invalid
            | Self::PreconditionRequired
            | Self::Internal => Waiting::Useless,
        }
    }
}

/// A kind of problem: an entry of the catalogue, and a page under `/problems/`.
#[derive(Debug)]
pub struct Problem {
    /// Stable identifier; with hyphens it is the page's slug.
    pub code: &'static str,
    /// What the caller can do about it.
    pub class: Class,
    /// Short summary, the same for every occurrence (RFC 9457 `title`).
    pub title: &'static str,
    /// What it means, for the page.
    pub meaning: &'static str,
    /// What to do, for the page.
    pub remedy: &'static str,
}

impl Problem {
    /// The last segment of the problem's page, `/problems/<slug>`.
    pub fn slug(&self) -> String {
        self.code.replace('_', "-")
    }

    /// Whether the same request may succeed later without being changed.
    pub fn retryable(&self) -> bool {
        self.class.waiting() != Waiting::Useless
    }
}

/// One fault of a request: where it is, what kind it is, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it is.
    pub at: Place,
    /// Stable machine-readable code, such as `too_large`.
    pub code: &'static str,
    /// What would be right, for a person.
    pub detail: String,
}

/// Where a fault is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the body, as a JSON pointer in URI-fragment form.
    Pointer(String),
    /// In the query parameter of this name.
    Parameter(String),
    /// In the header of this name.
    Header(&'static str),
}

impl Fault {
    /// A fault in the body at `pointer` (`#/amount`).
    pub fn body(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { at: Place::Pointer(pointer.into()), code, detail: detail.into() }
    }

    /// A fault of the query parameter `name`.
    pub fn parameter(name: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { at: Place::Parameter(name.into()), code, detail: detail.into() }
    }

    /// A fault of the header `name`.
    pub fn header(name: &'static str, code: &'static str, detail: impl Into<String>) -> Self {
        Self { at: Place::Header(name), code, detail: detail.into() }
    }
}

/// Why something could not be done.
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
    /// An error of this kind, with the kind's own words.
    pub fn new(problem: &'static Problem) -> Self {
        Self(Box::new(Inner { problem, detail: None, faults: vec![], members: vec![], retry_after: None, cause: None }))
    }

    /// The faults of a request as one error.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        Self::new(&problem::VALIDATION_FAILED).with_faults(faults)
    }

    /// A fault of ours. `cause` goes to the log, never to the caller.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(&problem::INTERNAL).caused_by(cause)
    }

    /// Nothing there, or nothing that this caller may see.
    pub fn absent() -> Self {
        Self::new(&problem::NOT_FOUND)
    }

    /// What is particular to this occurrence, for a person; must hold nothing internal.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds every fault found.
    #[must_use]
    pub fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.0.faults.extend(faults);
        self
    }

    /// Adds an extension member to the problem body (RFC 9457, section 3.2).
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.0.members.push((name, value.into()));
        self
    }

    /// When to try again.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The internal cause, for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The kind.
    pub fn problem(&self) -> &'static Problem {
        self.0.problem
    }

    /// Particular to this occurrence, if anything is.
    pub fn public_detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Every fault found in the request.
    pub fn faults(&self) -> &[Fault] {
        &self.0.faults
    }

    /// Extension members.
    pub fn members(&self) -> &[(&'static str, serde_json::Value)] {
        &self.0.members
    }

    /// When to try again; always said where waiting helps.
    pub fn wait(&self) -> Option<Duration> {
        let default = self.0.problem.class.waiting() == Waiting::For;
        self.0.retry_after.or(default.then_some(Duration::from_secs(1)))
    }

    /// The internal cause, for the log only.
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync)> {
        self.0.cause.as_deref()
    }

    /// Whether this is an error of that kind.
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
