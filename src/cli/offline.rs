//! What the commands that change the database have in common: they open it as a server would, so that they refuse while
//! one has it, and act as the system itself.

use super::{Failure, refuse_absent, wait_for};
use crate::{
    app::{App, Surroundings},
    auth::Actor,
    config::Loaded,
    error::Result,
};
use std::io::{self, BufRead};
use zeroize::Zeroizing;

/// The longest line that is read as a password.
const MAX_PASSWORD_BYTES: u64 = 4096;

/// Does `work` on a database that is there.
pub(super) fn change<T>(loaded: Loaded, work: impl AsyncFnOnce(App, Actor) -> Result<T>) -> Result<T, Failure> {
    refuse_absent(&loaded.config.db.path)?;
    change_or_make(loaded, work)
}

/// Does `work` on a database, which is made if it is not there.
pub(super) fn change_or_make<T>(loaded: Loaded, work: impl AsyncFnOnce(App, Actor) -> Result<T>) -> Result<T, Failure> {
    wait_for(async {
        let app = App::open(loaded.config, Surroundings::system()?)?;
        let outcome = work(app.clone(), Actor::system("cli")).await;
        app.store.close().await;
        Ok(outcome?)
    })
}

/// The first line of standard input, without its end.
pub(super) fn password() -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::new());
    let read = io::Read::take(io::stdin().lock(), MAX_PASSWORD_BYTES).read_line(&mut line);
    read.map_err(|e| Failure::failed(format!("standard input: {e}")))?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    if line.is_empty() {
        return Err(Failure::usage("standard input has no password in its first line"));
    }
    Ok(line)
}
