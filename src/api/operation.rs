//! What one operation of the API is: a row of the table in `routes.rs`. The router, the checks before a handler,
//! the OpenAPI document and the authorisation test all read it, so none of them can drift from the others.

use crate::{
    app::App, auth::rate_limit::AnonymousBucket, config::Config, domain::permission::Permission, error::Problem,
};
use axum::{http::Method, routing::MethodRouter};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::time::Duration;

/// Who may call an operation at all; what exactly they may do with it is for the service to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without credentials.
    Anonymous,
    /// Anybody with valid credentials.
    SignedIn,
    /// Who holds one of these.
    AnyOf(&'static [Permission]),
}

/// What an `Idempotency-Key` does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// Nothing: it is ignored.
    Ignored,
    /// It is honoured when sent.
    Honoured,
    /// It must be sent.
    Required,
}

/// Whether `If-Match` and `If-None-Match` mean something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioned {
    /// No versions.
    No,
    /// The answer has an `ETag`.
    Shown,
    /// The answer has an `ETag`, and `If-None-Match` may give 304.
    Read,
    /// The answer has an `ETag`, and `If-Match` is honoured.
    Write,
}

/// A media type that request bodies come in.
pub const JSON: &str = "application/json";
/// RFC 7396.
pub const MERGE_PATCH: &str = "application/merge-patch+json";
/// RFC 4180.
pub const CSV: &str = "text/csv";
/// One JSON text a line.
pub const NDJSON: &str = "application/x-ndjson";
/// A drawing.
pub const SVG: &str = "image/svg+xml";
/// A database, as IANA has it.
pub const SQLITE: &str = "application/vnd.sqlite3";

/// What the request body is.
#[derive(Clone, Copy)]
pub enum Body {
    /// There is none, and none is read.
    None,
    /// One JSON object; an empty body counts as `{}` where `optional`.
    Json {
        /// Its schema.
        schema: fn(&mut SchemaGenerator) -> Schema,
        /// Whether an empty body is accepted.
        optional: bool,
        /// The media types it may come in.
        media: &'static [&'static str],
    },
    /// A stream that the handler reads by itself.
    Stream(&'static str),
}

/// What a successful answer carries.
#[derive(Clone, Copy)]
pub enum Payload {
    /// No content.
    Empty,
    /// A JSON document.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// Text of this media type, such as a table or a metrics listing.
    Text(&'static str),
    /// Anything else, of this media type.
    Bytes(&'static str),
}

/// An operation of which nobody has said yet who may call it: it is no operation until somebody does.
pub struct Unruled(Operation);

impl Unruled {
    /// An operation without body or parameters that answers 200; the rest is said by the methods below, and who may call
    /// it before anything else.
    pub fn new(
        id: &'static str,
        method: Method,
        path: &'static str,
        summary: &'static str,
        handler: MethodRouter<App>,
    ) -> Self {
        Self(Operation {
            id,
            method,
            path,
            summary,
            access: Access::AnyOf(&[]),
            opened_by: None,
            anonymous_bucket: AnonymousBucket::General,
            idempotency: Idempotency::Ignored,
            versioned: Versioned::No,
            paged: false,
            body: Body::None,
            query: None,
            status: 200,
            may_create: false,
            payloads: vec![],
            location: false,
            file: false,
            waits: Duration::ZERO,
            problems: vec![],
            read_by: None,
            handler,
        })
    }

    /// Anybody may call it, without credentials.
    pub fn anonymous(self) -> Operation {
        Operation { access: Access::Anonymous, ..self.0 }
    }

    /// Needs valid credentials.
    pub fn signed_in(self) -> Operation {
        Operation { access: Access::SignedIn, ..self.0 }
    }

    /// Needs one of these permissions.
    pub fn needs(self, any_of: &'static [Permission]) -> Operation {
        Operation { access: Access::AnyOf(any_of), ..self.0 }
    }
}

/// One operation.
#[derive(Clone)]
pub struct Operation {
    /// Such as `orders.create`: also the name of its transaction, the metric label, the field of the log line and the
    /// action of what is audited.
    pub id: &'static str,
    /// HTTP method.
    pub method: Method,
    /// Path with `{parameters}`.
    pub path: &'static str,
    /// One line for the documentation.
    pub summary: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whether the configuration opens it to anybody.
    pub opened_by: Option<fn(&Config) -> bool>,
    /// Which rate limit of its address a request without credentials counts against.
    pub anonymous_bucket: AnonymousBucket,
    /// What an `Idempotency-Key` does.
    pub idempotency: Idempotency,
    /// Whether versions matter.
    pub versioned: Versioned,
    /// Whether it is a page of a list (`Link` header).
    pub paged: bool,
    /// The request body.
    pub body: Body,
    /// The schema whose properties are the query parameters.
    pub query: Option<fn(&mut SchemaGenerator) -> Schema>,
    /// The status of success.
    pub status: u16,
    /// Whether success is 201 where something was made that was not there.
    pub may_create: bool,
    /// What success carries, one for each media type; the first is the default.
    pub payloads: Vec<Payload>,
    /// Whether success carries `Location`.
    pub location: bool,
    /// Whether success is a file to keep (`Content-Disposition`, `Repr-Digest`).
    pub file: bool,
    /// How long it may wait for something to happen, beyond the time limit of requests.
    pub waits: Duration,
    /// Problems beyond those that follow from the other fields.
    pub problems: Vec<&'static Problem>,
    /// The operation that reads what this one made, by its `id`.
    pub read_by: Option<&'static str>,
    /// Who answers.
    pub handler: MethodRouter<App>,
}

impl Operation {
    /// Open to anybody where the configuration says so.
    #[must_use]
    pub fn opened_by(self, setting: fn(&Config) -> bool) -> Self {
        Self { opened_by: Some(setting), ..self }
    }

    /// Counts against this rate limit of the address.
    #[must_use]
    pub fn counts_against(self, anonymous_bucket: AnonymousBucket) -> Self {
        Self { anonymous_bucket, ..self }
    }

    /// Takes an `Idempotency-Key`.
    #[must_use]
    pub fn key(self, idempotency: Idempotency) -> Self {
        Self { idempotency, ..self }
    }

    /// Has versions.
    #[must_use]
    pub fn versioned(self, versioned: Versioned) -> Self {
        Self { versioned, ..self }
    }

    /// Takes a JSON object.
    #[must_use]
    pub fn takes<T: JsonSchema>(self) -> Self {
        let schema = |generator: &mut SchemaGenerator| generator.subschema_for::<T>();
        Self { body: Body::Json { schema, optional: false, media: &[JSON] }, ..self }
    }

    /// Takes a JSON object without required fields, or no body at all.
    #[must_use]
    pub fn may_take<T: JsonSchema>(self) -> Self {
        let schema = |generator: &mut SchemaGenerator| generator.subschema_for::<T>();
        Self { body: Body::Json { schema, optional: true, media: &[JSON] }, ..self }
    }

    /// Takes a JSON merge patch.
    #[must_use]
    pub fn takes_patch<T: JsonSchema>(self) -> Self {
        let schema = |generator: &mut SchemaGenerator| generator.subschema_for::<T>();
        Self { body: Body::Json { schema, optional: false, media: &[JSON, MERGE_PATCH] }, ..self }
    }

    /// Takes a stream of this media type, which the handler reads by itself.
    #[must_use]
    pub fn takes_stream(self, media: &'static str) -> Self {
        Self { body: Body::Stream(media), ..self }
    }

    /// Takes these query parameters: the fields of `T`.
    #[must_use]
    pub fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(SchemaGenerator::root_schema_for::<T>), ..self }
    }

