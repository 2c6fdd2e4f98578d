//! The description of one API operation: one row of the table in `api/routes.rs`. The router, the gate, the OpenAPI
//! document and the authorisation test all read the same rows, so they cannot disagree. No behaviour is implemented
//! here.

mod builder;

pub(crate) use builder::{WithoutAccess, delete, get, patch, post, put, with_files};

use crate::{
    app::App, auth::rate_limit::AnonymousBucket, config::Config, domain::permission::Permission, error::Problem,
};
use axum::{http::Method, routing::MethodRouter};
use schemars::{Schema, SchemaGenerator};
use std::time::Duration;

/// Who may call an operation. The service may restrict further what the caller can do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without credentials.
    Anonymous,
    /// Any caller with valid credentials.
    SignedIn,
    /// Callers with at least one of these permissions.
    AnyOf(&'static [Permission]),
}

/// What an operation does with an `Idempotency-Key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// The key is ignored.
    Ignored,
    /// The key is honoured if it is sent.
    Optional,
    /// The request is refused without a key.
    Required,
}

/// How an operation uses entity tags (RFC 9110, section 8.8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioning {
    /// Not at all.
    None,
    /// The response has an `ETag`.
    Tagged,
    /// The response has an `ETag`, and `If-None-Match` can give 304.
    ConditionalRead,
    /// The response has an `ETag`, and `If-Match` is honoured.
    ConditionalWrite,
}

/// The default media type of bodies.
pub const JSON: &str = "application/json";
/// RFC 7396.
pub const MERGE_PATCH: &str = "application/merge-patch+json";
/// RFC 4180.
pub const CSV: &str = "text/csv";
/// One JSON text per line.
pub const NDJSON: &str = "application/x-ndjson";
/// Server-sent events.
pub const EVENT_STREAM: &str = "text/event-stream";
/// The media type of charts.
pub const SVG: &str = "image/svg+xml";
/// A database file; registered with IANA.
pub const SQLITE: &str = "application/vnd.sqlite3";

/// The request body of an operation.
#[derive(Clone, Copy)]
pub enum Body {
    /// No body; one that is sent is not read.
    None,
    /// One JSON object.
    Json {
        /// Its schema.
        schema: fn(&mut SchemaGenerator) -> Schema,
        /// Whether an empty body is accepted and stands for `{}`.
        optional: bool,
        /// The accepted media types.
        media: &'static [&'static str],
    },
    /// A stream of this media type, which the handler reads.
    Stream(&'static str),
}

/// The body of a successful response.
#[derive(Clone, Copy)]
pub enum Payload {
    /// No content.
    Empty,
    /// A JSON document.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// A short text of this media type, such as metrics.
    Text(&'static str),
    /// A stream or a file of this media type.
    Bytes(&'static str),
}

/// A form in which a list or a report is a file. Its address is that of the list with this ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileForm {
    /// A table.
    Csv,
    /// A line of JSON for each entry.
    Ndjson,
    /// A chart.
    Svg,
}

impl FileForm {
    /// The ending of the address.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Svg => "svg",
        }
    }

    /// The media type.
    pub const fn media(self) -> &'static str {
        match self {
            Self::Csv => CSV,
            Self::Ndjson => NDJSON,
            Self::Svg => SVG,
        }
    }
}

/// One operation.
#[derive(Clone)]
pub struct Operation {
    /// Such as `orders.create`: also the name of the transaction, the metric label, the field of the log line and the
    /// audit action.
    pub id: &'static str,
    /// HTTP method.
    pub method: Method,
    /// Path with `{parameters}`.
    pub path: &'static str,
    /// One line for the documentation.
    pub summary: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whether a user who has to set up a second factor first may call it.
    pub before_second_factor: bool,
    /// A setting that opens it to anyone.
    pub public_if: Option<fn(&Config) -> bool>,
    /// The rate limit of the address that a request without valid credentials counts against.
    pub anonymous_bucket: AnonymousBucket,
    /// What it does with an `Idempotency-Key`.
    pub idempotency: Idempotency,
    /// How it uses entity tags.
    pub versioning: Versioning,
    /// Whether it returns a page of a list (`Link` header).
    pub paged: bool,
    /// The request body.
    pub body: Body,
    /// The schema whose properties are the query parameters.
    pub query: Option<fn(&mut SchemaGenerator) -> Schema>,
    /// The status of success.
    pub status: u16,
    /// Whether success has the status 201 if the resource did not exist before.
    pub may_create: bool,
    /// The body of success, one for each media type; the first is the default.
    pub payloads: Vec<Payload>,
    /// Whether success carries `Location`.
    pub location: bool,
    /// Whether success is a file to be saved (`Content-Disposition`, `Repr-Digest`).
    pub file: bool,
    /// The forms in which it also has a file, each an operation of its own.
    pub files: &'static [FileForm],
    /// The form of the file that it is.
    pub form: Option<FileForm>,
    /// Whether success sets or removes the cookie of a browser's session.
    pub sets_cookie: bool,
    /// Whether it honours `Last-Event-ID`, with which a client goes on after the last event that it has.
    pub resumes: bool,
    /// Whether machines ask it every few seconds, so that the log at its usual level has only its failures.
    pub is_probe: bool,
    /// How much longer than the general time limit it may take.
    pub extra_time: Duration,
    /// Problems beyond those that follow from the other fields.
    pub problems: Vec<&'static Problem>,
    /// The `id` of the operation that reads the created resource.
    pub read_by: Option<&'static str>,
    /// The axum handler.
    pub handler: MethodRouter<App>,
}

impl Operation {
    /// The part of the id before the dot: the tag in the documentation.
    pub fn tag(&self) -> &'static str {
        self.id.split('.').next().unwrap_or(self.id)
    }

    /// The id of the list or report that it is a form of.
    pub fn id_without_ending(&self) -> &'static str {
        let ending = self.form.map_or("", FileForm::ending);
        self.id.strip_suffix(ending).map_or(self.id, |id| id.trim_end_matches('_'))
    }

    /// Whether the rules of the API apply (rate limits, no-store). They do not apply to pages and probes.
    pub fn in_api(&self) -> bool {
        in_api(self.path)
    }
}

/// Whether a path belongs to the API, as opposed to pages and probes.
pub fn in_api(path: &str) -> bool {
    path.starts_with("/v1/")
}
