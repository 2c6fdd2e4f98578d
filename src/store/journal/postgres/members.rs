//! The statements about the processes on a journal.

use super::{Fault, PATIENCE, Session, limited};
use tokio_postgres::types::{ToSql, Type};

/// Who this process is.
pub(in crate::store::journal) struct Member {
    pub(in crate::store::journal) id: [u8; 16],
    pub(in crate::store::journal) version: &'static str,
    /// The identifiers of its signing keys.
    pub(in crate::store::journal) keys: String,
}

impl Session {
    /// How many processes were there a moment ago.
    pub(in crate::store::journal) async fn members(&self) -> Result<i64, Fault> {
        let sql = "SELECT count(*) FROM orderd.member WHERE seen > now() - interval '15 s'";
        Ok(self.rows(sql, &[]).await?.first().map_or(0, |row| row.get(0)))
    }

    /// Says that a process is there, and asks for the lease. Returns whether the process holds it.
    pub(in crate::store::journal) async fn report(&self, member: &Member, position: i64) -> Result<bool, Fault> {
        // The lock on the turn makes one process at a time look at the lease of the others.
        self.batch("BEGIN; SET LOCAL lock_timeout = '4s'; SELECT 1 FROM orderd.turn FOR UPDATE").await?;
        let put = "INSERT INTO orderd.member (id, version, position, keys, seen) VALUES ($1, $2, $3, $4, now())
                   ON CONFLICT (id) DO UPDATE SET position = $3, seen = now()";
        let id = member.id.as_slice();
        let params: [(&(dyn ToSql + Sync), Type); 4] =
            [(&id, Type::BYTEA), (&member.version, Type::TEXT), (&position, Type::INT8), (&member.keys, Type::TEXT)];
        limited(PATIENCE, async { Ok(self.client.execute_typed(put, &params).await?) }).await?;
        let lease = "UPDATE orderd.member SET lease = clock_timestamp() + interval '10 s'
                     WHERE id = $1
                       AND NOT EXISTS (SELECT 1 FROM orderd.member WHERE id <> $1 AND lease > clock_timestamp())";
        let params: [(&(dyn ToSql + Sync), Type); 1] = [(&id, Type::BYTEA)];
        let granted = limited(PATIENCE, async { Ok(self.client.execute_typed(lease, &params).await?) }).await?;
        self.batch("DELETE FROM orderd.member WHERE seen < now() - interval '1 day'; COMMIT").await?;
        Ok(granted == 1)
    }

    /// Removes a process that ends.
    pub(in crate::store::journal) async fn leave(&self, id: [u8; 16]) -> Result<(), Fault> {
        let (sql, id) = ("DELETE FROM orderd.member WHERE id = $1", id.as_slice());
        self.rows(sql, &[(&id, Type::BYTEA)]).await.map(drop)
    }

    /// The keys of another process that was there a moment ago, if they are not these.
    pub(in crate::store::journal) async fn other_keys(&self, keys: &str) -> Result<Option<String>, Fault> {
        let sql = "SELECT keys FROM orderd.member WHERE keys <> $1 AND seen > now() - interval '15 s' LIMIT 1";
        Ok(self.rows(sql, &[(&keys, Type::TEXT)]).await?.first().map(|row| row.get(0)))
    }
}
