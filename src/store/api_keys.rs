//! API keys. Only digests of their secrets are stored.

use super::{
    ReadTx, WriteTx, roles,
    sql::{Columns, IdBlob, before_id, sql_int},
};
use crate::{
    domain::{
        id::{KeyId, UserId},
        permission::PermissionSet,
        time::Timestamp,
    },
    error::Result,
};
use rusqlite::{Row, named_params};

/// An API key.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The key's identifier.
    pub id: KeyId,
    /// The name given by its creator.
    pub name: String,
    /// SHA-256 of the secret.
    pub digest: [u8; 32],
    /// The first characters of the secret, by which people recognise the key.
    pub prefix: String,
    /// The most that the key may do.
    pub permissions: PermissionSet,
    /// The user who created the key.
    pub created_by: UserId,
    /// The time of creation.
    pub created_at: Timestamp,
    /// When the key expires, if ever.
    pub expires_at: Option<Timestamp>,
    /// The last use. It is written some time after the use.
    pub last_used_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, name, digest, prefix, permissions, created_by, created_at, expires_at, last_used_at";

fn read(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let mut columns = Columns::of(row);
    Ok(ApiKey {
        id: columns.id()?,
        name: columns.take()?,
        digest: columns.take()?,
        prefix: columns.take()?,
        permissions: columns.parsed(roles::parse)?,
        created_by: columns.id()?,
        created_at: columns.instant()?,
        expires_at: columns.instant_or_none()?,
        last_used_at: columns.instant_or_none()?,
    })
}

/// Inserts a key.
pub fn insert(tx: &WriteTx<'_>, key: &ApiKey) -> Result<()> {
    tx.execute(
        "INSERT INTO api_keys (id, name, digest, prefix, permissions, created_by, created_at, expires_at, last_used_at)
         VALUES (:id, :name, :digest, :prefix, :permissions, :created_by, :created_at, :expires_at, :last_used_at)",
        named_params! {
            ":id": IdBlob(key.id), ":name": key.name, ":digest": key.digest, ":prefix": key.prefix,
            ":permissions": roles::as_text(key.permissions), ":created_by": IdBlob(key.created_by),
            ":created_at": key.created_at.millis(), ":expires_at": key.expires_at.map(Timestamp::millis),
            ":last_used_at": key.last_used_at.map(Timestamp::millis),
        },
    )
    .map(drop)
}

/// Every key.
pub fn all(tx: &ReadTx<'_>) -> Result<Vec<ApiKey>> {
    tx.rows(&format!("SELECT {COLUMNS} FROM api_keys ORDER BY id"), [], read)
}

/// The key with this identifier.
pub fn by_id(tx: &ReadTx<'_>, id: KeyId) -> Result<Option<ApiKey>> {
    tx.row(&format!("SELECT {COLUMNS} FROM api_keys WHERE id = ?1"), [IdBlob(id)], read)
}

/// The keys before `before`, newest first.
pub fn page(tx: &ReadTx<'_>, before: Option<KeyId>, limit: usize) -> Result<Vec<ApiKey>> {
    let sql = format!("SELECT {COLUMNS} FROM api_keys WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
    tx.rows(&sql, (before_id(before), sql_int(limit)), read)
}

/// The number of keys.
pub fn count(tx: &ReadTx<'_>) -> Result<i64> {
    tx.row("SELECT count(*) FROM api_keys", [], |row| row.get(0)).map(Option::unwrap_or_default)
}

/// Deletes a key.
pub fn delete(tx: &WriteTx<'_>, id: KeyId) -> Result<()> {
    tx.execute("DELETE FROM api_keys WHERE id = ?1", [IdBlob(id)]).map(drop)
}

/// Deletes every key of a user, and returns how many there were.
pub fn delete_of_user(tx: &WriteTx<'_>, user: UserId) -> Result<usize> {
    tx.execute("DELETE FROM api_keys WHERE created_by = ?1", [IdBlob(user)])
}

/// Stores that a key was used at `at`, unless a later use is stored.
pub fn set_last_used(tx: &WriteTx<'_>, id: KeyId, at: Timestamp) -> Result<()> {
    let sql = "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1 AND coalesce(last_used_at, 0) < ?2";
    tx.execute(sql, (IdBlob(id), at.millis())).map(drop)
}
