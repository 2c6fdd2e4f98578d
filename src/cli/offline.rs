//! Runs commands that change the database. They open it like a server does, so that they fail while a server has it open,
//! and they act as the system user.

use super::{Failure, refuse_absent, wait_for};
use crate::{
    app::{App, Surroundings},
    auth::Actor,
    config::Loaded,
    error::Result,
};
use std::io::{self, BufRead};
use zeroize::Zeroizing;

/// The most bytes that are read for a password.
const MAX_PASSWORD_BYTES: u64 = 4096;

/// Runs `work` on an existing database.
pub(super) fn change<T>(loaded: Loaded, work: impl AsyncFnOnce(App, Actor) -> Result<T>) -> Result<T, Failure> {
    refuse_absent(&loaded.config.db.path)?;
    change_or_create(loaded, work)
}

/// Runs `work` on a database, which is created if it does not exist.
pub(super) fn change_or_create<T>(
    loaded: Loaded,
    work: impl AsyncFnOnce(App, Actor) -> Result<T>,
) -> Result<T, Failure> {
    let path = loaded.config.db.path.clone();
    wait_for(async {
        let app = App::open(loaded.config, Surroundings::system()?)?;
        let outcome = work(app.clone(), Actor::system("cli")).await;
        app.store.close().await;
        outcome.map_err(|e| Failure::in_database(&path, e))
    })
}

/// Reads a password from the first line of standard input.
pub(super) fn password() -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::new());
    let read = io::Read::take(io::stdin().lock(), MAX_PASSWORD_BYTES).read_line(&mut line);
    read.map_err(|e| Failure::failed(format!("standard input: {e}")))?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    if line.is_empty() {
        return Err(Failure::usage("standard input: the first line must contain the password"));
    }
    Ok(line)
}