    /// Answers with this document; with 200, unless another of these methods says otherwise.
    #[must_use]
    pub fn answers<T: JsonSchema>(mut self) -> Self {
        self.payloads.push(Payload::Json(SchemaGenerator::subschema_for::<T>));
        self
    }

    /// Answers with a page of a list.
    #[must_use]
    pub fn pages<T: JsonSchema>(self) -> Self {
        Self { paged: true, ..self.answers::<T>() }
    }

    /// Answers 201 with this document and its `Location`.
    #[must_use]
    pub fn creates<T: JsonSchema>(self) -> Self {
        Self { status: 201, location: true, ..self.answers::<T>() }
    }

    /// Answers with this document: 201 if it was made, 200 if it was there before.
    #[must_use]
    pub fn puts<T: JsonSchema>(self) -> Self {
        Self { may_create: true, ..self.answers::<T>() }
    }

    /// Answers with this document and this status.
    #[must_use]
    pub fn answers_with<T: JsonSchema>(self, status: u16) -> Self {
        Self { status, ..self.answers::<T>() }
    }

    /// Answers with text of this media type.
    #[must_use]
    pub fn answers_text(mut self, media: &'static str) -> Self {
        self.payloads.push(Payload::Text(media));
        self
    }

    /// Also streams all rows of its list, as CSV or NDJSON.
    #[must_use]
    pub fn streams(self) -> Self {
        self.answers_text(CSV).answers_text(NDJSON)
    }

    /// Also gives its report as CSV and as a chart.
    #[must_use]
    pub fn charts(self) -> Self {
        self.answers_text(CSV).answers_text(SVG)
    }

    /// Answers with a file of this media type, to be kept.
    #[must_use]
    pub fn answers_file(mut self, media: &'static str) -> Self {
        self.payloads.push(Payload::Bytes(media));
        Self { file: true, ..self }
    }

    /// May wait this long for something to happen, beyond the time limit of requests.
    #[must_use]
    pub fn may_wait(self, longest: Duration) -> Self {
        Self { waits: longest, ..self }
    }

    /// Answers 204.
    #[must_use]
    pub fn answers_nothing(self) -> Self {
        Self { status: 204, payloads: vec![Payload::Empty], ..self }
    }

    /// Can also meet these problems.
    #[must_use]
    pub fn problems(mut self, problems: &[&'static Problem]) -> Self {
        self.problems.extend_from_slice(problems);
        self
    }

    /// What it made can be read by this operation, whose path has the answer's `id`.
    #[must_use]
    pub fn read_by(self, operation: &'static str) -> Self {
        Self { read_by: Some(operation), ..self }
    }

    /// The part of the id before the dot: the tag in the documentation.
    pub fn tag(&self) -> &'static str {
        self.id.split('.').next().unwrap_or(self.id)
    }

    /// Whether the API's own rules (authentication, limits, no-store) apply, as opposed to pages and probes.
    pub fn in_api(&self) -> bool {
        in_api(self.path)
    }
}

/// Whether a path is one of the API's.
pub fn in_api(path: &str) -> bool {
    path.starts_with("/v1/")
}
