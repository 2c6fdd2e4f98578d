//! What is done from time to time without being asked for: writing notes, forgetting what is over, taking over new
//! signing keys, and making backups. Each concern is one function, does little at a time, and is tried again later if it fails.

use super::{api_keys, audit, backups, signing_keys::Watch};
use crate::{
    app::App,
    error::{Error, Result},
    store::{WriteTx, idempotency, sessions},
};
use std::time::Duration;
use tokio::{
    sync::oneshot,
    time::{MissedTickBehavior, interval},
};

/// How often there is a look at what is due.
const TICK: Duration = Duration::from_secs(1);
/// How often, in ticks, it is kept when API keys were last used.
const KEEP_LAST_USE_EVERY: u64 = 10;
/// How often, in ticks, what is over is forgotten.
const FORGET_EVERY: u64 = 60;
/// Rows that one transaction forgets at most, so that no request waits long for it.
const BATCH: usize = 500;

/// Keeps house until `stop` is dropped, and leaves nothing in memory that belongs on disk.
pub async fn run(app: App, mut stop: oneshot::Receiver<()>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut signing_keys = Watch::default();
    // Backups take longer than a tick. They end by themselves when the application drains.
    let backups = tokio::spawn(backups::run(app.clone()));
    for tick in 0_u64.. {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = &mut stop => break,
        }
        report("audit.write_notes", audit::write_notes(&app).await);
        report("signing_keys.look", signing_keys.look(&app));
        if tick % KEEP_LAST_USE_EVERY == 0 {
            report("api_keys.keep_last_use", api_keys::keep_last_use(&app).await);
        }
        if tick % FORGET_EVERY == 0 {
            app.access.prune(app.clock.now());
            report("sessions.forget", forget_sessions(&app).await);
            report("idempotency.forget", forget_idempotency_keys(&app).await);
        }
    }
    app.drain();
    report("backup.run", backups.await.map_err(Error::internal));
    report("audit.write_notes", audit::write_notes(&app).await);
    report("api_keys.keep_last_use", api_keys::keep_last_use(&app).await);
}

/// Forgets sessions that are over.
pub async fn forget_sessions(app: &App) -> Result<()> {
    forget(app, "sessions.forget", |tx| sessions::prune(tx, tx.now(), BATCH)).await
}

/// Forgets idempotency keys that were kept for long enough.
pub async fn forget_idempotency_keys(app: &App) -> Result<()> {
    let retention = app.config.idempotency.retention;
    forget(app, "idempotency.forget", move |tx| idempotency::prune(tx, tx.now().minus(retention), BATCH)).await
}

/// Does `some` again and again, a transaction each, until there is nothing left to forget.
async fn forget(
    app: &App,
    name: &'static str,
    some: impl Fn(&WriteTx<'_>) -> Result<usize> + Copy + Send + 'static,
) -> Result<()> {
    while app.store.write(name, some).await? >= BATCH {}
    Ok(())
}

fn report(name: &'static str, outcome: Result<()>) {
    if let Err(e) = outcome {
        tracing::warn!(housekeeping.task = name, error.cause = %e, "housekeeping failed; it is tried again later");
    }
}
