//! `orderd import`: imports orders from a file into a database that no server has open. Every line is answered as over
//! HTTP.

use super::{Failure, flags::ConfigFlags, offline};
use crate::api::orders::{Answer, import_file};
use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
};
use tokio::sync::mpsc;

/// Bytes of one read.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that may wait to be imported.
const CHUNKS_AHEAD: usize = 4;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// File with one order as JSON on each line; - reads standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let loaded = self.flags.load(vec![])?;
        let database = loaded.config.db.path.clone();
        let input = Input::open(&self.file)?;
        let name = input.name.clone();
        let (lines, failed) = offline::change(loaded, async |app, system| {
            let (chunks, reader) = input.chunks();
            let mut results = Results::default();
            let imported = tokio::select! {
                done = import_file(&app, &system, chunks, |answer| results.print(answer)) => done,
                () = app.store.failed() => Err(Failure::failed(format!("{}: storage failed", database.display()))),
            };
            // Joined only after success: otherwise the reader ends at its next chunk, which may never arrive.
            let read = imported.and_then(|()| {
                let read = reader.join().unwrap_or_else(|_| Err(io::Error::other("the reader panicked")));
                read.map_err(|e| read_failure(&name, &e))
            });
            Ok(read.map(|()| (results.lines, results.failed)))
        })??;
        match failed {
            0 => Ok(()),
            _ => Err(Failure::failed(format!("{name}: {failed} of {lines} lines failed"))),
        }
    }
}

#[derive(Default)]
struct Results {
    lines: u64,
    failed: u64,
}

impl Results {
    fn print(&mut self, answer: Answer) -> Result<(), Failure> {
        self.lines += 1;
        self.failed += u64::from(answer.failed);
        let written = io::stdout().lock().write_all(&answer.bytes);
        written.map_err(|e| Failure::failed(format!("standard output: {e}")))
    }
}

fn read_failure(name: &str, e: &io::Error) -> Failure {
    Failure::failed(format!("{name}: {e}"))
}

struct Input {
    name: String,
    bytes: Box<dyn Read + Send>,
}

impl Input {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self { name: "standard input".to_owned(), bytes: Box::new(io::stdin()) });
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(|e| read_failure(&name, &e))?;
        Ok(Self { name, bytes: Box::new(file) })
    }

    /// Reads chunks in a thread of its own. After a read error the unfinished last line is dropped.
    fn chunks(mut self) -> (mpsc::Receiver<io::Result<Vec<u8>>>, thread::JoinHandle<io::Result<()>>) {
        let (chunks, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let reader = thread::spawn(move || {
            loop {
                let mut chunk = vec![0; CHUNK_BYTES];
                match self.bytes.read(&mut chunk) {
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
                        return Err(e);
                    }
                }
            }
        });
        (receiver, reader)
    }
}
