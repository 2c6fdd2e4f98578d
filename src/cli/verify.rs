//! `orderd verify`: whether everything in a database is as it was written. Reads only, beside a running server too.

use super::{Failure, flags::ConfigFlags, print, progress};
use crate::store::{Store, verify};
use serde_json::json;

/// The arguments of `orderd verify`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Print one JSON document in place of lines
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let path = self.flags.load(vec![])?.config.db.path;
        let spinner = progress::spinner("verifying");
        let checks = Store::inspect(&path, verify::all)??;
        drop(spinner);
        let faults = checks.iter().filter(|check| check.fault.is_some()).count();
        if self.json {
            let entry =
                |check: &verify::Check| json!({"name": check.name, "ok": check.fault.is_none(), "fault": check.fault});
            let list: Vec<_> = checks.iter().map(entry).collect();
            print(format_args!("{}\n", json!({"ok": faults == 0, "checks": list})))?;
        } else {
            for check in &checks {
                match &check.fault {
                    None => print(format_args!("ok {}\n", check.name))?,
                    Some(fault) => print(format_args!("FAULT {}: {fault}\n", check.name))?,
                }
            }
        }
        match faults {
            0 => Ok(()),
            1 => Err(Failure::unfit_database(format!("{}: 1 check found a fault", path.display()))),
            more => Err(Failure::unfit_database(format!("{}: {more} checks found faults", path.display()))),
        }
    }
}
