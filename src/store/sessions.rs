//! Sessions: a log-in and the chain of refresh tokens that grew from it.

use super::{
    ReadTx, WriteTx,
    sql::{Columns, Key},
};
use crate::{
    domain::{
        id::{SessionId, UserId},
        time::Timestamp,
    },
    error::Result,
};
use rusqlite::{Row, named_params};

/// A log-in.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its identifier.
    pub id: SessionId,
    /// Who logged in.
    pub user_id: UserId,
    /// SHA-256 of the refresh token that may be used next.
    pub refresh_digest: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last made or refreshed.
    pub last_used_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// From which address.
    pub ip: Option<String>,
    /// With which program.
    pub user_agent: Option<String>,
}

/// Adds a session.
pub fn insert(tx: &WriteTx<'_>, session: &Session) -> Result<()> {
    tx.execute(
        "INSERT INTO sessions (id, user_id, refresh_digest, created_at, last_used_at, expires_at, ip, user_agent)
         VALUES (:id, :user_id, :refresh_digest, :created_at, :last_used_at, :expires_at, :ip, :user_agent)",
        named_params! {
            ":id": Key(session.id), ":user_id": Key(session.user_id), ":refresh_digest": session.refresh_digest,
            ":created_at": session.created_at.millis(), ":last_used_at": session.last_used_at.millis(),
            ":expires_at": session.expires_at.millis(), ":ip": session.ip, ":user_agent": session.user_agent,
        },
    )
    .map(drop)
}

const COLUMNS: &str = "id, user_id, refresh_digest, created_at, last_used_at, expires_at, ip, user_agent";

fn read(row: &Row<'_>) -> rusqlite::Result<Session> {
    let mut columns = Columns::of(row);
    Ok(Session {
        id: columns.id()?,
        user_id: columns.id()?,
        refresh_digest: columns.take()?,
        created_at: columns.instant()?,
        last_used_at: columns.instant()?,
        expires_at: columns.instant()?,
        ip: columns.take()?,
        user_agent: columns.take()?,
    })
}

/// Every session that has not ended by `now`.
pub fn live(tx: &ReadTx<'_>, now: Timestamp) -> Result<Vec<Session>> {
    tx.rows(&format!("SELECT {COLUMNS} FROM sessions WHERE expires_at > ?1"), [now.millis()], read)
}
