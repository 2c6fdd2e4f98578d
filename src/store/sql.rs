//! Shared by the SQL of every noun: columns as domain types, and errors of SQLite as errors of this program.

use crate::{
    domain::{id::Identifier, money::Currency, time::Timestamp, trace::TraceId},
    error::{Error, problem},
};
use rusqlite::{
    ErrorCode, Row,
    ffi::{SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ, SQLITE_IOERR_WRITE},
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef},
};
use rustix::io::Errno;

/// Turns an error of SQLite into one of this program. Names of constraints never reach the client.
pub(super) fn store_error(e: rusqlite::Error) -> Error {
    match e.sqlite_error_code() {
        _ if is_disk_full(&e) => Error::new(&problem::STORAGE_FULL).caused_by(e),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::new(&problem::STORAGE_BUSY).caused_by(e),
        Some(ErrorCode::OperationInterrupted) => Error::new(&problem::QUERY_TOO_EXPENSIVE).caused_by(e),
        Some(ErrorCode::SystemIoFailure) if !is_read_failure(&e) => Error::new(&problem::OUTCOME_UNKNOWN).caused_by(e),
        _ => Error::internal(e),
    }
}

/// A failed read has changed nothing, so its outcome is known.
fn is_read_failure(e: &rusqlite::Error) -> bool {
    matches!(e.sqlite_extended_error_code(), Some(SQLITE_IOERR_READ | SQLITE_IOERR_SHORT_READ))
}

/// Whether a write failed for want of room.
///
/// SQLite reports only ENOSPC as a full disk; a quota and a limit on file sizes are treated alike here. Its own record
/// of the system's error needs unsafe code to read, but the thread's last error is that of the failed write: nothing
/// between the write and this function fails.
pub(super) fn is_disk_full(e: &rusqlite::Error) -> bool {
    let refused = || Errno::from_io_error(&std::io::Error::last_os_error());
    e.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || e.sqlite_extended_error_code() == Some(SQLITE_IOERR_WRITE)
            && matches!(refused(), Some(Errno::FBIG | Errno::DQUOT))
}

/// Whether the cause of `e` is damage of the file: SQLite cannot make sense of its pages, or a column has content that
/// no version of this program writes.
pub fn is_damage(e: &Error) -> bool {
    let Some(cause) = e.cause().and_then(|cause| cause.downcast_ref::<rusqlite::Error>()) else { return false };
    matches!(cause.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(
            cause,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
        )
}

/// Whether `e` is a violation of a constraint or unique index on `column` (`table.column`).
pub(super) fn violates(e: &rusqlite::Error, column: &str) -> bool {
    matches!(e, rusqlite::Error::SqliteFailure(code, Some(text))
        if code.code == ErrorCode::ConstraintViolation && text.contains(column))
}

/// Turns the error "no row" into `None`.
pub(super) fn optional<T>(outcome: rusqlite::Result<T>) -> crate::error::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(e) => Err(store_error(e)),
    }
}

/// An identifier, stored as its 16 bytes.
#[derive(Clone, Copy)]
pub(super) struct IdBlob<I>(pub(super) I);

impl<I: Identifier> ToSql for IdBlob<I> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.bytes())))
    }
}

impl<I: Identifier> FromSql for IdBlob<I> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(|bytes| Self(I::from_bytes(bytes)))
    }
}

/// A trace id, stored as its 16 bytes.
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

/// An upper bound for the bytes of every identifier made before `id`, or of every identifier.
pub(super) fn before_id<I: Identifier>(id: Option<I>) -> [u8; 16] {
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

    /// Starts after the first `skipped` columns.
    pub(super) fn after(row: &'r Row<'s>, skipped: usize) -> Self {
        Self { row, next: skipped }
    }

    /// The index of the next column.
    pub(super) fn position(&self) -> usize {
        self.next
    }

    /// Passes over the next `count` columns.
    pub(super) fn skip(&mut self, count: usize) {
        self.next += count;
    }

    pub(super) fn take<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.next += 1;
        self.row.get(self.next - 1)
    }

    pub(super) fn id<I: Identifier>(&mut self) -> rusqlite::Result<I> {
        self.take::<IdBlob<I>>().map(|key| key.0)
    }

    pub(super) fn id_or_none<I: Identifier>(&mut self) -> rusqlite::Result<Option<I>> {
        self.take::<Option<IdBlob<I>>>().map(|key| key.map(|key| key.0))
    }

    pub(super) fn instant(&mut self) -> rusqlite::Result<Timestamp> {
        self.take().map(Timestamp::from_millis)
    }

    pub(super) fn instant_or_none(&mut self) -> rusqlite::Result<Option<Timestamp>> {
        self.take::<Option<i64>>().map(|millis| millis.map(Timestamp::from_millis))
    }

    /// Parses the next column, a text. Text that does not parse is damage.
    pub(super) fn parsed<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
        self.next += 1;
        let text = self.row.get_ref(self.next - 1)?.as_str()?;
        parse(text).ok_or_else(|| invalid_column(self.next - 1, text))
    }

    /// Parses the next column, a text or NULL.
    pub(super) fn parsed_or_none<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> rusqlite::Result<Option<T>> {
        self.next += 1;
        let Some(text) = self.row.get_ref(self.next - 1)?.as_str_or_null()? else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| invalid_column(self.next - 1, text))
    }

    pub(super) fn currency(&mut self) -> rusqlite::Result<Currency> {
        self.parsed(Currency::stored)
    }
}

/// The error for a column with content that no version of this program writes.
pub(super) fn invalid_column(index: usize, content: &str) -> rusqlite::Error {
    let cause = Box::new(FromSqlError::Other(format!("unexpected content {content:?}").into()));
    rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, cause)
}

/// A count as an integer of SQL, such as for `LIMIT` and `OFFSET`.
pub(super) fn sql_int(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
