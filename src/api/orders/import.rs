//! Importing orders: a line of JSON each, answered by a line each while more come, for as long as the caller may.

use super::{Actor, App, CreateOrder, Error, OrderId, Result, orders};
use crate::{
    api::{
        input::{
            json,
            lines::{Lines, MAX_LINE},
            schema,
        },
        operation::NDJSON,
        output::problem::ProblemBody,
    },
    domain::permission::Permission,
    error::{Category, Fault, problem},
    service::{access, orders::Imported, views::AsText},
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
    id: Option<AsText<OrderId>>,
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
///
/// # Errors
/// `overloaded` if as many imports are going on as may.
pub(in crate::api) async fn import(State(app): State<App>, actor: Actor, body: Body) -> Result<Response> {
    let imports = &app.imports;
    let places = if actor.may(Permission::OrdersCreate) { &imports.for_anybody } else { &imports.for_oneself };
    let place = Arc::clone(places)
        .try_acquire_owned()
        .map_err(|_| Error::new(&problem::OVERLOADED).detail("As many imports are going on as may at once."))?;
    let (answers, mut waiting) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let _place = place;
        work(app, actor, body, answers).await;
    });
    let answers = stream::poll_fn(move |context| waiting.poll_recv(context));
    let answers = answers.map(|answer: Waiting| Ok::<_, Infallible>(answer.bytes));
    Ok(([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(answers)).into_response())
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

/// A line of an import, with its number, and as whom to import it.
struct Line {
    number: u64,
    actor: Actor,
    text: Result<Vec<u8>>,
}

/// The answers to the lines that are not empty, in their order.
fn answers_to(app: &App, actor: &Actor, lines: Lines) -> impl Stream<Item = Answer> {
    let lines = stream::unfold(Some(lines), move |lines| permitted(app, actor, lines));
    let lines = lines.filter(|line| ready(!line.text.as_ref().is_ok_and(|text| text.trim_ascii().is_empty())));
    let room = Arc::new(Semaphore::new(BYTES_AT_ONCE));
    let lines = lines.then(move |line| {
        let (room, bytes) = (Arc::clone(&room), line.text.as_ref().map_or(0, Vec::len));
        // The lines before it give their room back as they are done, whoever waits for what.
        async move { (line, room.acquire_many_owned(u32::try_from(bytes).unwrap_or_default()).await) }
    });
    let work = move |(line, room)| async move {
        let _room = room;
        answer(app, line).await
    };
    lines.map(work).buffered(AT_ONCE)
}

/// The next line, and those after it. The first one that comes when the caller may not import any more says so, and is
/// the last.
async fn permitted(app: &App, actor: &Actor, lines: Option<Lines>) -> Option<(Line, Option<Lines>)> {
    let mut lines = lines?;
    let (number, text) = lines.next().await?;
    let present = access::recheck(app, actor);
    match present.and_then(|actor| actor.require(Permission::OrdersCreateOwn).map(|()| actor)) {
        Ok(actor) => Some((Line { number, actor, text }, Some(lines))),
        Err(error) => Some((Line { number, actor: actor.clone(), text: Err(error) }, None)),
    }
}

async fn answer(app: &App, Line { number, actor, text }: Line) -> Answer {
    let imported = match text {
        Ok(line) => import_line(app, &actor, &line).await,
        Err(error) => Err(error),
    };
    let (result, id, error) = match &imported {
        Ok(Imported::Created(id)) => ("created", Some(*id), None),
        Ok(Imported::Exists(id)) => ("exists", *id, None),
        Err(error) => ("failed", None, Some(error)),
    };
    if let Some(cause) = error.filter(|e| e.problem().category == Category::Internal).and_then(Error::cause) {
        tracing::error!(import.line = number, error.cause = %cause, "a line of an import failed");
    }
    let problem = error.map(|error| ProblemBody::new(error, "/v1/orders/import", &actor.request_id));
    let answer = LineAnswer { line: number, result, id: id.map(AsText), problem };
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
