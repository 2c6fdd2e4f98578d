//! Imports of orders. Each line of the body is an order in JSON, and each gets a line of the response while later lines
//! are still arriving. The caller's permission is checked again for every line.

mod file;
mod line;

pub use file::{FileError, FileFormat, import_file};

use crate::{
    api::{
        input::{
            json,
            lines::{Lines, MAX_LINE},
        },
        operation::NDJSON,
        output::problem::ProblemBody,
    },
    app::App,
    auth::Actor,
    domain::{id::OrderId, permission::Permission},
    error::{Category, Error, Result, problem},
    service::{
        access,
        orders::{self, Imported},
        views::AsText,
    },
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{convert::Infallible, future::ready, sync::Arc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// How many lines are imported concurrently. They share a commit.
const CONCURRENT_LINES: usize = 128;
/// How many bytes the lines that are imported concurrently may have together. A parsed line takes several times its
/// bytes in memory. The limit exceeds the longest line of a request.
const CONCURRENT_BYTES: usize = 8 * MAX_LINE;
/// How many bytes of results are buffered for a client that sends all lines before it reads: about 200,000 lines.
const BUFFERED_RESULTS: u32 = 16 * 1024 * 1024;

/// The result of a line.
#[derive(Serialize)]
struct LineAnswer<'a> {
    line: u64,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<AsText<OrderId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody<'a>>,
}

/// The serialised result of a line.
pub struct Answer {
    /// A line of JSON with its line end.
    pub bytes: Bytes,
    /// The line of the file, counted from 1.
    pub line: u64,
    /// What became of it.
    pub result: LineResult,
    /// Where the line comes from, if it failed and is of a file.
    pub source: Option<Source>,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineResult {
    /// It was created.
    Created,
    /// It exists already.
    Exists,
    /// It failed, with this code of a problem.
    Failed(&'static str),
}

/// The part of a file that is one order, as it stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// What has to stand before it in a file of its own: the header of a table.
    pub head: Vec<u8>,
    /// Its rows, with their line ends.
    pub rows: Vec<u8>,
}

/// A line of the input.
struct InputLine {
    number: u64,
    text: Result<Vec<u8>>,
    source: Option<Source>,
}

impl InputLine {
    /// The lines of a request.
    fn of_request(lines: Lines) -> impl Stream<Item = Self> + Send + Unpin {
        Box::pin(stream::unfold(lines, async |mut lines| {
            let (number, text) = lines.next().await?;
            Some((Self { number, text, source: None }, lines))
        }))
    }

    /// The lines of a file, which keep their text for those that fail.
    fn of_file(lines: Lines) -> impl Stream<Item = Self> + Send + Unpin {
        Self::of_request(lines).map(|line| {
            let rows = line.text.as_ref().map_or(vec![], |text| [text.trim_ascii(), b"\n"].concat());
            Self { source: Some(Source { head: vec![], rows }), ..line }
        })
    }
}

/// Creates the orders whose references are not known yet. Lines are read while results wait to be sent, up to a limit:
/// many clients send everything before they read, and would otherwise deadlock with the server.
///
/// # Errors
/// `overloaded` if too many imports are running; `not_ndjson` if the first line is no JSON object.
pub(in crate::api) async fn import(State(app): State<App>, actor: Actor, body: Body) -> Result<Response> {
    let imports = &app.imports;
    let limit = if actor.may(Permission::OrdersCreate) { &imports.for_anybody } else { &imports.for_oneself };
    let permit = Arc::clone(limit)
        .try_acquire_owned()
        .map_err(|_| Error::new(&problem::OVERLOADED).detail("Too many imports are running."))?;
    let lines = first_checked(Lines::of(body)).await?;
    let (answers, mut waiting) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let _permit = permit;
        work(app, actor, lines, answers).await;
    });
    let answers = stream::poll_fn(move |context| waiting.poll_recv(context));
    let answers = answers.map(|answer: Buffered| Ok::<_, Infallible>(answer.bytes));
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(answers)).into_response())
}

/// The lines, if the first one that is not empty is a JSON object: otherwise the body is something else than NDJSON,
/// and every line of it would fail.
async fn first_checked(mut lines: Lines) -> Result<Lines> {
    let is_object = |text: &[u8]| serde_json::from_slice::<Map<String, Value>>(text).is_ok();
    match lines.peek().await {
        Some(Ok(text)) if !is_object(text) => Err(Error::new(&problem::NOT_NDJSON).detail(
            "The first line is no JSON object. Send one order on each line, as JSON without line breaks in it.",
        )),
        _ => Ok(lines),
    }
}

/// A result that waits to be sent, and its share of [`BUFFERED_RESULTS`].
struct Buffered {
    bytes: Bytes,
    _share: OwnedSemaphorePermit,
}

