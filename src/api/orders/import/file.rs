//! Imports of files for the command line: NDJSON, the CSV that an export writes, and the export of orders of a shop at
//! Shopify. A thread reads the file and makes lines of it, which are imported like those of a request.

mod items;
mod row;
mod shopify;
mod table;

use super::{Answer, InputLine, answers_to, first_checked};
use crate::{api::input::lines::Lines, app::App, auth::Actor, error::Error};
use axum::body::Body;
use futures_util::{StreamExt, stream};
use std::{
    io::{self, Read},
    pin::pin,
    thread::{self, JoinHandle},
};
use tokio::sync::mpsc;

/// Bytes of one read.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks or orders that may wait to be imported.
const AHEAD: usize = 16;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// One order as JSON on each line.
    Ndjson,
    /// Rows of items, as an export with `rows=items` has them.
    Csv,
    /// The export of orders of a shop at Shopify.
    Shopify,
}

/// Why a file was not imported to its end.
#[derive(Debug)]
pub enum FileError {
    /// It cannot be read.
    Read(io::Error),
    /// It has another form: what is missing or wrong.
    Form(String),
}

impl From<csv::Error> for FileError {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => Self::Read(error),
            other => Self::Form(format!("is no CSV: {other:?}")),
        }
    }
}

/// Imports a file. The results are those that a client would get, with the number of the first line of each order; each
/// is passed to `done` in the order of the lines, and the next lines wait for it.
///
/// # Errors
/// The first error of `done`; a [`FileError`] as `E`, after the orders before it were imported.
pub async fn import_file<E: From<FileError>>(
    app: &App,
    actor: &Actor,
    input: Box<dyn Read + Send>,
    format: FileFormat,
    mut done: impl FnMut(Answer) -> Result<(), E>,
) -> Result<(), E> {
    let (lines, reader) = match format {
        FileFormat::Ndjson => {
            let (chunks, reader) = chunks(input);
            let lines = first_checked(Lines::of_file(chunks)).await.map_err(|error| not_ndjson(&error))?;
            (InputLine::of_file(lines).boxed(), reader)
        }
        FileFormat::Csv => orders(input, table::Format::Items),
        FileFormat::Shopify => orders(input, table::Format::Shopify),
    };
    let mut answered = pin!(answers_to(app, actor, lines));
    while let Some(answer) = answered.next().await {
        done(answer)?;
    }
    let read = reader.join().unwrap_or_else(|_| Err(FileError::Form("the reader failed".to_owned())));
    read.map_err(E::from)
}

fn not_ndjson(error: &Error) -> FileError {
    FileError::Form(error.public_detail().unwrap_or(error.problem().title).to_owned())
}

/// Reads chunks in a thread of its own. After a read error the unfinished last line is dropped.
fn chunks(mut input: Box<dyn Read + Send>) -> (Body, JoinHandle<Result<(), FileError>>) {
    let (chunks, mut receiver) = mpsc::channel::<io::Result<Vec<u8>>>(AHEAD);
    let reader = thread::spawn(move || {
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            match input.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(length) => {
                    chunk.truncate(length);
                    if chunks.blocking_send(Ok(chunk)).is_err() {
                        return Ok(());
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    // The receiver may be gone; the error is also the thread's result.
                    let _ = chunks.blocking_send(Err(io::Error::from(e.kind())));
                    return Err(FileError::Read(e));
                }
            }
        }
    });
    (Body::from_stream(stream::poll_fn(move |context| receiver.poll_recv(context))), reader)
}

type Reading = (stream::BoxStream<'static, InputLine>, JoinHandle<Result<(), FileError>>);

/// Reads the orders of a table in a thread of its own.
fn orders(input: Box<dyn Read + Send>, format: table::Format) -> Reading {
    let (orders, mut receiver) = mpsc::channel(AHEAD);
    let reader = thread::spawn(move || table::each_order(input, format, |order| orders.blocking_send(order).is_ok()));
    (stream::poll_fn(move |context| receiver.poll_recv(context)).boxed(), reader)
}
