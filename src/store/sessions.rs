//! Sessions: a log-in and the chain of refresh tokens that grew from it. Tokens are known here by their digests only.

use super::{
    ReadTx, WriteTx,
    sql::{Columns, Key, below, rows},
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
    /// SHA-256 of the refresh token before it, and when that was used.
    pub previous: Option<([u8; 32], Timestamp)>,
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

const COLUMNS: &str = "id, user_id, refresh_digest, previous_digest, rotated_at, created_at, last_used_at, expires_at,
    ip, user_agent";

fn read(row: &Row<'_>) -> rusqlite::Result<Session> {
    let mut columns = Columns::of(row);
    Ok(Session {
        id: columns.id()?,
        user_id: columns.id()?,
        refresh_digest: columns.take()?,
        previous: columns.take::<Option<[u8; 32]>>()?.zip(columns.instant_or_none()?),
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

/// The session of a user that has not ended by `now`.
pub fn by_id(tx: &ReadTx<'_>, user: UserId, id: SessionId, now: Timestamp) -> Result<Option<Session>> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1 AND user_id = ?2 AND expires_at > ?3");
    tx.row(&sql, (Key(id), Key(user), now.millis()), read)
}

/// The session that a refresh token belongs to, whether the token may be used next or was used before.
pub fn by_token(tx: &ReadTx<'_>, digest: &[u8; 32]) -> Result<Option<Session>> {
    let present = format!("SELECT {COLUMNS} FROM sessions WHERE refresh_digest = ?1");
    if let Some(session) = tx.row(&present, [digest], read)? {
        return Ok(Some(session));
    }
    let used = format!(
        "SELECT {COLUMNS} FROM sessions WHERE id = (SELECT session_id FROM used_refresh_tokens WHERE digest = ?1)"
    );
    tx.row(&used, [digest], read)
}

/// Sessions of a user before `before` that have not ended by `now`, newest first.
pub fn page(
    tx: &ReadTx<'_>,
    user: UserId,
    before: Option<SessionId>,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Session>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM sessions WHERE user_id = ?1 AND id < ?2 AND expires_at > ?3 ORDER BY id DESC LIMIT ?4"
    );
    tx.rows(&sql, (Key(user), below(before), now.millis(), rows(limit)), read)
}

/// How many sessions of a user have not ended by `now`.
pub fn count(tx: &ReadTx<'_>, user: UserId, now: Timestamp) -> Result<i64> {
    let sql = "SELECT count(*) FROM sessions WHERE user_id = ?1 AND expires_at > ?2";
    tx.row(sql, (Key(user), now.millis()), |row| row.get(0)).map(Option::unwrap_or_default)
}

/// The sessions of a user that have not ended by `now`, but for the `most` that were used last.
pub fn beyond(tx: &ReadTx<'_>, user: UserId, now: Timestamp, most: usize) -> Result<Vec<SessionId>> {
    let sql = "SELECT id FROM sessions WHERE user_id = ?1 AND expires_at > ?2
         ORDER BY last_used_at DESC, id DESC LIMIT -1 OFFSET ?3";
    tx.rows(sql, (Key(user), now.millis(), rows(most)), |row| Columns::of(row).id())
}

/// Puts `next` in the place of the session's refresh token, which is remembered as used until it would have expired.
pub fn rotate(tx: &WriteTx<'_>, session: &Session, next: &[u8; 32], expires_at: Timestamp) -> Result<()> {
    let now = tx.now();
    tx.execute(
        "UPDATE sessions SET refresh_digest = :next, previous_digest = refresh_digest, rotated_at = :now,
           last_used_at = :now, expires_at = :expires_at WHERE id = :id",
        named_params! {
            ":next": next, ":now": now.millis(), ":expires_at": expires_at.millis(), ":id": Key(session.id),
        },
    )?;
    tx.execute(
        "INSERT INTO used_refresh_tokens (digest, session_id, used_at) VALUES (?1, ?2, ?3)",
        (session.refresh_digest, Key(session.id), now.millis()),
    )?;
    // By the length of a token's life: what was used longer ago than that is no credential any more.
    let life = expires_at.millis().saturating_sub(now.millis());
    tx.execute(
        "DELETE FROM used_refresh_tokens WHERE session_id = ?1 AND used_at < ?2",
        (Key(session.id), now.millis().saturating_sub(life)),
    )
    .map(drop)
}

/// Ends a session.
pub fn end(tx: &WriteTx<'_>, id: SessionId) -> Result<()> {
    tx.execute("DELETE FROM sessions WHERE id = ?1", [Key(id)]).map(drop)
}

/// Ends all sessions of a user but for one that is to go on, and says how many there were.
pub fn end_all(tx: &WriteTx<'_>, user: UserId, except: Option<SessionId>) -> Result<usize> {
    tx.execute("DELETE FROM sessions WHERE user_id = ?1 AND id IS NOT ?2", (Key(user), except.map(Key)))
}

/// Forgets at most `most` sessions that ended before `now`, and says how many.
pub fn prune(tx: &WriteTx<'_>, now: Timestamp, most: usize) -> Result<usize> {
    tx.execute(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at <= ?1 LIMIT ?2)",
        (now.millis(), rows(most)),
    )
}

/// Ends all sessions of everybody, and says how many there were.
pub fn end_everyones(tx: &WriteTx<'_>) -> Result<usize> {
    tx.execute("DELETE FROM sessions", [])
}
