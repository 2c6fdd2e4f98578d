//! The documents of events in columns of rows.

use super::codec::{self, Context};
use crate::{
    domain::{
        id::{Identifier, OrderId},
        time::Timestamp,
    },
    store::{
        personal::{self, Stored},
        sql::invalid_column,
    },
};
use rusqlite::{Row, types::ValueRef};

/// The columns with which the document of event `e` of order `o` is decoded; `f` is the order's first event.
macro_rules! document_columns {
    () => {
        "e.data, e.occurred_at, e.actor, f.data, f.occurred_at, f.actor, o.id"
    };
}
pub(in crate::store) use document_columns;

/// How many columns these are.
pub(in crate::store) const DOCUMENT_COLUMNS: usize = 7;
/// Bytes in which most documents fit.
const TYPICAL_DOCUMENT_BYTES: usize = 3 * 1024;
/// Where those of the first event begin, and where the order's identifier is.
const FIRST: usize = 3;
const ORDER: usize = 6;

/// The document in the columns of a row from column `start` on.
pub(in crate::store) fn document(row: &Row<'_>, start: usize) -> rusqlite::Result<String> {
    document_of(|column| row.get_ref(start + column))
}

/// [`document`] with the personal data put back that the three columns behind it have, as far as it is not erased.
pub(in crate::store) fn whole_document(row: &Row<'_>, start: usize) -> rusqlite::Result<String> {
    let document = document(row, start)?;
    match Stored::read(row, start + DOCUMENT_COLUMNS)? {
        Some(Stored { content: Some(content), .. }) => personal::merge(&document, content),
        _ => Ok(document),
    }
}

/// The document in these columns.
pub(in crate::store) fn document_of<'a>(
    column: impl Fn(usize) -> rusqlite::Result<ValueRef<'a>>,
) -> rusqlite::Result<String> {
    let bytes = column(ORDER)?.as_blob()?.try_into().map_err(|_| invalid_column(ORDER, "an identifier"))?;
    let order = OrderId::from_bytes(bytes);
    let decoded = |at: usize, first: Option<&str>| {
        let time = Timestamp::from_millis(column(at + 1)?.as_i64()?);
        let context = Context::new(order, time, column(at + 2)?.as_str()?);
        let mut text = String::with_capacity(TYPICAL_DOCUMENT_BYTES);
        let whole = codec::decode(&mut text, column(at)?.as_str()?, &context, first);
        whole.map(|()| text).ok_or_else(|| invalid_column(at, "an encoded document"))
    };
    let first = codec::needs_first(column(0)?.as_str()?).then(|| decoded(FIRST, None)).transpose()?;
    decoded(0, first.as_deref())
}
