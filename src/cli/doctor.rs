//! `orderd doctor`: checks what the database, or the journal in PostgreSQL, depends on. It changes nothing, except that
//! it writes a file of its own beside the database to measure the disk, and removes it.

mod files;
mod journal;
mod machine;

use super::{Failure, certificate, flags::ConfigFlags, print};
use crate::{
    config::Config,
    domain::time::{Clock, Timestamp},
    store,
};
use serde_json::json;
use std::time::Duration;

/// How long before its end a certificate is worth a warning: those of Let's Encrypt are renewed a month before.
const CERTIFICATE_WARNING: Duration = Duration::from_hours(14 * 24);

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Print one JSON document instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Severity {
    Ok,
    /// The server works, but somebody should look at this.
    Warn,
    /// The server cannot keep its promises like this.
    Fail,
}

struct Finding {
    name: &'static str,
    severity: Severity,
    detail: String,
}

impl Finding {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, severity: Severity::Ok, detail: detail.into() }
    }

    fn warn(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, severity: Severity::Warn, detail: detail.into() }
    }

    fn fail(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, severity: Severity::Fail, detail: detail.into() }
    }
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.flags.load(vec![])?.config;
        let findings = check_all(&config, &Clock::system());
        let failed = findings.iter().filter(|finding| finding.severity == Severity::Fail).count();
        if self.json {
            let entry = |finding: &Finding| {
                let state = ["ok", "warn", "fail"][finding.severity as usize];
                json!({"name": finding.name, "state": state, "detail": finding.detail})
            };
            let list: Vec<_> = findings.iter().map(entry).collect();
            print(format_args!("{}\n", json!({"ok": failed == 0, "checks": list})))?;
        } else {
            for Finding { name, severity, detail } in &findings {
                print(format_args!("{} {name}: {detail}\n", ["ok", "WARN", "FAIL"][*severity as usize]))?;
            }
        }
        match failed {
            0 => Ok(()),
            1 => Err(Failure::failed(format!("{}: 1 check failed", config.db.path.display()))),
            more => Err(Failure::failed(format!("{}: {more} checks failed", config.db.path.display()))),
        }
    }
}

/// Reads the certificate and its key as the server does, if TLS is configured.
fn tls(config: &Config, now: Timestamp) -> Option<Finding> {
    const NAME: &str = "tls";
    let end = match certificate(config) {
        Ok(None) => return None,
        Ok(Some(certificate)) => certificate.end(),
        Err(e) => return Some(Finding::fail(NAME, e.message.trim_start_matches("TLS: "))),
    };
    Some(match end {
        Some(end) if end <= now => Finding::fail(NAME, format!("the certificate has expired on {end}")),
        Some(end) if end <= now.plus(CERTIFICATE_WARNING) => {
            Finding::warn(NAME, format!("the certificate expires on {end}"))
        }
        Some(end) => Finding::ok(NAME, format!("the certificate has its key and is valid until {end}")),
        None => Finding::ok(NAME, "the certificate has its key"),
    })
}

/// Runs all checks; later ones depend on earlier ones.
fn check_all(config: &Config, clock: &Clock) -> Vec<Finding> {
    let path = &config.db.path;
    let folder = store::folder_of(path);
    let mut findings = vec![Finding::ok("sqlite", store::sqlite_version()), machine::descriptors(config)];
    findings.extend(tls(config, clock.now()));
    findings.extend(journal::findings(config, clock));
    if !folder.is_dir() {
        findings.push(Finding::fail("folder", format!("{} does not exist", folder.display())));
        return findings;
    }
    findings.push(machine::file_system(folder));
    findings.push(machine::space(folder, path));
    findings.push(machine::sync(folder, clock));
    findings.push(files::permissions(config));
    findings.push(files::holder(path));
    findings.extend(files::database(path, clock.now()));
    findings.push(files::backups(config, clock.now()));
    findings
}
