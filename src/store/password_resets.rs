//! Reset tokens, with which users set a password without knowing the old one. Only digests are stored, one for each
//! user.

use super::{
    ReadTx, WriteTx,
    sql::{Columns, IdBlob},
};
use crate::{
    domain::{id::UserId, time::Timestamp},
    error::Result,
};

/// Stores the newest token of a user, which ends the older one.
pub fn put(tx: &WriteTx<'_>, user: UserId, digest: &[u8; 32], expires_at: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO password_resets (user_id, digest, expires_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (user_id) DO UPDATE SET digest = excluded.digest, expires_at = excluded.expires_at",
        (IdBlob(user), digest, expires_at.millis()),
    )
    .map(drop)
}

/// The user whose token has this digest and is valid at `now`.
pub fn user_of(tx: &ReadTx<'_>, digest: &[u8; 32], now: Timestamp) -> Result<Option<UserId>> {
    let sql = "SELECT user_id FROM password_resets WHERE digest = ?1 AND expires_at > ?2";
    tx.row(sql, (digest, now.millis()), |row| Columns::of(row).id())
}

/// Ends the token of a user.
pub fn end(tx: &WriteTx<'_>, user: UserId) -> Result<()> {
    tx.execute("DELETE FROM password_resets WHERE user_id = ?1", [IdBlob(user)]).map(drop)
}

/// Ends the tokens of all users.
pub fn end_all(tx: &WriteTx<'_>) -> Result<()> {
    tx.execute("DELETE FROM password_resets", []).map(drop)
}
