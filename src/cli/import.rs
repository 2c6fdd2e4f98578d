//! `orderd import`: imports orders from a file into a database that no server has open. Every order is answered as over
//! HTTP; those that failed are written to a file of their own, to be corrected and imported again.

use super::{
    Failure,
    flags::ConfigFlags,
    offline,
    progress::{self, OfFile},
};
use crate::{
    api::orders::{Answer, FileError, FileFormat, LineResult, Source, import_file},
    store::with_suffix,
};
use clap::ValueEnum;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, IsTerminal, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// What the failed orders of standard input are written to, with `.failed` after it.
const STANDARD_INPUT: &str = "import";

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Format of the file
    #[arg(long, value_enum, default_value = "ndjson")]
    format: Format,
    /// File for the orders that fail, written only if there are any [default: FILE.failed]
    #[arg(long, value_name = "FILE")]
    failed: Option<PathBuf>,
    /// File with orders; - reads standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// One order as JSON on each line, as an export has them
    Ndjson,
    /// One row for each item and fee, as an export with rows=items has them
    Csv,
    /// The orders that a shop at Shopify exports as CSV
    Shopify,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut loaded = self.flags.load(vec![])?;
        // Nobody waits for an answer: an order is late, but not refused.
        loaded.config.server.request_timeout = Duration::ZERO;
        let database = loaded.config.db.path.clone();
        let Input { name, bytes, progress } = Input::open(&self.file)?;
        let format = match self.format {
            Format::Ndjson => FileFormat::Ndjson,
            Format::Csv => FileFormat::Csv,
            Format::Shopify => FileFormat::Shopify,
        };
        let failed = self.failed.unwrap_or_else(|| {
            let name = if self.file == Path::new("-") { Path::new(STANDARD_INPUT) } else { &self.file };
            with_suffix(name, ".failed")
        });
        let results = offline::change(loaded, async |app, system| {
            let mut results = Results::of(failed, progress);
            let imported = tokio::select! {
                done = import_file(&app, &system, bytes, format, |answer| results.add(answer)) => done,
                () = app.store.failed() => Err(Stop::Failure(Failure::failed(format!("{}: storage failed", database.display())))),
            };
            Ok(imported.map(|()| results).map_err(|stop| stop.in_file(&name)))
        })??;
        results.report(&name)
    }
}

/// Why an import ended early.
enum Stop {
    File(FileError),
    Failure(Failure),
}

impl From<FileError> for Stop {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl Stop {
    fn in_file(self, name: &str) -> Failure {
        match self {
            Self::File(FileError::Read(e)) => read_failure(name, &e),
            Self::File(FileError::Form(text)) => Failure::failed(format!("{name}: {text}")),
            Self::Failure(failure) => failure,
        }
    }
}

/// The answers so far.
struct Results {
    created: u64,
    existing: u64,
    /// By the code of the problem: how many failed, and the first line of them.
    failed: BTreeMap<&'static str, (u64, u64)>,
    rest: Rest,
    progress: OfFile,
    is_quiet: bool,
}

impl Results {
    fn of(failed: PathBuf, progress: OfFile) -> Self {
        Self {
            created: 0,
            existing: 0,
            failed: BTreeMap::new(),
            rest: Rest { path: failed, file: None },
            progress,
            // Answers are for programs. A person at a terminal sees the progress and the summary.
            is_quiet: io::stdout().is_terminal(),
        }
    }

    fn add(&mut self, answer: Answer) -> Result<(), Stop> {
        match answer.result {
            LineResult::Created => self.created += 1,
            LineResult::Exists => self.existing += 1,
            LineResult::Failed(code) => self.failed.entry(code).or_insert((0, answer.line)).0 += 1,
        }
        if let Some(source) = answer.source {
            self.rest.write(&source).map_err(Stop::Failure)?;
        }
        self.progress.show(self.created + self.existing);
        if self.is_quiet {
            return Ok(());
        }
        let written = io::stdout().lock().write_all(&answer.bytes);
        written.map_err(|e| Stop::Failure(Failure::failed(format!("standard output: {e}"))))
    }

    /// Prints how many were created, exist and failed, and why. Fails if any failed.
    fn report(mut self, name: &str) -> Result<(), Failure> {
        self.progress.finish();
        let failed: u64 = self.failed.values().map(|(count, _)| count).sum();
        let mut text = format!("created {}, there already {}, failed {failed}\n", self.created, self.existing);
        for (code, (count, line)) in &self.failed {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {count} {code}, first in line {line}");
        }
        // A closed standard error must not turn a finished import into a failure.
        let _ = io::stderr().write_all(text.as_bytes());
        self.rest.finish()?;
        if failed == 0 {
            return Ok(());
        }
        let all = failed + self.created + self.existing;
        Err(Failure::failed(format!("{name}: {failed} of {all} failed; they are in {}", self.rest.path.display())))
    }
}

/// The file of the orders that failed. It is made when the first one fails.
struct Rest {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Rest {
    fn write(&mut self, source: &Source) -> Result<(), Failure> {
        let failure = |path: &Path, e: io::Error| Failure::failed(format!("{}: {e}", path.display()));
        let file = if let Some(file) = &mut self.file {
            file
        } else {
            // Readable by the owner alone: it contains names and addresses of customers.
            // An earlier file may be readable by others.
            let _ = fs::remove_file(&self.path);
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path);
            let mut file = BufWriter::new(file.map_err(|e| failure(&self.path, e))?);
            file.write_all(&source.head).map_err(|e| failure(&self.path, e))?;
            self.file.insert(file)
        };
        file.write_all(&source.rows).map_err(|e| failure(&self.path, e))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let flushed = self.file.as_mut().map_or(Ok(()), Write::flush);
        flushed.map_err(|e| Failure::failed(format!("{}: {e}", self.path.display())))
    }
}

fn read_failure(name: &str, e: &io::Error) -> Failure {
    Failure::failed(format!("{name}: {e}"))
}

struct Input {
    name: String,
    bytes: Box<dyn Read + Send>,
    progress: OfFile,
}

impl Input {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            let (progress, bytes) = progress::of_file(None, io::stdin());
            return Ok(Self { name: "standard input".to_owned(), bytes, progress });
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(|e| read_failure(&name, &e))?;
        let length = file.metadata().map_err(|e| read_failure(&name, &e))?.len();
        let (progress, bytes) = progress::of_file(Some(length), file);
        Ok(Self { name, bytes, progress })
    }
}
