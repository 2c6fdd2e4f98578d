//! The documents of orders: JSON, as they were last answered. An event of type `order.*` holds the whole document of its
//! order. Reading that takes a third of the time of building the document from columns. After a payment or refund the
//! newest event has no document, and it is built from columns.
//!
//! Every change of an order gives it a new version, also when personal data is erased. So the document of a version never
//! changes, and those that were read last are cached.

use super::{IdBlob, ReadTx, Result, by_seq};
use crate::{
    domain::{
        id::{OrderId, UserId},
        order::Order,
    },
    error::Error,
    store::{
        events::document::{document_columns, whole_document},
        sql::{Columns, optional, store_error},
    },
};
use rusqlite::{CachedStatement, Params, types::Value};
use std::{
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

/// The most documents. Each has one slot, by the row of its order: the newest orders do not displace each other.
const SLOTS: i64 = 8_192;
/// The longest document. All of them take 32 MiB at most, and usually a third of that.
const MAX_BYTES: usize = 4 * 1024;

/// What finds the document of an order, and who may read it.
#[derive(Clone, Copy, Debug)]
pub struct OrderHead {
    /// The order's row.
    pub seq: i64,
    /// The user who owns the order.
    pub user_id: Option<UserId>,
    /// The order's version.
    pub version: i64,
}

macro_rules! head {
    ($condition:literal) => {
        concat!("SELECT seq, user_id, version FROM orders WHERE ", $condition)
    };
}

/// The order with this identifier.
pub fn head_by_id(tx: &ReadTx<'_>, id: OrderId) -> Result<Option<OrderHead>> {
    head(tx, head!("id = ?1"), [IdBlob(id)])
}

/// The order with this number.
pub fn head_by_number(tx: &ReadTx<'_>, number: i64) -> Result<Option<OrderHead>> {
    head(tx, head!("number = ?1"), [number])
}

/// The order with this external reference.
pub fn head_by_external_ref(tx: &ReadTx<'_>, reference: &str) -> Result<Option<OrderHead>> {
    head(tx, head!("external_ref = ?1"), [reference])
}

fn head(tx: &ReadTx<'_>, sql: &str, params: impl Params) -> Result<Option<OrderHead>> {
    tx.row(sql, params, |row| {
        let mut columns = Columns::of(row);
        Ok(OrderHead { seq: columns.take()?, user_id: columns.id_or_none()?, version: columns.take()? })
    })
}

/// The versions of the orders in these rows. One statement for all takes a third of the time of one for each.
fn versions(tx: &ReadTx<'_>, rows: &[i64]) -> Result<Vec<i64>> {
    let values: Vec<_> = rows.iter().copied().map(Value::Integer).collect();
    let sql = "SELECT o.version FROM rarray(?1) r CROSS JOIN orders o ON o.seq = r.value";
    let versions = tx.rows(sql, [Rc::new(values)], |row| row.get(0))?;
    if versions.len() != rows.len() {
        return Err(Error::internal("a row of an order vanished within a snapshot"));
    }
    Ok(versions)
}

/// The first event is looked up only for a document that needs it: with NULL there is nothing to look for.
const STORED: &str = concat!(
    "SELECT ",
    document_columns!(),
    ", e.personal_seq, p.digest, p.content
     FROM orders o CROSS JOIN events e ON e.order_seq = o.seq AND e.version = o.version
     LEFT JOIN events f ON f.order_seq = iif(e.data < char(2), o.seq, NULL) AND f.version = 1
     LEFT JOIN personal p ON p.seq = e.personal_seq WHERE o.seq = ?1 AND e.kind <= 6" // order.*
);

/// The documents that were read last.
pub struct DocumentCache(Box<[Mutex<Option<CachedDocument>>]>);

struct CachedDocument {
    seq: i64,
    version: i64,
    document: Arc<str>,
}

impl Default for DocumentCache {
    fn default() -> Self {
        Self((0..SLOTS).map(|_| Mutex::default()).collect())
    }
}

impl DocumentCache {
    /// The document of an order. `build` makes it where no event has it.
    ///
    /// # Errors
    /// Those of `build`.
    pub fn of(&self, tx: &ReadTx<'_>, order: &OrderHead, build: impl Fn(&Order) -> Result<String>) -> Result<Arc<str>> {
        Reader { cache: self, tx, statement: None }.read(order.seq, order.version, build)
    }

    /// The documents of the orders in these rows. `build` makes those that no event has.
    ///
    /// # Errors
    /// Those of `build`.
    pub fn of_rows(
        &self,
        tx: &ReadTx<'_>,
        rows: &[i64],
        build: impl Fn(&Order) -> Result<String>,
    ) -> Result<Vec<Arc<str>>> {
        let mut reader = Reader { cache: self, tx, statement: None };
        let versions = versions(tx, rows)?;
        rows.iter().zip(versions).map(|(seq, version)| reader.read(*seq, version, &build)).collect()
    }

    /// Forgets all of them, since personal data was erased.
    pub fn forget(&self) {
        for slot in &self.0 {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn slot(&self, seq: i64) -> Option<&Mutex<Option<CachedDocument>>> {
        self.0.get(usize::try_from(seq % SLOTS).ok()?)
    }

    fn get(&self, seq: i64, version: i64) -> Option<Arc<str>> {
        let slot = self.slot(seq)?.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = slot.as_ref().filter(|cached| (cached.seq, cached.version) == (seq, version));
        cached.map(|cached| Arc::clone(&cached.document))
    }

    fn insert(&self, seq: i64, version: i64, document: &Arc<str>) {
        if let Some(slot) = self.slot(seq).filter(|_| document.len() <= MAX_BYTES) {
            let cached = CachedDocument { seq, version, document: Arc::clone(document) };
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(cached);
        }
    }
}

/// Reads documents in one snapshot. To look up the statement for each of them would take a tenth of the time of a page.
struct Reader<'r, 'tx> {
    cache: &'r DocumentCache,
    tx: &'r ReadTx<'tx>,
    statement: Option<CachedStatement<'tx>>,
}

impl Reader<'_, '_> {
    fn read(&mut self, seq: i64, version: i64, build: impl Fn(&Order) -> Result<String>) -> Result<Arc<str>> {
        if let Some(document) = self.cache.get(seq, version) {
            return Ok(document);
        }
        let document = match self.stored(seq)? {
            Some(document) => document,
            None => build(&by_seq(self.tx, seq)?.ok_or_else(Error::absent)?)?,
        };
        let document = document.into();
        self.cache.insert(seq, version, &document);
        Ok(document)
    }

    /// The document that the newest event of the order has.
    fn stored(&mut self, seq: i64) -> Result<Option<String>> {
        let statement = match &mut self.statement {
            Some(statement) => statement,
            none => none.insert(self.tx.connection.prepare_cached(STORED).map_err(store_error)?),
        };
        optional(statement.query_row([seq], |row| whole_document(row, 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::EventType;

    #[test]
    fn events_with_the_document_of_their_order_are_the_first_kinds() {
        for kind in EventType::ALL {
            assert_eq!(*kind as i64 <= 6, kind.name().starts_with("order."), "{kind:?}");
        }
    }

    #[test]
    fn the_document_of_a_version_is_cached_until_another_order_takes_its_slot() {
        let cache = DocumentCache::default();
        cache.insert(7, 1, &"first".into());
        cache.insert(8, 1, &"neighbour".into());
        assert_eq!(cache.get(7, 1).as_deref(), Some("first"));
        assert_eq!(cache.get(7, 2), None);
        cache.insert(7, 2, &"second".into());
        assert_eq!((cache.get(7, 1), cache.get(7, 2).as_deref()), (None, Some("second")));
        cache.insert(7 + SLOTS, 2, &"later".into());
        assert_eq!((cache.get(7, 2), cache.get(7 + SLOTS, 2).as_deref()), (None, Some("later")));
        assert_eq!(cache.get(8, 1).as_deref(), Some("neighbour"));
        cache.forget();
        assert_eq!((cache.get(8, 1), cache.get(7 + SLOTS, 2)), (None, None));
    }

    #[test]
    fn long_documents_are_not_cached() {
        let cache = DocumentCache::default();
        let longest: Arc<str> = "x".repeat(MAX_BYTES).into();
        cache.insert(1, 1, &longest);
        cache.insert(2, 1, &format!("{longest}x").into());
        assert_eq!((cache.get(1, 1), cache.get(2, 1)), (Some(longest), None));
    }
}
