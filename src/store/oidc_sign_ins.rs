//! Sign-ins by OpenID Connect that are under way: each journey is used once, and gives its claim once.

use super::{
    ReadTx, WriteTx,
    sql::{Columns, IdBlob, sql_int},
};
use crate::{
    domain::{id::UserId, time::Timestamp},
    error::Result,
};

/// What a journey has led to.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// SHA-256 of the claim, which gives the console key.
    pub claim: [u8; 32],
    /// SHA-256 of the cookie that the browser has got.
    pub cookie: [u8; 32],
    /// Who has signed in.
    pub user: UserId,
    /// When the claim stops being valid.
    pub expires_at: Timestamp,
}

/// Records that a journey was used. Returns whether this was the first time. The row is kept until `forget_at`.
pub fn use_journey(tx: &WriteTx<'_>, journey: &[u8; 32], forget_at: Timestamp) -> Result<bool> {
    let sql = "INSERT INTO oidc_sign_ins (journey, forget_at) VALUES (?1, ?2) ON CONFLICT (journey) DO NOTHING";
    Ok(tx.execute(sql, (journey, forget_at.millis()))? == 1)
}

/// Records what a journey has led to.
pub fn arrive(tx: &WriteTx<'_>, journey: &[u8; 32], arrival: &Arrival) -> Result<()> {
    tx.execute(
        "UPDATE oidc_sign_ins SET claim_digest = ?2, cookie_digest = ?3, user_id = ?4, claim_expires_at = ?5
         WHERE journey = ?1",
        (journey, arrival.claim, arrival.cookie, IdBlob(arrival.user), arrival.expires_at.millis()),
    )
    .map(drop)
}

/// The arrival with this claim.
pub fn by_claim(tx: &ReadTx<'_>, claim: &[u8; 32]) -> Result<Option<Arrival>> {
    let sql =
        "SELECT claim_digest, cookie_digest, user_id, claim_expires_at FROM oidc_sign_ins WHERE claim_digest = ?1";
    tx.row(sql, [claim], |row| {
        let mut columns = Columns::of(row);
        Ok(Arrival {
            claim: columns.take()?,
            cookie: columns.take()?,
            user: columns.id()?,
            expires_at: columns.instant()?,
        })
    })
}

/// Uses up a claim. Returns whether there was one.
pub fn use_claim(tx: &WriteTx<'_>, claim: &[u8; 32]) -> Result<bool> {
    let sql =
        "UPDATE oidc_sign_ins SET claim_digest = NULL, cookie_digest = NULL, user_id = NULL, claim_expires_at = NULL
         WHERE claim_digest = ?1";
    Ok(tx.execute(sql, [claim])? == 1)
}

/// Deletes at most `limit` journeys that are over, and returns how many.
pub fn prune(tx: &WriteTx<'_>, now: Timestamp, limit: usize) -> Result<usize> {
    tx.execute(
        "DELETE FROM oidc_sign_ins WHERE journey IN (SELECT journey FROM oidc_sign_ins WHERE forget_at <= ?1
           ORDER BY forget_at, journey LIMIT ?2)",
        (now.millis(), sql_int(limit)),
    )
}
