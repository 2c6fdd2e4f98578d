//! `orderd doctor`: whether what the database rests on is as it should be. It changes nothing; to try the disk, it writes
//! a file of its own beside the database and removes it.

mod files;
mod machine;

use super::{Failure, flags::ConfigFlags, print};
use crate::{config::Config, domain::time::Clock, store};
use serde_json::json;

/// The arguments of `orderd doctor`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Print one JSON document in place of lines
    #[arg(long)]
    json: bool,
}

/// How something is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// As it should be.
    Good,
    /// Good enough to go on, and worth a look.
    Doubtful,
    /// A promise cannot be kept like this.
    Bad,
}

/// Something that was looked at.
struct Finding {
    name: &'static str,
    state: State,
    detail: String,
}

impl Finding {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: State::Good, detail: detail.into() }
    }

    fn doubtful(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: State::Doubtful, detail: detail.into() }
    }

    fn bad(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: State::Bad, detail: detail.into() }
    }
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.flags.load(vec![])?.config;
        let findings = look(&config, &Clock::system());
        let bad = findings.iter().filter(|finding| finding.state == State::Bad).count();
        if self.json {
            let entry = |finding: &Finding| {
                let state = ["ok", "warn", "fail"][finding.state as usize];
                json!({"name": finding.name, "state": state, "detail": finding.detail})
            };
            let list: Vec<_> = findings.iter().map(entry).collect();
            print(format_args!("{}\n", json!({"ok": bad == 0, "checks": list})))?;
        } else {
            for Finding { name, state, detail } in &findings {
                print(format_args!("{} {name}: {detail}\n", ["ok", "WARN", "FAIL"][*state as usize]))?;
            }
        }
        match bad {
            0 => Ok(()),
            _ => Err(Failure::failed(format!("{}: something has to be mended: see FAIL", config.db.path.display()))),
        }
    }
}

/// Everything, in the order in which it rests on each other.
fn look(config: &Config, clock: &Clock) -> Vec<Finding> {
    let path = &config.db.path;
    let folder = store::folder_of(path);
    let mut findings = vec![Finding::good("sqlite", store::sqlite_version()), machine::descriptors(config)];
    if !folder.is_dir() {
        findings.push(Finding::bad("folder", format!("{} is not there", folder.display())));
        return findings;
    }
    findings.push(machine::file_system(folder));
    findings.push(machine::room(folder, path));
    findings.push(machine::sync(folder, clock));
    findings.push(files::permissions(config));
    findings.push(files::holder(path));
    findings.extend(files::database(path, clock.now()));
    findings.push(files::backups(config, clock.now()));
    findings
}
