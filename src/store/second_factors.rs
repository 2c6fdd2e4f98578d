//! Second factors of users: the encrypted secret, the step of the latest code, and the digests of recovery codes.

use super::{
    ReadTx, WriteTx,
    sql::{Columns, IdBlob},
};
use crate::{
    domain::{id::UserId, time::Timestamp},
    error::Result,
};

/// The second factor of a user.
#[derive(Clone, Debug)]
pub struct SecondFactor {
    /// The secret, encrypted.
    pub sealed_secret: Vec<u8>,
    /// When the first code was sent, from which time on codes are required; `None` before.
    pub confirmed_at: Option<Timestamp>,
    /// The step of the latest code. Codes of this step and of earlier ones are used up.
    pub last_step: i64,
}

/// The second factor of a user, confirmed or not.
pub fn by_user(tx: &ReadTx<'_>, user: UserId) -> Result<Option<SecondFactor>> {
    let sql = "SELECT sealed_secret, confirmed_at, last_step FROM second_factors WHERE user_id = ?1";
    tx.row(sql, [IdBlob(user)], |row| {
        let mut columns = Columns::of(row);
        Ok(SecondFactor {
            sealed_secret: columns.take()?,
            confirmed_at: columns.instant_or_none()?,
            last_step: columns.take()?,
        })
    })
}

/// Begins an enrolment, in place of an earlier one that was not confirmed.
pub fn begin(tx: &WriteTx<'_>, user: UserId, sealed_secret: &[u8], recovery_codes: &[[u8; 32]]) -> Result<()> {
    end(tx, user)?;
    tx.execute(
        "INSERT INTO second_factors (user_id, sealed_secret, confirmed_at, last_step) VALUES (?1, ?2, NULL, 0)",
        (IdBlob(user), sealed_secret),
    )?;
    recovery_codes.iter().try_for_each(|digest| {
        tx.execute("INSERT INTO recovery_codes (user_id, digest) VALUES (?1, ?2)", (IdBlob(user), digest)).map(drop)
    })
}

/// Puts the second factor in force.
pub fn confirm(tx: &WriteTx<'_>, user: UserId) -> Result<()> {
    let sql = "UPDATE second_factors SET confirmed_at = ?2 WHERE user_id = ?1";
    tx.execute(sql, (IdBlob(user), tx.now().millis())).map(drop)
}

/// Uses up the codes of `step` and of earlier ones.
pub fn set_last_step(tx: &WriteTx<'_>, user: UserId, step: i64) -> Result<()> {
    tx.execute("UPDATE second_factors SET last_step = ?2 WHERE user_id = ?1", (IdBlob(user), step)).map(drop)
}

/// Uses up a recovery code. Returns whether there was one.
pub fn use_recovery_code(tx: &WriteTx<'_>, user: UserId, digest: &[u8; 32]) -> Result<bool> {
    let sql = "DELETE FROM recovery_codes WHERE user_id = ?1 AND digest = ?2";
    Ok(tx.execute(sql, (IdBlob(user), digest))? == 1)
}

/// The number of recovery codes that are left.
pub fn recovery_codes_left(tx: &ReadTx<'_>, user: UserId) -> Result<i64> {
    let sql = "SELECT count(*) FROM recovery_codes WHERE user_id = ?1";
    tx.row(sql, [IdBlob(user)], |row| row.get(0)).map(Option::unwrap_or_default)
}

/// Ends the second factor of a user, and its recovery codes. Returns whether there was one.
pub fn end(tx: &WriteTx<'_>, user: UserId) -> Result<bool> {
    Ok(tx.execute("DELETE FROM second_factors WHERE user_id = ?1", [IdBlob(user)])? == 1)
}
