//! `orderd export`: orders as a file, with the bytes that the API would send. Reads only, beside a running server too.

use super::{Failure, flags::ConfigFlags};
use crate::{
    api::orders::Export,
    service::{orders, page::Wanted},
    store::{Store, beside, sync_folder},
};
use clap::ValueEnum;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Orders that are read at once; each part is a snapshot of its own, so that whoever reads slowly holds up nothing.
const ORDERS_AT_ONCE: usize = 500;

/// The arguments of `orderd export`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// What to write
    #[arg(long, value_enum, default_value = "ndjson")]
    format: Format,
    /// Only orders for which this holds, as in the list of the API: status=pending,confirmed (repeatable)
    #[arg(long = "filter", value_name = "NAME=VALUE", value_parser = super::flags::assignment)]
    filters: Vec<(String, String)>,
    /// What to order by, as in the list of the API [default: the newest first]
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    sort: Option<String>,
    /// File to write, which must not be there yet [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file of --out
    #[arg(long, requires = "out")]
    force: bool,
}

/// The form of an export.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A line of JSON for each order
    Ndjson,
    /// A row for each order, as spreadsheets read it
    Csv,
}

impl Arguments {
    pub(super) fn run(mut self) -> Result<(), Failure> {
        self.filters.extend(self.sort.map(|sort| ("sort".to_owned(), sort)));
        let export = match self.format {
            Format::Ndjson => Export::ndjson(&self.filters)?,
            Format::Csv => Export::csv(&self.filters)?,
        };
        let database = self.flags.load(vec![])?.config.db.path;
        let Some(out) = self.out else {
            let failed = |e| Failure::failed(format!("standard output: {e}"));
            return write_all(&export, &database, &mut io::stdout().lock(), failed);
        };
        if !self.force && out.exists() {
            return Err(Failure::failed(format!("{}: is there already; --force replaces it", out.display())));
        }
        write_file(&export, &database, &out)
    }
}

/// Writes all orders beside the file, which gets its name when it is whole and on disk.
fn write_file(export: &Export, database: &Path, out: &Path) -> Result<(), Failure> {
    let partial = beside(out, ".partial");
    let failed = |e: io::Error| Failure::failed(format!("{}: {e}", out.display()));
    // It holds the names and addresses of customers.
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial);
    let mut file = file.map_err(failed)?;
    let written =
        write_all(export, database, &mut file, failed).and_then(|()| keep(&file, &partial, out).map_err(failed));
    if written.is_err() {
        // What matters has been said; a part of an export is of no use.
        let _ = fs::remove_file(&partial);
    }
    written
}

fn keep(file: &File, partial: &Path, out: &Path) -> io::Result<()> {
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
        let wanted = Wanted::some(after, ORDERS_AT_ONCE);
        let found = Store::inspect(database, |tx| orders::page(tx, &export.query, &wanted))??;
        output.write_all(&export.encode(&found.entries, after)?).map_err(&failed)?;
        if found.next.is_none() {
            return output.flush().map_err(&failed);
        }
        after = found.next;
    }
}
