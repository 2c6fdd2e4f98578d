//! The body of an error, as clients see it (RFC 9457).

use super::status;
use crate::{
    api::input::fault::{self, HEADER, PARAMETER},
    error::{Category, Error, Fault, Problem, problem},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap};

/// A problem (RFC 9457), with the extensions of this service.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemBody<'a> {
    /// The address of the page that explains this kind of problem.
    #[serde(rename = "type")]
    #[schemars(extend("format" = "uri-reference"))]
    kind: String,
    /// A short name of the kind of problem; the same for every occurrence.
    title: &'a str,
    /// The HTTP status.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// An explanation of this occurrence.
    detail: String,
    /// The path of the request.
    #[schemars(extend("format" = "uri-reference"))]
    instance: &'a str,
    /// The kind of problem, for programs. It never changes.
    code: &'a str,
    /// The identifier of the request, which is also in `X-Request-Id` and in the logs.
    request_id: &'a str,
    /// Whether the same request may succeed later without being changed.
    retryable: bool,
    /// Every fault of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FaultBody<'a>>,
    /// Further members of this kind of problem, such as `current_version`.
    #[serde(flatten)]
    members: BTreeMap<&'a str, &'a Value>,
}

/// One fault of a request.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Fault")]
struct FaultBody<'a> {
    /// The place in the body, as a JSON pointer (RFC 6901) in a URI fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<Cow<'a, str>>,
    /// The name of the query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<Cow<'a, str>>,
    /// The name of the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Cow<'a, str>>,
    /// The kind of fault, for programs.
    code: &'a str,
    /// A description of a correct value.
    detail: &'a str,
}

impl<'a> ProblemBody<'a> {
    /// The body that reports `error` to the request `request_id` for the path `instance`.
    pub fn new(error: &'a Error, instance: &'a str, request_id: &'a str) -> Self {
        let problem = error.problem();
        Self {
            kind: format!("/problems/{}", problem.slug()),
            title: problem.title,
            status: status(problem.category).as_u16(),
            detail: detail(error),
            instance,
            code: problem.code,
            request_id,
            retryable: problem.retryable(),
            errors: error.faults().iter().map(FaultBody::from).collect(),
            members: error.members().iter().map(|(name, value)| (*name, value)).collect(),
        }
    }

    /// The same for an address that allows these methods.
    #[must_use]
    pub fn allowing(self, methods: &str) -> Self {
        Self { detail: format!("{} Use one of these methods: {methods}.", problem::METHOD_NOT_ALLOWED.meaning), ..self }
    }

    /// The same with the page of the problem below this address.
    #[must_use]
    pub fn below(self, base: &str) -> Self {
        Self { kind: format!("{base}{}", self.kind), ..self }
    }
}

/// The explanation of this occurrence, which says what to do. Without one it is the first fault, and without faults the
/// text of the kind's page.
fn detail(error: &Error) -> String {
    let Problem { meaning, remedy, category, .. } = error.problem();
    match (error.public_detail(), error.faults()) {
        (Some(detail), _) if is_followed_by_remedy(*category) => format!("{detail} {remedy}"),
        (Some(detail), _) => detail.to_owned(),
        (None, []) => format!("{meaning} {remedy}"),
        (None, [only]) => format!("{} {}.", place(only), only.detail),
        (None, [first, rest @ ..]) => {
            format!("{} {} (and {} more; see errors).", place(first), first.detail, rest.len())
        }
    }
}

/// Whether the remedy of the kind follows an explanation. In the other categories the explanation itself names what
/// would be correct, or what to do depends on the occurrence.
const fn is_followed_by_remedy(category: Category) -> bool {
    matches!(
        category,
        Category::Unauthenticated
            | Category::Conflict
            | Category::VersionMismatch
            | Category::TooLarge
            | Category::RateLimited
            | Category::Unavailable
    )
}

/// The place of `fault`: a pointer, a parameter or a header.
pub(crate) fn place(fault: &Fault) -> Cow<'_, str> {
    fault::place(fault).1
}

impl<'a> From<&'a Fault> for FaultBody<'a> {
    fn from(fault: &'a Fault) -> Self {
        let body = Self { pointer: None, parameter: None, header: None, code: fault.code, detail: &fault.detail };
        match fault::place(fault) {
            (PARAMETER, name) => Self { parameter: Some(name), ..body },
            (HEADER, name) => Self { header: Some(name), ..body },
            (_, pointer) => Self { pointer: Some(pointer), ..body },
        }
    }
}
