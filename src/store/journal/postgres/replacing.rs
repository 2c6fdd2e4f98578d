//! The statements that replace all that a journal contains.

use super::{APPEND_PATIENCE, Fault, Origin, Session, Stored, Vouched, limited};
use tokio_postgres::types::{ToSql, Type};

/// Takes the turn, and keeps it while copies are made and verified, or a migration runs.
const BEGIN: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '30min'; SET LOCAL lock_timeout = '12s';
                     SELECT 1 FROM orderd.turn FOR UPDATE";

impl Session {
    /// Takes the turn for longer than an append needs it.
    pub(in crate::store::journal) async fn take_long_turn(&self) -> Result<(), Fault> {
        limited(APPEND_PATIENCE, async { Ok(self.client.batch_execute(BEGIN).await?) }).await
    }

    /// Makes the snapshot whose parts were put the only one, with the entry that says so, and commits.
    ///
    /// # Errors
    /// After [`Fault::Lost`] it is unknown whether that was done.
    pub(in crate::store::journal) async fn replace(&self, entry: &Stored, origin: &Origin) -> Result<(), Fault> {
        let sql = "INSERT INTO orderd.journal (seq, body) VALUES ($1, $2)";
        let params: [(&(dyn ToSql + Sync), Type); 2] = [(&entry.seq, Type::INT8), (&entry.body, Type::BYTEA)];
        self.rows(sql, &params).await?;
        let sql = "UPDATE orderd.turn SET snapshot = $1, parts = $2, digest = $3, restored = $1, made_at = now()";
        let digest = origin.digest.as_slice();
        let params: [(&(dyn ToSql + Sync), Type); 3] =
            [(&origin.snapshot, Type::INT8), (&origin.parts, Type::INT8), (&digest, Type::BYTEA)];
        self.rows(sql, &params).await?;
        self.rows("DELETE FROM orderd.snapshot WHERE seq < $1", &[(&origin.snapshot, Type::INT8)]).await?;
        self.commit_surely().await
    }

    /// Commits, which counts as done only if PostgreSQL has waited for its standby.
    ///
    /// # Errors
    /// [`Fault::Lost`]: a commit that was answered with an error may still have happened.
    pub(in crate::store::journal) async fn commit_surely(&self) -> Result<(), Fault> {
        match self.vouch().await {
            Ok(Vouched::Yes) => Ok(()),
            Ok(Vouched::No) => Err(Fault::Lost("the wait for a standby was cut short".to_owned())),
            Err(fault) => Err(Fault::Lost(fault.to_string())),
        }
    }
}
