//! Sessions: the log-in of a program and its chain of refresh tokens, or the log-in of a browser. Only digests of
//! secrets are stored.

use super::{
    Bound, ReadTx, WriteTx, personal,
    sql::{Columns, IdBlob, before_id, sql_int},
    users,
};
use crate::{
    domain::{
        id::{SessionId, UserId},
        time::Timestamp,
    },
    error::Result,
};
use rusqlite::{Row, named_params};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A log-in and the digests of its secrets.
#[derive(Clone, Debug)]
pub struct Session {
    /// The session's identifier.
    pub id: SessionId,
    /// The user who logged in.
    pub user_id: UserId,
    /// The digests of its secrets.
    pub secrets: Secrets,
    /// Whether an OpenID provider has identified the user, which stands for a second factor.
    pub by_provider: bool,
    /// The time of the log-in.
    pub created_at: Timestamp,
    /// The time of the log-in, of a program's last refresh, or of a browser's last request that was saved.
    pub last_used_at: Timestamp,
    /// When the session ends without another refresh or request.
    pub expires_at: Timestamp,
    /// The client's address.
    pub ip: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
}

/// Where a session was started from.
#[derive(Serialize, Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    ip: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user_agent: Option<Cow<'a, str>>,
}

/// SHA-256 of the secrets of a session.
#[derive(Clone, Copy, Debug)]
pub enum Secrets {
    /// Those of a program.
    Program(RefreshTokens),
    /// Those of a browser.
    Browser {
        /// Of the cookie.
        cookie: [u8; 32],
        /// Of the console key.
        console_key: [u8; 32],
    },
}

/// SHA-256 of the latest refresh tokens of a session.
#[derive(Clone, Copy, Debug)]
pub struct RefreshTokens {
    /// Of the token that is valid now.
    pub current: [u8; 32],
    /// Of the token before that, and when it was used.
    pub previous: Option<([u8; 32], Timestamp)>,
}

impl Session {
    /// The refresh tokens; `None` for the session of a browser.
    pub fn refresh_tokens(&self) -> Option<RefreshTokens> {
        match self.secrets {
            Secrets::Program(tokens) => Some(tokens),
            Secrets::Browser { .. } => None,
        }
    }
}

/// Inserts a session.
pub fn insert(tx: &WriteTx<'_>, session: &Session) -> Result<()> {
    let borrowed = |text| Option::map(text, Cow::Borrowed);
    let content = Content { ip: borrowed(session.ip.as_deref()), user_agent: borrowed(session.user_agent.as_deref()) };
    let personal = match (&content.ip, &content.user_agent) {
        (None, None) => None,
        _ => Some(personal::insert(tx, users::seq(tx, session.user_id)?, &content)?.seq),
    };
    let (refresh, cookie, console_key) = match session.secrets {
        Secrets::Program(tokens) => (Some(tokens.current), None, None),
        Secrets::Browser { cookie, console_key } => (None, Some(cookie), Some(console_key)),
    };
    tx.execute(
        "INSERT INTO sessions (id, user_id, refresh_digest, cookie_digest, console_key_digest, by_provider,
           created_at, last_used_at, expires_at, personal_seq)
         VALUES (:id, :user_id, :refresh, :cookie, :console_key, :by_provider, :created_at, :last_used_at, :expires_at,
           :personal_seq)",
        named_params! {
            ":id": IdBlob(session.id), ":user_id": IdBlob(session.user_id), ":refresh": refresh, ":cookie": cookie,
            ":console_key": console_key, ":by_provider": session.by_provider,
            ":created_at": session.created_at.millis(), ":last_used_at": session.last_used_at.millis(),
            ":expires_at": session.expires_at.millis(), ":personal_seq": personal,
        },
    )
    .map(drop)
}

const COLUMNS: &str = "s.id, s.user_id, s.refresh_digest, s.previous_digest, s.rotated_at, s.cookie_digest,
    s.console_key_digest, s.by_provider, s.created_at, s.last_used_at, s.expires_at, p.content";
const TABLE: &str = "sessions s LEFT JOIN personal p ON p.seq = s.personal_seq";

fn read(row: &Row<'_>) -> rusqlite::Result<Session> {
    let mut columns = Columns::of(row);
    let mut session = Session {
        id: columns.id()?,
        user_id: columns.id()?,
        secrets: read_secrets(&mut columns)?,
        by_provider: columns.take()?,
        created_at: columns.instant()?,
        last_used_at: columns.instant()?,
        expires_at: columns.instant()?,
        ip: None,
        user_agent: None,
    };
    if let Some(Content { ip, user_agent }) = personal::content(row, columns.position())? {
        session.ip = ip.map(Cow::into_owned);
        session.user_agent = user_agent.map(Cow::into_owned);
    }
    Ok(session)
}

