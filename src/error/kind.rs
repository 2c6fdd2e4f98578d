//! A kind of problem, and what a caller can do about it. The list of all kinds is in `error/catalogue.rs`.

/// What the caller can do about a problem. `api/output/problem.rs` maps each category to one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// Correct the syntax, a header or a parameter.
    Malformed,
    /// Send valid credentials.
    Unauthenticated,
    /// Nothing: this caller may not do this.
    Forbidden,
    /// Check the address: nothing exists there, or this caller may not see it.
    NotFound,
    /// Use one of the allowed methods.
    MethodNotAllowed,
    /// Send the request faster.
    TooSlow,
    /// Read the current state, then decide again.
    Conflict,
    /// Read the current version, then try again.
    VersionMismatch,
    /// Send a smaller body.
    TooLarge,
    /// Send another media type.
    UnsupportedMedia,
    /// Correct the content of the request.
    Invalid,
    /// State which version the change is for.
    PreconditionRequired,
    /// Send fewer requests.
    RateLimited,
    /// Report it: the service is at fault.
    Internal,
    /// Try again later.
    Unavailable,
}

/// Whether the same request can succeed when it is sent again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It fails again.
    Useless,
    /// It may succeed.
    MayHelp,
    /// It may succeed after the time that the response gives in `Retry-After`.
    AfterDelay,
}

impl Category {
    /// Whether to send the same request again.
    pub const fn retry(self) -> Retry {
        match self {
            Self::RateLimited | Self::Unavailable => Retry::AfterDelay,
            Self::TooSlow => Retry::MayHelp,
            Self::Malformed
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::Conflict
            | Self::VersionMismatch
            | Self::TooLarge
            | Self::UnsupportedMedia
            | Self::Invalid
            | Self::PreconditionRequired
            | Self::Internal => Retry::Useless,
        }
    }
}

/// A kind of problem: an entry of the catalogue, and a page under `/problems/`.
#[derive(Debug)]
pub struct Problem {
    /// Stable identifier; with hyphens it is the page's slug.
    pub code: &'static str,
    /// What the caller can do about it.
    pub category: Category,
    /// Short summary, the same for every occurrence (RFC 9457 `title`).
    pub title: &'static str,
    /// What it means, in Markdown, for the page.
    pub meaning: &'static str,
    /// What to do, in Markdown, for the page.
    pub remedy: &'static str,
}

impl Problem {
    /// The last segment of the problem's page, `/problems/<slug>`.
    pub fn slug(&self) -> String {
        self.code.replace('_', "-")
    }

    /// Whether the same request may succeed later without a change.
    pub fn retryable(&self) -> bool {
        self.category.retry() != Retry::Useless
    }
}
