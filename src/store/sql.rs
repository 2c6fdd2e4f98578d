//! What the SQL of every noun needs: reading columns into domain types, and SQLite's errors as ours.

use crate::{
    domain::{id::Identifier, money::Currency, time::Timestamp, trace::TraceId},
    error::{Error, problem},
};
use rusqlite::{
    Connection, ErrorCode, Row,
    ffi::{SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ, SQLITE_IOERR_WRITE},
    functions::FunctionFlags,
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef},
};
use rustix::io::Errno;

/// SQLite's error as ours. Names of constraints stay inside.
pub(super) fn failed(e: rusqlite::Error) -> Error {
    match e.sqlite_error_code() {
        _ if says_full(&e) => Error::new(&problem::STORAGE_FULL).caused_by(e),
        Some(ErrorCode::OperationInterrupted) => Error::new(&problem::QUERY_TOO_EXPENSIVE).caused_by(e),
        Some(ErrorCode::SystemIoFailure) if !failed_to_read(&e) => Error::new(&problem::OUTCOME_UNKNOWN).caused_by(e),
        _ => Error::internal(e),
    }
}

/// A read that failed has changed nothing.
fn failed_to_read(e: &rusqlite::Error) -> bool {
    matches!(e.sqlite_extended_error_code(), Some(SQLITE_IOERR_READ | SQLITE_IOERR_SHORT_READ))
}

/// Whether there was no room to write.
///
/// SQLite takes nothing but ENOSPC for a full disk; a quota and a limit on the size of files are the same to us. What it
/// knows of the system's error cannot be asked for without unsafe code, but the last error of this thread is that of the
/// write: a write that fails sets it, and nothing fails after it on the way here.
pub(super) fn says_full(e: &rusqlite::Error) -> bool {
    let refused = || Errno::from_io_error(&std::io::Error::last_os_error());
    e.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || e.sqlite_extended_error_code() == Some(SQLITE_IOERR_WRITE)
            && matches!(refused(), Some(Errno::FBIG | Errno::DQUOT))
}

/// Whether `e` broke the constraint or unique index on `column` (`table.column`).
pub(super) fn breaks(e: &rusqlite::Error, column: &str) -> bool {
    matches!(e, rusqlite::Error::SqliteFailure(code, Some(text))
        if code.code == ErrorCode::ConstraintViolation && text.contains(column))
}

/// Turns "no row" into `None`.
pub(super) fn optional<T>(outcome: rusqlite::Result<T>) -> crate::error::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(e) => Err(failed(e)),
    }
}

/// An identifier as its 16 bytes.
pub(super) struct Key<I>(pub(super) I);

impl<I: Identifier> ToSql for Key<I> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.bytes())))
    }
}

impl<I: Identifier> FromSql for Key<I> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(|bytes| Self(I::from_bytes(bytes)))
    }
}

/// A trace as its 16 bytes.
impl ToSql for TraceId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.to_bytes().to_vec().into())
    }
}

impl FromSql for TraceId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(Self::from_bytes)
    }
}

/// The bytes below which those of all identifiers made before `id` are; without it, those of all.
pub(super) fn below<I: Identifier>(id: Option<I>) -> [u8; 16] {
    // UUIDs of version 7 do not begin with 255.
    id.map_or([255; 16], |id| *id.bytes())
}

/// Reads the columns of a row from left to right, in the order in which the statement lists them.
pub(super) struct Columns<'r, 's> {
    row: &'r Row<'s>,
    next: usize,
}

impl<'r, 's> Columns<'r, 's> {
    pub(super) fn of(row: &'r Row<'s>) -> Self {
        Self::after(row, 0)
    }

    /// Those after the first `skipped`.
    pub(super) fn after(row: &'r Row<'s>, skipped: usize) -> Self {
        Self { row, next: skipped }
    }

    /// The next column.
    pub(super) fn take<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.next += 1;
        self.row.get(self.next - 1)
    }

    /// The next column, an identifier.
    pub(super) fn id<I: Identifier>(&mut self) -> rusqlite::Result<I> {
        self.take::<Key<I>>().map(|key| key.0)
    }

    /// The next column, an identifier or nothing.
    pub(super) fn id_or_none<I: Identifier>(&mut self) -> rusqlite::Result<Option<I>> {
        self.take::<Option<Key<I>>>().map(|key| key.map(|key| key.0))
    }

    /// The next column, an instant.
    pub(super) fn instant(&mut self) -> rusqlite::Result<Timestamp> {
        self.take().map(Timestamp::from_millis)
    }

    /// The next column, an instant or nothing.
    pub(super) fn instant_or_none(&mut self) -> rusqlite::Result<Option<Timestamp>> {
        self.take::<Option<i64>>().map(|millis| millis.map(Timestamp::from_millis))
    }

    /// The next column, text that `parse` makes a domain type of; anything else in it is damage.
    pub(super) fn word<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
        self.next += 1;
        let text = self.row.get_ref(self.next - 1)?.as_str()?;
        parse(text).ok_or_else(|| damaged(self.next - 1, text))
    }

    /// The next column, a currency.
    pub(super) fn currency(&mut self) -> rusqlite::Result<Currency> {
        self.word(Currency::stored)
    }
}

/// The error of a column whose content no version of this program wrote.
pub(super) fn damaged(index: usize, content: &str) -> rusqlite::Error {
    let cause = Box::new(FromSqlError::Other(format!("unexpected content {content:?}").into()));
    rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, cause)
}

/// The SQL function that tells whether a text has another one in it, in whatever case.
pub(super) const CONTAINS_FOLDED: &str = "contains_folded";

/// Teaches `connection` the function `contains_folded(text, lower_case)`; no text contains nothing. SQLite's own `LIKE`
/// knows the cases of ASCII letters only.
pub(super) fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function(CONTAINS_FOLDED, 2, flags, |call| {
        let sought = call.get_raw(1).as_str()?;
        Ok(call.get_raw(0).as_str_or_null()?.is_some_and(|text| text.to_lowercase().contains(sought)))
    })
}

/// A number of rows, for `LIMIT` and `OFFSET`.
pub(super) fn rows(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
