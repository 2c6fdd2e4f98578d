//! Users and their password hashes.

use super::{
    ReadTx, WriteTx,
    conditions::Conditions,
    sql::{CONTAINS_FOLDED, Columns, IdBlob, before_id, optional, sql_int, store_error, violates},
};
use crate::{
    domain::{
        id::UserId,
        text::Folded,
        time::Timestamp,
        user::{Email, User, UserFilter, UserStatus},
    },
    error::{Error, Result, problem},
};
use rusqlite::{Row, named_params, params_from_iter, types::Value};

const COLUMNS: &str = "id, email, name, role, status, created_at, updated_at, last_login_at,
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
        last_login_at: columns.instant_or_none()?,
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

/// The users that pass `filter` before `before`, newest first. Users are few compared with orders: a filter is tested row
/// by row, but for an address, which has an index.
pub fn page(tx: &ReadTx<'_>, filter: &UserFilter, before: Option<UserId>, limit: usize) -> Result<Vec<User>> {
    let mut conditions = Conditions::of("id < ?", [Value::Blob(before_id(before).to_vec())]);
    conditions.join(&passing(filter));
    let sql = format!("SELECT {COLUMNS} FROM users WHERE {} ORDER BY id DESC LIMIT ?", conditions.text());
    conditions.values.push(Value::Integer(sql_int(limit)));
    tx.rows(&sql, params_from_iter(conditions.values), read)
}

/// The number of users that pass `filter`.
pub fn count(tx: &ReadTx<'_>, filter: &UserFilter) -> Result<i64> {
    let conditions = passing(filter);
    let sql = format!("SELECT count(*) FROM users WHERE {}", conditions.text());
    tx.row(&sql, params_from_iter(conditions.values), |row| row.get(0)).map(Option::unwrap_or_default)
}

fn passing(filter: &UserFilter) -> Conditions {
    let mut conditions = Conditions::default();
    let words = [
        ("email = ?", filter.email.as_ref().map(|email| email.as_str().to_owned())),
        ("role = ?", filter.role.clone()),
        ("status = ?", filter.status.map(|status| status.name().to_owned())),
    ];
    for (condition, word) in words {
        word.into_iter().for_each(|word| conditions.and(condition, [Value::Text(word)]));
    }
    if let Some(text) = &filter.text {
        let folded = || Value::Text(Folded::of(text).as_str().to_owned());
        let contains = format!("({CONTAINS_FOLDED}(name, ?) OR {CONTAINS_FOLDED}(email, ?))");
        conditions.and(contains, [folded(), folded()]);
    }
    conditions
}

/// Records that a user has logged in.
pub fn set_last_login(tx: &WriteTx<'_>, id: UserId, at: Timestamp) -> Result<()> {
    tx.execute("UPDATE users SET last_login_at = ?2 WHERE id = ?1", (IdBlob(id), at.millis())).map(drop)
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
