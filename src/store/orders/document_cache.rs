//! The documents of orders: JSON. An event of type `order.*` holds the whole document of its order. Reading that takes
//! a third of the time of building the document from columns. After a payment or refund the newest event has no
//! document, and it is built from columns.
//!
//! Every change of an order gives it a new version, also when personal data is erased. So the document of a version
//! never changes and can be cached: readers take the version from the file, and the document of that version from
//! memory.

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
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// The most documents. The slot of each is the number of its order's row, modulo this: the newest orders do not
/// displace each other.
const SLOTS: i64 = 8_192;
/// Longer documents are not cached. So all of them take 32 MiB at most, and usually a third of that.
const MAX_BYTES: usize = 4 * 1024;

/// An order without its content.
#[derive(Clone, Copy, Debug)]
pub struct FoundOrder {
    /// The order's row.
    pub seq: i64,
    /// The user who owns the order.
    pub user_id: Option<UserId>,
    /// The order's version.
    pub version: i64,
}

macro_rules! select {
    ($condition:literal) => {
        concat!("SELECT seq, user_id, version FROM orders WHERE ", $condition)
    };
}

/// The order with this identifier.
pub fn find_by_id(tx: &ReadTx<'_>, id: OrderId) -> Result<Option<FoundOrder>> {
    find(tx, select!("id = ?1"), [IdBlob(id)])
}

/// The order with this number.
pub fn find_by_number(tx: &ReadTx<'_>, number: i64) -> Result<Option<FoundOrder>> {
    find(tx, select!("number = ?1"), [number])
}

/// The order with this external reference.
pub fn find_by_external_ref(tx: &ReadTx<'_>, reference: &str) -> Result<Option<FoundOrder>> {
    find(tx, select!("external_ref = ?1"), [reference])
}

fn find(tx: &ReadTx<'_>, sql: &str, params: impl Params) -> Result<Option<FoundOrder>> {
    tx.row(sql, params, |row| {
        let mut columns = Columns::of(row);
        Ok(FoundOrder { seq: columns.take()?, user_id: columns.id_or_none()?, version: columns.take()? })
    })
}

/// Each of these rows with the version of its order. A statement for each row would open and close its cursors each
/// time, so one statement reads them all.
fn versions(tx: &ReadTx<'_>, rows: &[i64]) -> Result<Vec<(i64, i64)>> {
    let values: Vec<_> = rows.iter().copied().map(Value::Integer).collect();
    let sql = "SELECT o.seq, o.version FROM rarray(?1) r CROSS JOIN orders o ON o.seq = r.value";
    let versions: Vec<(i64, i64)> = tx.rows(sql, [Rc::new(values)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if !versions.iter().map(|(seq, _)| seq).eq(rows) {
        return Err(Error::internal(format!("an index has orders that the table lacks: some of the rows {rows:?}")));
    }
    Ok(versions)
}

/// Only a document that is stored as changes needs the order's first event. For any other, `iif` makes the look-up one
/// for NULL, which SQLite skips.
const STORED: &str = concat!(
    "SELECT ",
    document_columns!(),
    ", e.personal_seq, p.digest, p.content
     FROM orders o CROSS JOIN events e ON e.order_seq = o.seq AND e.version = o.version
     LEFT JOIN events f ON f.order_seq = iif(e.data < char(2), o.seq, NULL) AND f.version = 1
     LEFT JOIN personal p ON p.seq = e.personal_seq WHERE o.seq = ?1 AND e.kind <= 6" // order.*
);

/// Documents in memory. Read them by a [`DocumentReader`].
pub struct DocumentCache {
    slots: Box<[Mutex<Option<CachedDocument>>]>,
    /// How often personal data was erased.
    erasures: AtomicU64,
}

struct CachedDocument {
    seq: i64,
    version: i64,
    document: Arc<str>,
}

impl Default for DocumentCache {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| Mutex::default()).collect(), erasures: AtomicU64::default() }
    }
}

impl DocumentCache {
    /// A reader of documents. It must be made before the snapshot that it reads is taken, so that no erasure between
    /// the two escapes it.
    pub fn reader(self: &Arc<Self>) -> DocumentReader {
        DocumentReader { erasures: self.erasures.load(Ordering::SeqCst), cache: Arc::clone(self) }
    }

