//! `orderd import`: orders out of a file into a database that no server has, answered line by line as over HTTP.

use super::{Failure, flags::ConfigFlags, offline};
use crate::api::orders::{Answer, import_file};
use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
};
use tokio::sync::mpsc;

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;
/// Chunks that may wait to be worked on.
const CHUNKS_AHEAD: usize = 4;

/// The arguments of `orderd import`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// File with an order in JSON on each line; - for standard input
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
            let mut histogram = Histogram::default();
            let imported = tokio::select! {
                done = import_file(&app, &system, chunks, |answer| histogram.print(answer)) => done,
                () = app.store.failed() => Err(Failure::failed(format!("{}: storage failed", database.display()))),
            };
            // With the answers broken off, the reader ends at its next chunk, for which one might wait for ever.
            let read = imported.and_then(|()| {
                let read = reader.join().unwrap_or_else(|_| Err(io::Error::other("the reader panicked")));
                read.map_err(|e| broken(&name, &e))
            });
            Ok(read.map(|()| (histogram.lines, histogram.failed)))
        })??;
        match failed {
            0 => Ok(()),
            _ => Err(Failure::failed(format!("{name}: {failed} of {lines} lines failed"))),
        }
    }
}

/// How many lines were answered.
#[derive(Default)]
struct Histogram {
    lines: u64,
    failed: u64,
}

impl Histogram {
    fn print(&mut self, answer: Answer) -> Result<(), Failure> {
        self.lines += 1;
        self.failed += u64::from(answer.failed);
        let written = io::stdout().lock().write_all(&answer.bytes);
        written.map_err(|e| Failure::failed(format!("standard output: {e}")))
    }
}

fn broken(name: &str, e: &io::Error) -> Failure {
    Failure::failed(format!("{name}: {e}"))
}

/// What is read.
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
        let file = File::open(path).map_err(|e| broken(&name, &e))?;
        Ok(Self { name, bytes: Box::new(file) })
    }

    /// Its chunks, read by a thread of its own; what a fault breaks off ends without its last, unfinished line.
    fn chunks(mut self) -> (mpsc::Receiver<io::Result<Vec<u8>>>, thread::JoinHandle<io::Result<()>>) {
        let (chunks, waiting) = mpsc::channel(CHUNKS_AHEAD);
        let reader = thread::spawn(move || {
            loop {
                let mut chunk = vec![0; CHUNK];
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
                        // Nobody may listen any more; the fault is told by the thread's end.
                        let _ = chunks.blocking_send(Err(io::Error::from(e.kind())));
                        return Err(e);
                    }
                }
            }
        });
        (waiting, reader)
    }
}
