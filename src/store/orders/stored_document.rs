//! Orders as they were last answered. An event about an order carries the whole of it, so the newest event of most orders
//! is what a read has to answer: taken from there it costs a third of what it costs to put it together from columns.
//! After a payment or refund the newest event tells of that, and the order has to be put together.

use super::{Key, ReadTx, Result};
use crate::{
    domain::id::{OrderId, UserId},
    store::sql::Columns,
};
use rusqlite::{Params, Row};

/// What a read of an order needs.
pub struct StoredDocument {
    /// Its row.
    pub seq: i64,
    /// Whose it is.
    pub user_id: Option<UserId>,
    /// Its version.
    pub version: i64,
    /// Its document, if its newest event has it.
    pub document: Option<String>,
}

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT o.seq, o.user_id, o.version, iif(e.type GLOB 'order.*', e.data, NULL)
             FROM orders o CROSS JOIN events e ON e.order_seq = o.seq AND e.version = o.version WHERE ",
            $condition
        )
    };
}

/// The order of this identifier.
pub fn document_by_id(tx: &ReadTx<'_>, id: OrderId) -> Result<Option<StoredDocument>> {
    one(tx, select!("o.id = ?1"), [Key(id)])
}

/// The order of this number.
pub fn document_by_number(tx: &ReadTx<'_>, number: i64) -> Result<Option<StoredDocument>> {
    one(tx, select!("o.number = ?1"), [number])
}

/// The order of this external reference.
pub fn document_by_external_ref(tx: &ReadTx<'_>, reference: &str) -> Result<Option<StoredDocument>> {
    one(tx, select!("o.external_ref = ?1"), [reference])
}

/// The order in this row.
pub fn document_by_seq(tx: &ReadTx<'_>, seq: i64) -> Result<Option<StoredDocument>> {
    one(tx, select!("o.seq = ?1"), [seq])
}

fn one(tx: &ReadTx<'_>, sql: &str, params: impl Params) -> Result<Option<StoredDocument>> {
    tx.row(sql, params, read)
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredDocument> {
    let mut columns = Columns::of(row);
    Ok(StoredDocument {
        seq: columns.take()?,
        user_id: columns.id_or_none()?,
        version: columns.take()?,
        document: columns.take()?,
    })
}
