//! Users and their password hashes.

use super::{
    ReadTx, WriteTx,
    conditions::Conditions,
    functions::CONTAINS_FOLDED,
    personal,
    sql::{Columns, IdBlob, before_id, invalid_column, optional, sql_int, store_error, violates},
};
use crate::{
    domain::{
        digest::sha256,
        id::UserId,
        personal::PersonalRow,
        text::Folded,
        time::Timestamp,
        user::{Email, User, UserFilter, UserStatus},
    },
    error::{Error, Result, problem},
};
use rusqlite::{Row, named_params, params_from_iter, types::Value};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::HashMap, rc::Rc};

const COLUMNS: &str = "u.id, u.role, u.status, u.created_at, u.updated_at, u.last_login_at,
    EXISTS (SELECT 1 FROM second_factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL), p.content";
const TABLE: &str = "users u JOIN personal p ON p.seq = u.personal_seq";

/// What identifies a user. Its fields are those of the user's document.
#[derive(Serialize, Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    email: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<User> {
    read_from(row, &mut Columns::of(row))
}

fn read_from(row: &Row<'_>, columns: &mut Columns<'_, '_>) -> rusqlite::Result<User> {
    let (id, role, status) = (columns.id()?, columns.take()?, columns.parsed(UserStatus::parse)?);
    let (created_at, updated_at) = (columns.instant()?, columns.instant()?);
    let (last_login_at, second_factor) = (columns.instant_or_none()?, columns.take()?);
    let at = columns.position();
    let content: Option<Content<'_>> = personal::content(row, at)?;
    let (mut email, mut name) = (None, None);
    if let Some(content) = content {
        email = Some(Email::parse(&content.email).ok_or_else(|| invalid_column(at, "an address of another form"))?);
        name = Some(content.name.into_owned());
    }
    Ok(User { id, email, name, role, status, created_at, updated_at, second_factor, last_login_at })
}

/// Inserts a user. Returns where name and address are kept.
///
/// # Errors
/// `EMAIL_TAKEN` if another user has the address.
pub fn insert(tx: &WriteTx<'_>, user: &User, password_hash: Option<&str>) -> Result<PersonalRow> {
    let seq = tx.row("SELECT coalesce(max(seq), 0) + 1 FROM users", [], |row| row.get::<_, i64>(0))?;
    let personal = keep(tx, seq, user)?;
    tx.try_execute(
        "INSERT INTO users (seq, id, email_digest, personal_seq, role, status, password_hash, created_at, updated_at)
         VALUES (:seq, :id, :email_digest, :personal_seq, :role, :status, :password_hash, :created_at, :updated_at)",
        named_params! {
            ":seq": seq, ":id": IdBlob(user.id), ":email_digest": email_digest(tx, user.email.as_ref())?,
            ":personal_seq": personal.seq, ":role": user.role, ":status": user.status.name(),
            ":password_hash": password_hash, ":created_at": user.created_at.millis(),
            ":updated_at": user.updated_at.millis(),
        },
    )
    .map_err(duplicate_email)?;
    Ok(personal)
}

fn keep(tx: &WriteTx<'_>, seq: Option<i64>, user: &User) -> Result<PersonalRow> {
    let content = Content { email: user.address().into(), name: user.display_name().into() };
    personal::insert(tx, seq, &content)
}

/// The keyed digest of an address. Users are found by it, so that no index has the address itself.
fn email_digest(tx: &ReadTx<'_>, email: Option<&Email>) -> Result<Option<[u8; 32]>> {
    let Some(email) = email else { return Ok(None) };
    let key = tx.row("SELECT key FROM email_digest_key", [], |row| row.get::<_, [u8; 32]>(0))?;
    let key = key.ok_or_else(|| Error::internal("the key of the addresses is missing"))?;
    Ok(Some(sha256(&[&key, email.as_str().as_bytes()])))
}

fn duplicate_email(e: rusqlite::Error) -> Error {
    if violates(&e, "users.email_digest") { Error::new(&problem::EMAIL_TAKEN) } else { store_error(e) }
}

