//! Builds a row of the table of operations. A row begins with its method, id, path, summary and handler, and becomes an
//! [`Operation`] only when it states who may call it: a row without an access rule does not compile.

use super::{Access, Body, FileForm, Idempotency, JSON, MERGE_PATCH, Operation, Payload, Versioning};
use crate::{
    app::App,
    auth::rate_limit::AnonymousBucket,
    config::Config,
    domain::permission::Permission,
    error::{Problem, problem},
};
use axum::{
    handler::Handler,
    http::Method,
    routing::{self, MethodRouter},
};
use schemars::{JsonSchema, SchemaGenerator};
use std::{
    collections::BTreeSet,
    sync::{LazyLock, Mutex, PoisonError},
    time::Duration,
};

type Text = &'static str;

pub(crate) fn get<H: Handler<T, App>, T: 'static>(id: Text, path: Text, summary: Text, handler: H) -> WithoutAccess {
    WithoutAccess::new(id, Method::GET, path, summary, routing::get(handler))
}

pub(crate) fn post<H: Handler<T, App>, T: 'static>(id: Text, path: Text, summary: Text, handler: H) -> WithoutAccess {
    WithoutAccess::new(id, Method::POST, path, summary, routing::post(handler))
}

pub(crate) fn patch<H: Handler<T, App>, T: 'static>(id: Text, path: Text, summary: Text, handler: H) -> WithoutAccess {
    WithoutAccess::new(id, Method::PATCH, path, summary, routing::patch(handler))
}

pub(crate) fn put<H: Handler<T, App>, T: 'static>(id: Text, path: Text, summary: Text, handler: H) -> WithoutAccess {
    WithoutAccess::new(id, Method::PUT, path, summary, routing::put(handler))
}

pub(crate) fn delete<H: Handler<T, App>, T: 'static>(id: Text, path: Text, summary: Text, handler: H) -> WithoutAccess {
    WithoutAccess::new(id, Method::DELETE, path, summary, routing::delete(handler))
}

/// A row that does not state yet who may call the operation. The table accepts only the [`Operation`] that one of the
/// methods below returns.
pub(crate) struct WithoutAccess(Operation);

impl WithoutAccess {
    fn new(id: Text, method: Method, path: Text, summary: Text, handler: MethodRouter<App>) -> Self {
        Self(Operation {
            id,
            method,
            path,
            summary,
            access: Access::AnyOf(&[]),
            before_second_factor: false,
            public_if: None,
            anonymous_bucket: AnonymousBucket::General,
            idempotency: Idempotency::Ignored,
            versioning: Versioning::None,
            paged: false,
            body: Body::None,
            query: None,
            status: 200,
            may_create: false,
            payloads: vec![],
            location: false,
            file: false,
            files: &[],
            form: None,
            sets_cookie: false,
            resumes: false,
            is_probe: false,
            extra_time: Duration::ZERO,
            problems: vec![],
            read_by: None,
            handler,
        })
    }

    /// Anyone may call it, without credentials.
    pub(crate) fn anonymous(self) -> Operation {
        Operation { access: Access::Anonymous, ..self.0 }
    }

    /// Requires valid credentials.
    pub(crate) fn signed_in(self) -> Operation {
        Operation { access: Access::SignedIn, ..self.0 }
    }

    /// Requires at least one of these permissions.
    pub(crate) fn requires(self, any_of: &'static [Permission]) -> Operation {
        Operation { access: Access::AnyOf(any_of), ..self.0 }
    }
}

/// The operation, and one for each of its files. They share the handler, which looks at `form`.
pub(crate) fn with_files(operation: Operation) -> Vec<Operation> {
    let file = |form: &FileForm| Operation {
        id: interned(format!("{}_{}", operation.id, form.ending())),
        path: interned(format!("{}.{}", operation.path, form.ending())),
        summary: interned(format!("{}: {}", operation.summary, form.ending().to_uppercase())),
        payloads: vec![Payload::Bytes(form.media())],
        paged: false,
        resumes: false,
        extra_time: Duration::ZERO,
        files: &[],
        form: Some(*form),
        ..operation.clone()
    };
    let files: Vec<_> = operation.files.iter().map(file).collect();
    [vec![operation], files].concat()
}

/// The text, which is kept for as long as the process runs. The table is made several times, each text is kept once.
fn interned(text: String) -> &'static str {
    static KNOWN: LazyLock<Mutex<BTreeSet<&'static str>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = known.get(text.as_str()) {
        return text;
    }
    let text: &'static str = text.leak();
    known.insert(text);
    text
}

/// The request.
impl Operation {
    /// Opens the operation to anyone if the configuration says so.
    pub(crate) fn public_if(self, setting: fn(&Config) -> bool) -> Self {
        Self { public_if: Some(setting), ..self }
    }

    /// Also lets users call it who have to set up a second factor first.
    pub(crate) fn before_second_factor(self) -> Self {
        Self { before_second_factor: true, ..self }
    }

    /// Is asked by machines every few seconds.
    pub(crate) fn probe(self) -> Self {
        Self { is_probe: true, ..self }
    }

    /// Counts requests without valid credentials against this rate limit of their address.
    pub(crate) fn counts_against(self, anonymous_bucket: AnonymousBucket) -> Self {
        Self { anonymous_bucket, ..self }
    }

    pub(crate) fn idempotency(self, idempotency: Idempotency) -> Self {
        Self { idempotency, ..self }
    }

