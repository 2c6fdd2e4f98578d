//! Stored documents: orders as they were last answered. An event of type `order.*` holds the whole document of its
//! order. Reading that takes a third of the time of building the document from columns. After a payment or refund the
//! newest event has no document, and it is built from columns.

use super::{IdBlob, ReadTx, Result};
use crate::{
    domain::id::{OrderId, UserId},
    store::{
        events::document::{document_columns, whole_document},
        sql::{Columns, optional, store_error},
    },
};
use rusqlite::{CachedStatement, Params, Row};

/// An order with its document, as far as its newest event has it.
pub struct StoredDocument {
    /// The order's row.
    pub seq: i64,
    /// The user who owns the order.
    pub user_id: Option<UserId>,
    /// The order's version.
    pub version: i64,
    /// The document: JSON text.
    pub document: Option<String>,
}

/// The first event is looked up only for a document that needs it: with NULL there is nothing to look for.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT o.seq, o.user_id, o.version, e.kind <= 6, ", // order.*
            document_columns!(),
            ", e.personal_seq, p.digest, p.content
             FROM orders o CROSS JOIN events e ON e.order_seq = o.seq AND e.version = o.version
             LEFT JOIN events f ON f.order_seq = iif(e.data < char(2), o.seq, NULL) AND f.version = 1
             LEFT JOIN personal p ON p.seq = e.personal_seq WHERE ",
            $condition
        )
    };
}

/// The order with this identifier.
pub fn document_by_id(tx: &ReadTx<'_>, id: OrderId) -> Result<Option<StoredDocument>> {
    one(tx, select!("o.id = ?1"), [IdBlob(id)])
}

/// The order with this number.
pub fn document_by_number(tx: &ReadTx<'_>, number: i64) -> Result<Option<StoredDocument>> {
    one(tx, select!("o.number = ?1"), [number])
}

/// The order with this external reference.
pub fn document_by_external_ref(tx: &ReadTx<'_>, reference: &str) -> Result<Option<StoredDocument>> {
    one(tx, select!("o.external_ref = ?1"), [reference])
}

/// Reads the documents of many orders by their rows. To look up the statement for each of them would take a tenth of the
/// time of a page.
pub struct Documents<'tx>(CachedStatement<'tx>);

impl<'tx> Documents<'tx> {
    /// Prepares the statement.
    pub fn of(tx: &ReadTx<'tx>) -> Result<Self> {
        tx.connection.prepare_cached(select!("o.seq = ?1")).map(Self).map_err(store_error)
    }

    /// The order in this row.
    pub fn by_seq(&mut self, seq: i64) -> Result<Option<StoredDocument>> {
        optional(self.0.query_row([seq], read))
    }
}

fn one(tx: &ReadTx<'_>, sql: &str, params: impl Params) -> Result<Option<StoredDocument>> {
    tx.row(sql, params, read)
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredDocument> {
    let mut columns = Columns::of(row);
    let (seq, user_id, version) = (columns.take()?, columns.id_or_none()?, columns.take()?);
    let shows_order: bool = columns.take()?;
    let document = || whole_document(row, columns.position());
    Ok(StoredDocument { seq, user_id, version, document: shows_order.then(document).transpose()? })
}

#[cfg(test)]
mod tests {
    use crate::domain::event::EventType;

    #[test]
    fn events_with_the_document_of_their_order_are_the_first_kinds() {
        for kind in EventType::ALL {
            assert_eq!(*kind as i64 <= 6, kind.name().starts_with("order."), "{kind:?}");
        }
    }
}