/// The user with this identifier.
pub fn by_id(tx: &ReadTx<'_>, id: UserId) -> Result<Option<User>> {
    tx.row(&format!("SELECT {COLUMNS} FROM {TABLE} WHERE u.id = ?1"), [IdBlob(id)], read)
}

/// Whether there is a user with this identifier who is not erased.
pub fn is_known(tx: &ReadTx<'_>, id: UserId) -> Result<bool> {
    Ok(unless_erased(tx, id)?.is_some())
}

/// The users in these rows, by row.
pub(super) fn by_rows(tx: &ReadTx<'_>, rows: impl IntoIterator<Item = i64>) -> Result<HashMap<i64, User>> {
    let rows: Vec<_> = rows.into_iter().map(Value::Integer).collect();
    let sql = format!(
        "SELECT u.seq, {COLUMNS} FROM rarray(?1) r CROSS JOIN users u ON u.seq = r.value
         JOIN personal p ON p.seq = u.personal_seq"
    );
    let read = |row: &Row<'_>| {
        let mut columns = Columns::of(row);
        Ok((columns.take()?, read_from(row, &mut columns)?))
    };
    let users: Vec<_> = tx.rows(&sql, [Rc::new(rows)], read)?;
    Ok(users.into_iter().collect())
}

/// What a user is called; none for an unknown or erased one.
pub(super) fn name(tx: &ReadTx<'_>, id: UserId) -> Result<Option<String>> {
    Ok(by_id(tx, id)?.and_then(|user| user.name))
}

/// The row of the user with this identifier.
pub(super) fn seq(tx: &ReadTx<'_>, id: UserId) -> Result<Option<i64>> {
    tx.row("SELECT seq FROM users WHERE id = ?1", [IdBlob(id)], |row| row.get(0))
}

/// The row of a user; none if the user is erased.
pub(super) fn unless_erased(tx: &ReadTx<'_>, id: UserId) -> Result<Option<i64>> {
    tx.row("SELECT seq FROM users WHERE id = ?1 AND email_digest IS NOT NULL", [IdBlob(id)], |row| row.get(0))
}

/// Where name and address of a user are kept.
pub fn personal_row(tx: &ReadTx<'_>, id: UserId) -> Result<Option<PersonalRow>> {
    let sql = "SELECT p.seq, p.digest FROM users u JOIN personal p ON p.seq = u.personal_seq WHERE u.id = ?1";
    tx.row(sql, [IdBlob(id)], |row| Ok(PersonalRow { seq: row.get(0)?, digest: row.get(1)? }))
}

/// The user with this email address, and their password hash if they have a password.
pub fn by_email(tx: &ReadTx<'_>, email: &Email) -> Result<Option<(User, Option<String>)>> {
    let sql = format!("SELECT u.password_hash, {COLUMNS} FROM {TABLE} WHERE u.email_digest = ?1");
    tx.row(&sql, [email_digest(tx, Some(email))?], |row| {
        let mut columns = Columns::of(row);
        let password_hash = columns.take()?;
        Ok((read_from(row, &mut columns)?, password_hash))
    })
}

/// Whether there is any user.
pub fn any(tx: &ReadTx<'_>) -> Result<bool> {
    optional(tx.connection.query_row("SELECT 1 FROM users LIMIT 1", [], |_| Ok(()))).map(|row| row.is_some())
}

/// Every user.
pub fn all(tx: &ReadTx<'_>) -> Result<Vec<User>> {
    tx.rows(&format!("SELECT {COLUMNS} FROM {TABLE} ORDER BY u.id"), [], read)
}

