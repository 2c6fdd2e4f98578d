//! `orderd verify`: checks that a database, or a journal in PostgreSQL, holds exactly what was written to it. It only
//! reads, with or without a running server. With `--rebuild` it needs the file for itself and rebuilds the rollups.

use super::{
    Failure,
    database::{Database, refuse_absent},
    flags::ConfigFlags,
    print, progress, read_database, wait_for,
};
use crate::{
    config::Config,
    store::{
        journal,
        verify::{self, Check, Rebuilt},
    },
};
use serde_json::json;
use std::path::Path;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Print one JSON document instead of lines
    #[arg(long)]
    json: bool,
    /// Rebuild the rollups from the rows, if the rows have no fault; no server may have the file open
    #[arg(long)]
    rebuild: bool,
}

/// A reported check.
struct Line {
    /// `ok`, `FAULT` or `REBUILT`.
    word: &'static str,
    check: Check,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.flags.load(vec![])?.config;
        if self.rebuild && config.db.url.is_some() {
            return Err(Failure::usage(
                "`--rebuild` works on a file and not on a journal in PostgreSQL: give `--db FILE`, or delete the copy of a \
                 server that does not run, which then makes it anew",
            ));
        }
        refuse_absent(&config)?;
        let spinner = progress::spinner("verifying");
        let lines = if self.rebuild { rebuilt(&config.db.path)? } else { verified(all(&config)?) };
        drop(spinner);
        let faults = lines.iter().filter(|line| line.word == "FAULT").count();
        if self.json {
            let list: Vec<_> = lines.iter().map(Line::json).collect();
            print(format_args!("{}\n", json!({"ok": faults == 0, "checks": list})))?;
        } else {
            lines.iter().try_for_each(Line::print)?;
        }
        let place = match config.db.url {
            Some(_) => "the journal in PostgreSQL".to_owned(),
            None => config.db.path.display().to_string(),
        };
        match faults {
            0 => Ok(()),
            1 => Err(Failure::unfit_database(format!("{place}: 1 check found a fault"))),
            more => Err(Failure::unfit_database(format!("{place}: {more} checks found faults"))),
        }
    }
}

/// Every check of the database and, if it is on a journal, of that.
fn all(config: &Config) -> Result<Vec<Check>, Failure> {
    let (database, copied) = Database::try_to_read(config)?;
    let Some(journal) = database.journal() else { return read_database(database.path(), verify::all) };
    let copy = copied.map(|()| database.path()).map_err(|failure| failure.message);
    let is_there = copy.is_ok();
    let mut checks = wait_for(async { journal::verify::all(journal, copy).await.map_err(Failure::from) })?;
    if is_there {
        checks.extend(read_database(database.path(), verify::all)?);
    }
    Ok(checks)
}

fn verified(checks: Vec<Check>) -> Vec<Line> {
    let word = |check: &Check| if check.fault.is_some() { "FAULT" } else { "ok" };
    checks.into_iter().map(|check| Line { word: word(&check), check }).collect()
}

/// Rebuilding repairs every fault of the rollups, or, if the rows have a fault, changes nothing.
fn rebuilt(path: &Path) -> Result<Vec<Line>, Failure> {
    let Rebuilt { before, left } = verify::rebuild(path)?.map_err(|e| Failure::in_database(path, e))?;
    let mut lines = verified(left);
    let rebuilt = if lines.is_empty() { "REBUILT" } else { "FAULT" };
    lines.extend(verified(before).into_iter().map(|line| match line.word {
        "FAULT" => Line { word: rebuilt, ..line },
        _ => line,
    }));
    Ok(lines)
}

impl Line {
    fn json(&self) -> serde_json::Value {
        let mut entry = json!({"name": self.check.name, "ok": self.word != "FAULT", "fault": self.check.fault});
        if self.word == "REBUILT" {
            entry["rebuilt"] = true.into();
        }
        entry
    }

    fn print(&self) -> Result<(), Failure> {
        match &self.check.fault {
            None => print(format_args!("{} {}\n", self.word, self.check.name)),
            Some(fault) => print(format_args!("{} {}: {fault}\n", self.word, self.check.name)),
        }
    }
}