    /// Removes all documents, because personal data was erased. A reader that was made before this adds none
    /// afterwards.
    pub fn forget(&self) {
        self.erasures.fetch_add(1, Ordering::SeqCst);
        for slot in &self.slots {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// The number of documents.
    pub fn count(&self) -> usize {
        self.slots.iter().filter(|slot| slot.lock().unwrap_or_else(PoisonError::into_inner).is_some()).count()
    }

    fn slot(&self, seq: i64) -> Option<MutexGuard<'_, Option<CachedDocument>>> {
        let slot = self.slots.get(usize::try_from(seq % SLOTS).ok()?)?;
        Some(slot.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads documents: from the cache or, where it has not got them, from the file, and then adds them to the cache.
pub struct DocumentReader {
    cache: Arc<DocumentCache>,
    /// How often personal data had been erased when the reader was made.
    erasures: u64,
}

impl DocumentReader {
    /// The document of an order. `build` makes it if the order's newest event has none.
    ///
    /// # Errors
    /// Those of the database and of `build`.
    pub fn document(
        &self,
        tx: &ReadTx<'_>,
        order: &FoundOrder,
        build: impl Fn(&Order) -> Result<String>,
    ) -> Result<Arc<str>> {
        self.read(&mut Stored::of(tx), order.seq, order.version, build)
    }

    /// The documents of the orders in these rows. `build` makes those that the newest event of their order has not got.
    ///
    /// # Errors
    /// Those of [`Self::document`].
    pub fn documents(
        &self,
        tx: &ReadTx<'_>,
        rows: &[i64],
        build: impl Fn(&Order) -> Result<String>,
    ) -> Result<Vec<Arc<str>>> {
        let mut stored = Stored::of(tx);
        let versions = versions(tx, rows)?;
        versions.into_iter().map(|(seq, version)| self.read(&mut stored, seq, version, &build)).collect()
    }

    fn read(
        &self,
        stored: &mut Stored<'_, '_>,
        seq: i64,
        version: i64,
        build: impl Fn(&Order) -> Result<String>,
    ) -> Result<Arc<str>> {
        if let Some(document) = self.get(seq, version) {
            return Ok(document);
        }
        let document = match stored.document(seq)? {
            Some(document) => document,
            None => build(&by_seq(stored.tx, seq)?.ok_or_else(Error::absent)?)?,
        };
        let document = document.into();
        self.insert(seq, version, &document);
        Ok(document)
    }

    fn get(&self, seq: i64, version: i64) -> Option<Arc<str>> {
        let slot = self.cache.slot(seq)?;
        let cached = slot.as_ref().filter(|cached| (cached.seq, cached.version) == (seq, version));
        cached.map(|cached| Arc::clone(&cached.document))
    }

    fn insert(&self, seq: i64, version: i64, document: &Arc<str>) {
        if document.len() <= MAX_BYTES
            && let Some(mut slot) = self.cache.slot(seq)
            && self.cache.erasures.load(Ordering::SeqCst) == self.erasures
        {
            *slot = Some(CachedDocument { seq, version, document: Arc::clone(document) });
        }
    }
}

/// Documents in the file. To look up the statement for each of them would take a tenth of the time of a page.
struct Stored<'r, 'tx> {
    tx: &'r ReadTx<'tx>,
    statement: Option<CachedStatement<'tx>>,
}

impl<'r, 'tx> Stored<'r, 'tx> {
    fn of(tx: &'r ReadTx<'tx>) -> Self {
        Self { tx, statement: None }
    }

    /// The document that the newest event of the order has.
    fn document(&mut self, seq: i64) -> Result<Option<String>> {
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
        let cache = Arc::<DocumentCache>::default().reader();
        cache.insert(7, 1, &"first".into());
        cache.insert(8, 1, &"neighbour".into());
        assert_eq!(cache.get(7, 1).as_deref(), Some("first"));
        assert_eq!(cache.get(7, 2), None);
        cache.insert(7, 2, &"second".into());
        assert_eq!((cache.get(7, 1), cache.get(7, 2).as_deref()), (None, Some("second")));
        cache.insert(7 + SLOTS, 2, &"later".into());
        assert_eq!((cache.get(7, 2), cache.get(7 + SLOTS, 2).as_deref()), (None, Some("later")));
        assert_eq!(cache.get(8, 1).as_deref(), Some("neighbour"));
    }

    #[test]
    fn what_was_read_before_an_erasure_is_not_cached_after_it() {
        let cache = Arc::<DocumentCache>::default();
        let before = cache.reader();
        before.insert(1, 1, &"personal".into());
        cache.forget();
        assert_eq!((cache.reader().get(1, 1), cache.count()), (None, 0));
        before.insert(1, 1, &"personal".into());
        assert_eq!(cache.count(), 0);
        cache.reader().insert(1, 2, &"erased".into());
        assert_eq!((before.get(1, 2).as_deref(), cache.count()), (Some("erased"), 1));
    }

    #[test]
    fn long_documents_are_not_cached() {
        let cache = Arc::<DocumentCache>::default().reader();
        let longest: Arc<str> = "x".repeat(MAX_BYTES).into();
        cache.insert(1, 1, &longest);
        cache.insert(2, 1, &format!("{longest}x").into());
        assert_eq!((cache.get(1, 1), cache.get(2, 1)), (Some(longest), None));
    }
}
