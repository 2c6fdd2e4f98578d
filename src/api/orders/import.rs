//! Importing orders: a line of JSON each, answered by a line each while more come.

use super::{Actor, App, CreateOrder, Error, OrderId, Result, orders};
use crate::{
    api::{
        json,
        lines::{Lines, MAX_LINE},
        operation::NDJSON,
        problem::ProblemBody,
        schema,
    },
    error::{Class, Fault},
    service::{orders::Imported, views::Shown},
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use serde_json::Value;
use std::{convert::Infallible, future::ready, io, sync::Arc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Lines that are worked on at once: they share a commit.
const AT_ONCE: usize = 128;
/// Bytes of the lines that are worked on at once. More than any one line has; when it is read it takes several times as
/// much memory.
const BYTES_AT_ONCE: usize = 8 * MAX_LINE;
/// Bytes of answers that wait for a client who sends everything before reading anything; some 200,000 lines.
const ANSWERS_AHEAD: u32 = 16 * 1024 * 1024;
/// The longest `external_ref`, in characters.
const MAX_REFERENCE: usize = 255;

/// What became of a line.
#[derive(Serialize)]
struct LineAnswer<'a> {
    line: u64,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Shown<OrderId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody<'a>>,
}

/// The answer to a line.
pub struct Answer {
    /// A line of JSON, with its end.
    pub bytes: Bytes,
    /// Whether the line has failed.
    pub failed: bool,
}

/// Makes the orders of the lines whose references are not known yet. Reading goes on beside answering, for as much as
/// may wait: many clients send all before they read, and would wait for us while we wait for them.
pub(in crate::api) async fn import(State(app): State<App>, actor: Actor, body: Body) -> Response {
    let (answers, mut waiting) = mpsc::unbounded_channel();
    tokio::spawn(work(app, actor, body, answers));
    let answers = stream::poll_fn(move |context| waiting.poll_recv(context));
    let answers = answers.map(|answer: Waiting| Ok::<_, Infallible>(answer.bytes));
    ([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(answers)).into_response()
}

/// An answer, and the room that it takes up until the client takes it.
struct Waiting {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

/// Imports the lines of a file, which comes in `chunks`, with the answers that a client would get: each goes to `done`
/// in the order of the lines, and the next lines wait for it.
///
/// # Errors
/// The first one of `done`.
pub async fn import_file<E>(
    app: &App,
    actor: &Actor,
    mut chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    mut done: impl FnMut(Answer) -> Result<(), E>,
) -> Result<(), E> {
    let body = Body::from_stream(stream::poll_fn(move |context| chunks.poll_recv(context)));
    let mut answered = std::pin::pin!(answers_to(app, actor, Lines::of_file(body)));
    while let Some(answer) = answered.next().await {
        done(answer)?;
    }
    Ok(())
}

/// Goes through the lines until they or the client are gone.
async fn work(app: App, actor: Actor, body: Body, answers: mpsc::UnboundedSender<Waiting>) {
    let room = Arc::new(Semaphore::new(ANSWERS_AHEAD as usize));
    let mut answered = std::pin::pin!(answers_to(&app, &actor, Lines::of(body)));
    while let Some(Answer { bytes, .. }) = answered.next().await {
        let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX).min(ANSWERS_AHEAD);
        let Ok(permit) = Arc::clone(&room).acquire_many_owned(size).await else { return };
        if answers.send(Waiting { bytes, _room: permit }).is_err() {
            return;
        }
    }
}

/// The answers to the lines that are not empty, in their order.
fn answers_to(app: &App, actor: &Actor, lines: Lines) -> impl Stream<Item = Answer> {
    let lines = stream::unfold(lines, |mut lines| async { lines.next().await.map(|line| (line, lines)) });
    let lines = lines.filter(|(_, line)| ready(!line.as_ref().is_ok_and(|line| line.trim_ascii().is_empty())));
    let room = Arc::new(Semaphore::new(BYTES_AT_ONCE));
    let lines = lines.then(move |(number, line)| {
        let (room, bytes) = (Arc::clone(&room), line.as_ref().map_or(0, Vec::len));
        // The lines before it give their room back as they are done, whoever waits for what.
        async move { (number, line, room.acquire_many_owned(u32::try_from(bytes).unwrap_or_default()).await) }
    });
    let work = move |(number, line, room)| async move {
        let _room = room;
        answer(app, actor, number, line).await
    };
    lines.map(work).buffered(AT_ONCE)
}

async fn answer(app: &App, actor: &Actor, number: u64, line: Result<Vec<u8>>) -> Answer {
    let imported = match line {
        Ok(line) => import_line(app, actor, &line).await,
        Err(error) => Err(error),
    };
    let (result, id, error) = match &imported {
        Ok(Imported::Created(id)) => ("created", Some(*id), None),
        Ok(Imported::Exists(id)) => ("exists", *id, None),
        Err(error) => ("failed", None, Some(error)),
    };
    if let Some(cause) = error.filter(|e| e.problem().class == Class::Internal).and_then(Error::cause) {
        tracing::error!(import.line = number, error.cause = %cause, "a line of an import failed");
    }
    let problem = error.map(|error| ProblemBody::new(error, "/v1/orders/import", &actor.request_id));
    let answer = LineAnswer { line: number, result, id: id.map(Shown), problem };
    // Numbers, strings and JSON values alone: nothing here can fail to be written.
    let mut bytes = serde_json::to_vec(&answer).unwrap_or_default();
    bytes.push(b'\n');
    Answer { bytes: bytes.into(), failed: error.is_some() }
}

async fn import_line(app: &App, actor: &Actor, line: &[u8]) -> Result<Imported> {
    let value = json::parse(line)?;
    let reference = value.get("external_ref").filter(|value| !value.is_null()).cloned();
    let new = schema::valid::<CreateOrder>(value).and_then(CreateOrder::into_order);
    match reference {
        Some(Value::String(reference)) if (1..=MAX_REFERENCE).contains(&reference.chars().count()) => {
            orders::import(app, actor.clone(), reference, new).await
        }
        Some(_) => Err(new.err().unwrap_or_else(|| Error::internal("a reference of a form that is not valid"))),
        None => {
            let mut faults = new.map_or_else(|error| error.faults().to_vec(), |_| vec![]);
            faults.push(Fault::body("#/external_ref", "required", "is required in an import"));
            Err(Error::invalid(faults))
        }
    }
}
