//! Runs commands that change the database. They open it like a server does, so that they fail while a server has the
//! file open; on a journal they work beside servers. They act as the system user.

use super::{
    Failure,
    database::{join_for_a_moment, refuse_unchangeable},
    wait_for,
};
use crate::{
    app::{App, Surroundings},
    auth::Actor,
    config::Loaded,
    error::Result,
};

/// Runs `work` on an existing database.
pub(super) fn change<T>(loaded: Loaded, work: impl AsyncFnOnce(App, Actor) -> Result<T>) -> Result<T, Failure> {
    refuse_unchangeable(&loaded.config)?;
    change_or_create(loaded, work)
}

/// Runs `work` on a database, which is created if it does not exist.
pub(super) fn change_or_create<T>(
    mut loaded: Loaded,
    work: impl AsyncFnOnce(App, Actor) -> Result<T>,
) -> Result<T, Failure> {
    let _folder = join_for_a_moment(&mut loaded.config)?;
    let path = loaded.config.db.path.clone();
    wait_for(async {
        let app = App::open(loaded.config, Surroundings::system()?)?;
        let outcome = work(app.clone(), Actor::system("cli")).await;
        app.store.close().await;
        outcome.map_err(|e| Failure::in_database(&path, e))
    })
}
