//! Deletes rows that have expired. The worker decides when.

use crate::{
    app::App,
    domain::{access::Fact, webhook::RETENTION},
    error::Result,
    store::{WriteTx, deliveries, idempotency, oidc_sign_ins, sessions},
};

/// Rows deleted in one transaction, so that no request waits long for the writer.
const BATCH: usize = 500;

/// Deletes expired sessions.
pub async fn prune_sessions(app: &App) -> Result<()> {
    // A browser's request extends its session in memory only, until that is saved.
    super::sessions::keep_last_use(app).await?;
    let prune_batch = move |tx: &WriteTx<'_>| {
        let expired = sessions::prune(tx, tx.now(), BATCH)?;
        for &session in &expired {
            tx.tell(Fact::SessionEnded(session));
        }
        Ok(expired.len())
    };
    prune(app, "sessions.prune", prune_batch).await
}

/// Deletes sign-ins by OpenID Connect that are over.
pub async fn prune_sign_ins(app: &App) -> Result<()> {
    prune(app, "oidc.prune", |tx| oidc_sign_ins::prune(tx, tx.now(), BATCH)).await
}

/// Deletes idempotency keys that are older than their retention time.
pub async fn prune_idempotency_keys(app: &App) -> Result<()> {
    let retention = app.config.idempotency.retention;
    prune(app, "idempotency.prune", move |tx| idempotency::prune(tx, tx.now().minus(retention), BATCH)).await
}

/// Deletes deliveries to webhook endpoints that are older than 30 days.
pub async fn prune_deliveries(app: &App) -> Result<()> {
    prune(app, "webhooks.prune", |tx| deliveries::prune(tx, tx.now().minus(RETENTION), BATCH)).await
}

/// Deletes batch after batch, each in a transaction of its own, until one is not full.
async fn prune(
    app: &App,
    name: &'static str,
    delete: impl Fn(&WriteTx<'_>) -> Result<usize> + Clone + Send + 'static,
) -> Result<()> {
    while app.store.write(name, delete.clone()).await? >= BATCH {}
    Ok(())
}
