//! Users and their password hashes.

use super::{
    ReadTx, WriteTx,
    sql::{Columns, IdBlob, before_id, optional, sql_int, store_error, violates},
};
use crate::{
    domain::{
        id::UserId,
        user::{Email, User, UserStatus},
    },
    error::{Error, Result, problem},
};
use rusqlite::{Row, named_params};

const COLUMNS: &str = "id, email, name, role, status, created_at, updated_at,
    EXISTS (SELECT 1 FROM second_factors f WHERE f.user_id = users.id AND f.confirmed_at IS NOT NULL)";

fn read(row: &Row<'_>) -> rusqlite::Result<User> {
    read_from(&mut Columns::of(row))
}

fn read_from(columns: &mut Columns<'_, '_>) -> rusqlite::Result<User> {
    Ok(User {
        id: columns.id()?,
        email: columns.parsed(Email::parse)?,
        name: columns.take()?,
        role: columns.take()?,
        status: columns.parsed(UserStatus::parse)?,
        created_at: columns.instant()?,
        updated_at: columns.instant()?,
        second_factor: columns.take()?,
    })
}

/// Inserts a user.
///
/// # Errors
/// `EMAIL_TAKEN` if another user has the address.
pub fn insert(tx: &WriteTx<'_>, user: &User, password_hash: Option<&str>) -> Result<()> {
    tx.try_execute(
        "INSERT INTO users (id, email, name, role, status, password_hash, created_at, updated_at)
         VALUES (:id, :email, :name, :role, :status, :password_hash, :created_at, :updated_at)",
        named_params! {
            ":id": IdBlob(user.id), ":email": user.email.as_str(), ":name": user.name, ":role": user.role,
            ":status": user.status.name(), ":password_hash": password_hash, ":created_at": user.created_at.millis(),
            ":updated_at": user.updated_at.millis(),
        },
    )
    .map(drop)
    .map_err(duplicate_email)
}

fn duplicate_email(e: rusqlite::Error) -> Error {
    if violates(&e, "users.email") { Error::new(&problem::EMAIL_TAKEN) } else { store_error(e) }
}

/// The user with this identifier.
pub fn by_id(tx: &ReadTx<'_>, id: UserId) -> Result<Option<User>> {
    tx.row(&format!("SELECT {COLUMNS} FROM users WHERE id = ?1"), [IdBlob(id)], read)
}

/// The user with this email address, and their password hash if they have a password.
pub fn by_email(tx: &ReadTx<'_>, email: &Email) -> Result<Option<(User, Option<String>)>> {
    tx.row(&format!("SELECT {COLUMNS}, password_hash FROM users WHERE email = ?1"), [email.as_str()], |row| {
        let mut columns = Columns::of(row);
        Ok((read_from(&mut columns)?, columns.take()?))
    })
}

/// Whether there is any user.
pub fn any(tx: &ReadTx<'_>) -> Result<bool> {
    optional(tx.connection.query_row("SELECT 1 FROM users LIMIT 1", [], |_| Ok(()))).map(|row| row.is_some())
}

/// Every user.
pub fn all(tx: &ReadTx<'_>) -> Result<Vec<User>> {
    tx.rows(&format!("SELECT {COLUMNS} FROM users ORDER BY id"), [], read)
}

/// The users before `before`, newest first.
pub fn page(tx: &ReadTx<'_>, before: Option<UserId>, limit: usize) -> Result<Vec<User>> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
    tx.rows(&sql, (before_id(before), sql_int(limit)), read)
}

/// The number of users.
pub fn count(tx: &ReadTx<'_>) -> Result<i64> {
    tx.connection.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).map_err(store_error)
}

/// Updates every field of a user that can change, but not the password.
///
/// # Errors
/// `EMAIL_TAKEN` if another user has the address.
pub fn update(tx: &WriteTx<'_>, user: &User) -> Result<()> {
    tx.try_execute(
        "UPDATE users SET email = :email, name = :name, role = :role, status = :status, updated_at = :updated_at
         WHERE id = :id",
        named_params! {
            ":id": IdBlob(user.id), ":email": user.email.as_str(), ":name": user.name, ":role": user.role,
            ":status": user.status.name(), ":updated_at": user.updated_at.millis(),
        },
    )
    .map(drop)
    .map_err(duplicate_email)
}

/// Whether any user, active or not, has this role.
pub fn any_with_role(tx: &ReadTx<'_>, role: &str) -> Result<bool> {
    tx.row("SELECT 1 FROM users WHERE role = ?1 LIMIT 1", [role], |_| Ok(())).map(|row| row.is_some())
}

/// The number of active users with this role.
pub fn count_active(tx: &ReadTx<'_>, role: &str) -> Result<i64> {
    let sql = "SELECT count(*) FROM users WHERE role = ?1 AND status = 'active'";
    tx.row(sql, [role], |row| row.get(0)).map(Option::unwrap_or_default)
}

/// The password hash of a user, if they have a password.
pub fn password_hash(tx: &ReadTx<'_>, id: UserId) -> Result<Option<String>> {
    tx.row("SELECT password_hash FROM users WHERE id = ?1", [IdBlob(id)], |row| row.get(0)).map(Option::flatten)
}

/// Replaces a user's password hash.
pub fn set_password(tx: &WriteTx<'_>, id: UserId, password_hash: &str) -> Result<()> {
    tx.execute("UPDATE users SET password_hash = ?2 WHERE id = ?1", (IdBlob(id), password_hash)).map(drop)
}