fn read_secrets(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Secrets> {
    let current = columns.take::<Option<[u8; 32]>>()?;
    let previous = columns.take::<Option<[u8; 32]>>()?.zip(columns.instant_or_none()?);
    let halves = (columns.take::<Option<[u8; 32]>>()?, columns.take::<Option<[u8; 32]>>()?);
    match (current, halves) {
        (None, (Some(cookie), Some(console_key))) => Ok(Secrets::Browser { cookie, console_key }),
        // The schema refuses a session without any secret.
        (current, _) => Ok(Secrets::Program(RefreshTokens { current: current.unwrap_or_default(), previous })),
    }
}

/// Every session that has not expired by `now`.
pub fn live(tx: &ReadTx<'_>, now: Timestamp) -> Result<Vec<Session>> {
    tx.rows(&format!("SELECT {COLUMNS} FROM {TABLE} WHERE s.expires_at > ?1"), [now.millis()], read)
}

/// A session of a user, unless it has expired by `now`.
pub fn by_id(tx: &ReadTx<'_>, user: UserId, id: SessionId, now: Timestamp) -> Result<Option<Session>> {
    let sql = format!("SELECT {COLUMNS} FROM {TABLE} WHERE s.id = ?1 AND s.user_id = ?2 AND s.expires_at > ?3");
    tx.row(&sql, (IdBlob(id), IdBlob(user), now.millis()), read)
}

/// The session of a refresh token, whether the token is valid now or was used before.
pub fn by_token(tx: &ReadTx<'_>, digest: &[u8; 32]) -> Result<Option<Session>> {
    let present = format!("SELECT {COLUMNS} FROM {TABLE} WHERE s.refresh_digest = ?1");
    if let Some(session) = tx.row(&present, [digest], read)? {
        return Ok(Some(session));
    }
    let used = format!(
        "SELECT {COLUMNS} FROM {TABLE} WHERE s.id = (SELECT session_id FROM used_refresh_tokens WHERE digest = ?1)"
    );
    tx.row(&used, [digest], read)
}

/// The sessions of a user before `before` that have not expired by `now`, newest first.
pub fn page(
    tx: &ReadTx<'_>,
    user: UserId,
    before: Option<SessionId>,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Session>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {TABLE} WHERE s.user_id = ?1 AND s.id < ?2 AND s.expires_at > ?3
         ORDER BY s.id DESC LIMIT ?4"
    );
    tx.rows(&sql, (IdBlob(user), before_id(before), now.millis(), sql_int(limit)), read)
}

/// The number of a user's sessions that have not expired by `now`.
pub fn count(tx: &ReadTx<'_>, user: UserId, now: Timestamp) -> Result<i64> {
    let sql = "SELECT count(*) FROM sessions WHERE user_id = ?1 AND expires_at > ?2";
    tx.row(sql, (IdBlob(user), now.millis()), |row| row.get(0)).map(Option::unwrap_or_default)
}

/// The sessions of a user that have not expired by `now`, without the `limit` most recently used ones.
pub fn excess(tx: &ReadTx<'_>, user: UserId, now: Timestamp, limit: usize) -> Result<Vec<SessionId>> {
    let sql = "SELECT id FROM sessions WHERE user_id = ?1 AND expires_at > ?2
         ORDER BY last_used_at DESC, id DESC LIMIT -1 OFFSET ?3";
    tx.rows(sql, (IdBlob(user), now.millis(), sql_int(limit)), |row| Columns::of(row).id())
}

/// Replaces the refresh token `used` of a session by `next`. The old token is stored as used for as long as it would
/// have been valid, so that its reuse is recognised.
pub fn rotate(tx: &WriteTx<'_>, id: SessionId, used: &[u8; 32], next: &[u8; 32], expires_at: Timestamp) -> Result<()> {
    let now = tx.now();
    tx.execute(
        "UPDATE sessions SET refresh_digest = :next, previous_digest = refresh_digest, rotated_at = :now,
           last_used_at = :now, expires_at = :expires_at WHERE id = :id",
        named_params! {
            ":next": next, ":now": now.millis(), ":expires_at": expires_at.millis(), ":id": IdBlob(id),
        },
    )?;
    tx.execute(
        "INSERT INTO used_refresh_tokens (digest, session_id, used_at) VALUES (?1, ?2, ?3)",
        (used, IdBlob(id), now.millis()),
    )?;
    // Tokens that were used longer ago than one lifetime have expired anyway.
    let lifetime = expires_at.millis().saturating_sub(now.millis());
    tx.execute(
        "DELETE FROM used_refresh_tokens WHERE session_id = ?1 AND used_at < ?2",
        (IdBlob(id), now.millis().saturating_sub(lifetime)),
    )
    .map(drop)
}

/// Saves when a browser's session was last used.
pub fn set_last_used(tx: &WriteTx<'_>, id: SessionId, last_used_at: Timestamp, expires_at: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE sessions SET last_used_at = ?2, expires_at = ?3 WHERE id = ?1 AND last_used_at < ?2",
        (IdBlob(id), last_used_at.millis(), expires_at.millis()),
    )
    .map(drop)
}

/// Deletes a session.
pub fn end(tx: &WriteTx<'_>, id: SessionId) -> Result<()> {
    delete(tx, "id = ?1", [IdBlob(id)]).map(drop)
}

/// Deletes every session of a user, except `except`, and returns how many there were.
pub fn end_of_user(tx: &WriteTx<'_>, user: UserId, except: Option<SessionId>) -> Result<usize> {
    delete(tx, "user_id = ?1 AND id IS NOT ?2", (IdBlob(user), except.map(IdBlob)))
}

/// Deletes at most `limit` sessions that have expired by `now`, and returns them.
pub fn prune(tx: &WriteTx<'_>, now: Timestamp, limit: usize) -> Result<Vec<SessionId>> {
    let expired =
        tx.rows("SELECT id FROM sessions WHERE expires_at <= ?1 LIMIT ?2", (now.millis(), sql_int(limit)), |row| {
            Columns::of(row).id()
        })?;
    expired.iter().try_for_each(|&id| end(tx, id))?;
    Ok(expired)
}

/// Deletes every session of every user, and returns how many there were.
pub fn end_all(tx: &WriteTx<'_>) -> Result<usize> {
    delete(tx, "true", [])
}

/// Deletes sessions, and erases where they were started from.
fn delete(tx: &WriteTx<'_>, condition: &str, params: impl Bound + Clone) -> Result<usize> {
    personal::erase(tx, &format!("SELECT personal_seq FROM sessions WHERE {condition}"), params.clone())?;
    tx.execute(&format!("DELETE FROM sessions WHERE {condition}"), params)
}
