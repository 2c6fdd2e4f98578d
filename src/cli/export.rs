//! `orderd export`: writes orders to a file, byte for byte as the API would send them. It only reads the database, with
//! or without a running server.

use super::{Failure, database::Database, flags::ConfigFlags, read_database};
use crate::{
    api::orders::Export,
    service::{orders, page::PageRequest},
    store::{sync_folder, with_suffix},
};
use clap::ValueEnum;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Orders read in one transaction. A slow reader of the export must not hold a transaction open.
const BATCH: usize = 500;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Format of the file
    #[arg(long, value_enum, default_value = "ndjson")]
    format: Format,
    /// Export only orders that match this filter of the API's list, such as status=pending,confirmed (repeatable)
    #[arg(long = "filter", value_name = "NAME=VALUE", value_parser = super::flags::assignment)]
    filters: Vec<(String, String)>,
    /// Sort order, as in the API's list [default: newest first]
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    sort: Option<String>,
    /// File to write; it must not exist yet [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file named by --out if it exists
    #[arg(long, requires = "out")]
    force: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// One line of JSON for each order
    Ndjson,
    /// One row for each order, for spreadsheets
    Csv,
}

impl Arguments {
    pub(super) fn run(mut self) -> Result<(), Failure> {
        self.filters.extend(self.sort.map(|sort| ("sort".to_owned(), sort)));
        let export = match self.format {
            Format::Ndjson => Export::ndjson(&self.filters)?,
            Format::Csv => Export::csv(&self.filters)?,
        };
        let database = Database::to_read(&self.flags.load(vec![])?.config)?;
        let Some(out) = self.out else {
            let failed = |e| Failure::failed(format!("standard output: {e}"));
            return write_all(&export, database.path(), &mut io::stdout().lock(), failed);
        };
        if !self.force && out.exists() {
            return Err(Failure::failed(format!("{}: exists already; --force replaces it", out.display())));
        }
        write_file(&export, database.path(), &out)
    }
}

/// Writes to a temporary file beside `out`, and renames it when it is complete and on disk.
fn write_file(export: &Export, database: &Path, out: &Path) -> Result<(), Failure> {
    let partial = with_suffix(out, ".partial");
    let failed = |e: io::Error| Failure::failed(format!("{}: {e}", out.display()));
    // Readable by the owner alone: it contains names and addresses of customers.
    // What a killed export left may be readable by others.
    let _ = fs::remove_file(&partial);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial);
    let mut file = file.map_err(failed)?;
    let written =
        write_all(export, database, &mut file, failed).and_then(|()| publish(&file, &partial, out).map_err(failed));
    if written.is_err() {
        // The first failure is reported; an incomplete export is of no use.
        let _ = fs::remove_file(&partial);
    }
    written
}

fn publish(file: &File, partial: &Path, out: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(partial, out)?;
    sync_folder(out)
}

fn write_all(
    export: &Export,
    database: &Path,
    output: &mut impl Write,
    failed: impl Fn(io::Error) -> Failure,
) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let request = PageRequest::uncounted(after, BATCH);
        let (bytes, next) = if export.includes_transactions() {
            let page = read_database(database, |tx| orders::page_with_transactions(tx, &export.query, &request))?;
            (export.encode_with_transactions(page.entries, after)?, page.info.next)
        } else {
            let page = read_database(database, |tx| orders::page(tx, &export.query, &request))?;
            (export.encode(page.entries, after)?, page.info.next)
        };
        output.write_all(&bytes).map_err(&failed)?;
        if next.is_none() {
            return output.flush().map_err(&failed);
        }
        after = next;
    }
}