    pub(crate) fn versioning(self, versioning: Versioning) -> Self {
        Self { versioning, ..self }
    }

    /// Takes the fields of `T` as query parameters.
    pub(crate) fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(SchemaGenerator::root_schema_for::<T>), ..self }
    }

    /// Takes a JSON object.
    pub(crate) fn body<T: JsonSchema>(self) -> Self {
        let schema = |generator: &mut SchemaGenerator| generator.subschema_for::<T>();
        Self { body: Body::Json { schema, optional: false, media: &[JSON] }, ..self }
    }

    /// Takes a JSON object without required fields, or no body at all.
    pub(crate) fn optional_body<T: JsonSchema>(self) -> Self {
        let schema = |generator: &mut SchemaGenerator| generator.subschema_for::<T>();
        Self { body: Body::Json { schema, optional: true, media: &[JSON] }, ..self }
    }

    /// Takes a JSON merge patch (RFC 7396).
    pub(crate) fn merge_patch<T: JsonSchema>(self) -> Self {
        let schema = |generator: &mut SchemaGenerator| generator.subschema_for::<T>();
        Self { body: Body::Json { schema, optional: false, media: &[JSON, MERGE_PATCH] }, ..self }
    }

    /// Takes a stream of this media type, which the handler reads.
    pub(crate) fn streamed_body(self, media: Text) -> Self {
        Self { body: Body::Stream(media), ..self }
    }
}

/// The response.
impl Operation {
    /// Returns this document. The status is 200 unless another method sets it.
    pub(crate) fn returns<T: JsonSchema>(mut self) -> Self {
        self.payloads.push(Payload::Json(SchemaGenerator::subschema_for::<T>));
        self
    }

    /// Returns a page of a list.
    pub(crate) fn returns_page<T: JsonSchema>(self) -> Self {
        Self { paged: true, ..self.returns::<T>() }
    }

    /// Returns 201 with this document and its `Location`.
    pub(crate) fn creates<T: JsonSchema>(self) -> Self {
        Self { location: true, ..self.creates_without_location::<T>() }
    }

    /// Returns 201 with this document and without `Location`.
    pub(crate) fn creates_without_location<T: JsonSchema>(self) -> Self {
        Self { status: 201, ..self.returns::<T>() }
    }

    /// Returns 202 with this document: what was asked for is done later.
    pub(crate) fn accepts<T: JsonSchema>(self) -> Self {
        Self { status: 202, ..self.returns::<T>() }
    }

    /// Returns this document with 201 if it was created, or 200 if it replaced an earlier one.
    pub(crate) fn creates_or_replaces<T: JsonSchema>(self) -> Self {
        Self { may_create: true, ..self.returns::<T>() }
    }

    /// Returns text of this media type.
    pub(crate) fn returns_text(mut self, media: Text) -> Self {
        self.payloads.push(Payload::Text(media));
        self
    }

    /// Returns a stream of this media type.
    pub(crate) fn returns_stream(mut self, media: Text) -> Self {
        self.payloads.push(Payload::Bytes(media));
        self
    }

    /// Returns a file of this media type, to be saved.
    pub(crate) fn returns_file(self, media: Text) -> Self {
        Self { file: true, ..self.returns_stream(media) }
    }

    /// Returns 204.
    pub(crate) fn returns_nothing(self) -> Self {
        Self { status: 204, payloads: vec![Payload::Empty], ..self }
    }

    /// Sets or removes the cookie of a browser's session.
    pub(crate) fn sets_cookie(self) -> Self {
        Self { sets_cookie: true, ..self }
    }

    /// Returns 303, which leads a browser to `Location`.
    pub(crate) fn redirects(self) -> Self {
        Self { status: 303, location: true, sets_cookie: true, payloads: vec![Payload::Empty], ..self }
    }

    /// Also exports all rows of its list, as CSV or NDJSON. Exports are audited, so they can fail like writes.
    pub(crate) fn exports(self) -> Self {
        Self { files: &[FileForm::Csv, FileForm::Ndjson], ..self }.problems(&[
            &problem::STORAGE_FULL,
            &problem::STORAGE_BUSY,
            &problem::OUTCOME_UNKNOWN,
        ])
    }

    /// Also returns its report as CSV and as a chart.
    pub(crate) fn charts(self) -> Self {
        Self { files: &[FileForm::Csv, FileForm::Svg], ..self }
    }

    /// Can go on with a stream of events after the one that `Last-Event-ID` names.
    pub(crate) fn resumes(self) -> Self {
        Self { resumes: true, ..self }
    }

    /// May take this much longer than the general time limit.
    pub(crate) fn extra_time(self, extra_time: Duration) -> Self {
        Self { extra_time, ..self }
    }

    /// Runs, or may run, in the lane for long queries, where each has a time limit.
    pub(crate) fn long_query(self) -> Self {
        self.problems(&[&problem::QUERY_TOO_EXPENSIVE])
    }

    /// Adds problems that do not follow from the rest of the row.
    pub(crate) fn problems(mut self, problems: &[&'static Problem]) -> Self {
        self.problems.extend_from_slice(problems);
        self
    }

    /// The created resource can be read by this operation, whose path contains the `id` from the response.
    pub(crate) fn read_by(self, operation: Text) -> Self {
        Self { read_by: Some(operation), ..self }
    }
}