/// Imports the lines until they end or the client disconnects.
async fn work(app: App, actor: Actor, lines: Lines, answers: mpsc::UnboundedSender<Buffered>) {
    let buffer = Arc::new(Semaphore::new(BUFFERED_RESULTS as usize));
    let mut answered = std::pin::pin!(answers_to(&app, &actor, InputLine::of_request(lines)));
    while let Some(Answer { bytes, .. }) = answered.next().await {
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX).min(BUFFERED_RESULTS);
        let Ok(permit) = Arc::clone(&buffer).acquire_many_owned(size).await else { return };
        if answers.send(Buffered { bytes, _share: permit }).is_err() {
            return;
        }
    }
}

/// A line of an import and the caller for whom it is imported.
struct Line {
    input: InputLine,
    actor: Actor,
}

/// The results of all lines that are not empty, in the order of the lines.
fn answers_to<'a>(
    app: &'a App,
    actor: &'a Actor,
    lines: impl Stream<Item = InputLine> + Send + Unpin + 'a,
) -> impl Stream<Item = Answer> + 'a {
    let lines = stream::unfold(Some(lines), move |lines| permitted(app, actor, lines));
    let is_empty = |line: &Line| line.input.text.as_ref().is_ok_and(|text| text.trim_ascii().is_empty());
    let lines = lines.filter(move |line| ready(!is_empty(line)));
    let memory = Arc::new(Semaphore::new(CONCURRENT_BYTES));
    let lines = lines.then(move |line| {
        let bytes = line.input.text.as_ref().map_or(0, Vec::len).min(CONCURRENT_BYTES);
        let memory = Arc::clone(&memory);
        // Earlier lines release their share as soon as they are imported, so this always ends. A longer order, which a
        // file may have, waits for all of it.
        async move { (line, memory.acquire_many_owned(u32::try_from(bytes).unwrap_or_default()).await) }
    });
    let work = move |(line, share)| async move {
        let _share = share;
        answer(app, line).await
    };
    lines.map(work).buffered(CONCURRENT_LINES)
}

/// The next line and those after it. If the caller may no longer import, the line is an error and the last one.
async fn permitted<S: Stream<Item = InputLine> + Unpin>(
    app: &App,
    actor: &Actor,
    lines: Option<S>,
) -> Option<(Line, Option<S>)> {
    let mut lines = lines?;
    let input = lines.next().await?;
    let present = access::recheck(app, actor);
    match present.and_then(|actor| actor.require(Permission::OrdersCreateOwn).map(|()| actor)) {
        Ok(actor) => Some((Line { input, actor }, Some(lines))),
        Err(error) => Some((Line { input: InputLine { text: Err(error), ..input }, actor: actor.clone() }, None)),
    }
}

async fn answer(app: &App, Line { input: InputLine { number, text, source }, actor }: Line) -> Answer {
    let imported = match text {
        Ok(line) => import_line(app, &actor, &line).await,
        Err(error) => Err(error),
    };
    let (result, word, id, error) = match &imported {
        Ok(Imported::Created(id)) => (LineResult::Created, "created", Some(*id), None),
        Ok(Imported::Exists(id)) => (LineResult::Exists, "exists", *id, None),
        Err(error) => (LineResult::Failed(error.problem().code), "failed", None, Some(error)),
    };
    if let Some(cause) = error.filter(|e| e.problem().category == Category::Internal).and_then(Error::cause) {
        tracing::error!(import.line = number, error.cause = %cause, "import line failed");
    }
    let problem = error.map(|error| ProblemBody::new(error, "/v1/orders/import", &actor.request_id));
    let answer = LineAnswer { line: number, result: word, id: id.map(AsText), problem };
    // Numbers, strings and JSON values can always be serialised.
    let mut bytes = serde_json::to_vec(&answer).unwrap_or_default();
    bytes.push(b'\n');
    Answer { bytes: bytes.into(), line: number, result, source: source.filter(|_| error.is_some()) }
}

async fn import_line(app: &App, actor: &Actor, text: &[u8]) -> Result<Imported> {
    let value = json::parse(text)?;
    let (key, missing) = (line::key(&value), line::without_key(&value));
    let order = line::order(value, app.clock.now());
    match (key, missing, order) {
        (Some(key), _, order) => orders::import(app, actor.clone(), key, order).await,
        (None, Some(missing), order) => {
            let mut faults = order.map_or_else(|error| error.faults().to_vec(), |_| vec![]);
            faults.push(missing);
            Err(Error::invalid(faults))
        }
        (None, None, order) => {
            Err(order.err().unwrap_or_else(|| Error::internal("a reference of a form that is not valid")))
        }
    }
}