/// The users that pass `filter` before `before`, newest first. Users are few compared with orders: a filter is tested
/// row by row, but for an address, which has an index.
pub fn page(tx: &ReadTx<'_>, filter: &UserFilter, before: Option<UserId>, limit: usize) -> Result<Vec<User>> {
    let mut conditions = Conditions::of("u.id < ?", [Value::Blob(before_id(before).to_vec())]);
    conditions.join(&passing(tx, filter)?);
    let sql = format!("SELECT {COLUMNS} FROM {TABLE} WHERE {} ORDER BY u.id DESC LIMIT ?", conditions.text());
    conditions.values.push(Value::Integer(sql_int(limit)));
    tx.rows(&sql, params_from_iter(conditions.values), read)
}

/// The number of users that pass `filter`.
pub fn count(tx: &ReadTx<'_>, filter: &UserFilter) -> Result<i64> {
    let conditions = passing(tx, filter)?;
    let sql = format!("SELECT count(*) FROM {TABLE} WHERE {}", conditions.text());
    tx.row(&sql, params_from_iter(conditions.values), |row| row.get(0)).map(Option::unwrap_or_default)
}

fn passing(tx: &ReadTx<'_>, filter: &UserFilter) -> Result<Conditions> {
    let mut conditions = Conditions::default();
    if let Some(digest) = email_digest(tx, filter.email.as_ref())? {
        conditions.and("u.email_digest = ?", [Value::Blob(digest.to_vec())]);
    }
    let words =
        [("u.role = ?", filter.role.clone()), ("u.status = ?", filter.status.map(|status| status.name().to_owned()))];
    for (condition, word) in words {
        if let Some(word) = word {
            conditions.and(condition, [Value::Text(word)]);
        }
    }
    if let Some(text) = &filter.text {
        let folded = || Value::Text(Folded::of(text).as_str().to_owned());
        // What is erased is no JSON, so it is not looked into.
        let field = |name| format!("iif(p.content GLOB '{{*', p.content ->> '$.{name}', NULL)");
        let (name, email) = (field("name"), field("email"));
        let contains = format!("({CONTAINS_FOLDED}({name}, ?) OR {CONTAINS_FOLDED}({email}, ?))");
        conditions.and(contains, [folded(), folded()]);
    }
    Ok(conditions)
}

/// Records that a user has logged in.
pub fn set_last_login(tx: &WriteTx<'_>, id: UserId, at: Timestamp) -> Result<()> {
    tx.execute("UPDATE users SET last_login_at = ?2 WHERE id = ?1", (IdBlob(id), at.millis())).map(drop)
}

/// Updates every field of a user that can change, but not the password. Returns where name and address are kept.
///
/// # Errors
/// `EMAIL_TAKEN` if another user has the address.
pub fn update(tx: &WriteTx<'_>, before: &User, user: &User) -> Result<Option<PersonalRow>> {
    let mut personal = personal_row(tx, user.id)?;
    if (&before.email, &before.name) != (&user.email, &user.name) {
        personal = Some(keep(tx, seq(tx, user.id)?, user)?);
    }
    tx.try_execute(
        "UPDATE users SET email_digest = :email_digest, personal_seq = :personal_seq, role = :role, status = :status,
           updated_at = :updated_at
         WHERE id = :id",
        named_params! {
            ":id": IdBlob(user.id), ":email_digest": email_digest(tx, user.email.as_ref())?,
            ":personal_seq": personal.map(|row| row.seq), ":role": user.role, ":status": user.status.name(),
            ":updated_at": user.updated_at.millis(),
        },
    )
    .map_err(duplicate_email)?;
    Ok(personal)
}

/// Erases name and address of a user, what the audit trail and sessions hold of them, and the password hash; and
/// disables the account. The address is free again.
pub fn erase(tx: &WriteTx<'_>, id: UserId) -> Result<()> {
    let of_user = "SELECT seq FROM personal WHERE user_seq = (SELECT seq FROM users WHERE id = ?1)";
    personal::erase(tx, of_user, [IdBlob(id)])?;
    tx.execute(
        "UPDATE users SET email_digest = NULL, password_hash = NULL, status = 'disabled', updated_at = ?2 WHERE id = ?1",
        (IdBlob(id), tx.now().millis()),
    )
    .map(drop)
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
