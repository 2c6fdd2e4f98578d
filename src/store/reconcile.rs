//! Stored figures against a recomputation from the rows, for `orderd verify` and `GET /v1/analytics/reconcile`. The
//! statements share nothing with the code that keeps the figures.
//!
//! Both sides are read once, as streams: no side is ever in memory or sorted. Of each, the totals by currency are kept, and
//! for each day a digest: the sum of its values, each times an odd number drawn from its key. Sums that agree by chance
//! are as unlikely as 1 in 2^63; a single wrong value always shows. Where a day's digests differ, that day alone is
//! computed again key by key, to name the first row that is wrong.

use super::{
    ReadTx,
    sql::{damaged, failed},
};
use crate::{
    domain::{
        id::{Identifier, UserId},
        money::Currency,
        time::Timestamp,
    },
    error::Result,
};
use rusqlite::{Row, params_from_iter, types::ValueRef};
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

pub(super) mod rebuild;

const DAY: i64 = 86_400;

/// Figures that are stored, and what they have to come to. Both statements give a place, a currency, the rest of the key
/// and the values. The place is where figures are divided by `spans`: seconds since the epoch, or a row.
struct Ledger {
    /// The name of the check for each span.
    spans: &'static [(&'static str, i64)],
    /// The stored rows of span `?1`.
    stored: &'static str,
    /// What counts, one by one.
    counted: &'static str,
    /// The names of the values.
    values: &'static [&'static str],
}

const LEDGERS: &[Ledger] = &[
    Ledger {
        spans: &[("sales_day", DAY), ("sales_hour", 3_600), ("sales_quarter_hour", 900)],
        stored: "SELECT bucket AS place, currency, '', orders_placed, orders_cancelled, booked_amount, tax_amount,
             cancelled_amount, paid_amount, refunded_amount FROM sales WHERE span = ?1",
        counted: "SELECT placed_at / 1000 AS place, currency, '', 1, 0, total_amount, tax_amount, 0, 0, 0
             FROM orders WHERE placed_at IS NOT NULL
           UNION ALL SELECT cancelled_at / 1000, currency, '', 0, 1, 0, 0, total_amount, 0, 0
             FROM orders WHERE placed_at IS NOT NULL AND cancelled_at IS NOT NULL
           UNION ALL SELECT t.occurred_at / 1000, o.currency, '', 0, 0, 0, 0, 0, iif(t.kind = 'payment', t.amount, 0),
               iif(t.kind = 'refund', t.amount, 0)
             FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq WHERE t.status = 'succeeded'",
        values: &[
            "orders_placed",
            "orders_cancelled",
            "booked_amount",
            "tax_amount",
            "cancelled_amount",
            "paid_amount",
            "refunded_amount",
        ],
    },
    Ledger {
        spans: &[("user_sales_day", DAY), ("user_sales_hour", 3_600), ("user_sales_quarter_hour", 900)],
        stored:
            "SELECT bucket AS place, currency, user_id, orders_placed, booked_amount, cancelled_amount, paid_amount,
             refunded_amount FROM user_sales WHERE span = ?1",
        counted: "SELECT placed_at / 1000 AS place, currency, coalesce(user_id, x''), 1, total_amount, 0, 0, 0
             FROM orders WHERE placed_at IS NOT NULL
           UNION ALL SELECT cancelled_at / 1000, currency, coalesce(user_id, x''), 0, 0, total_amount, 0, 0
             FROM orders WHERE placed_at IS NOT NULL AND cancelled_at IS NOT NULL
           UNION ALL SELECT t.occurred_at / 1000, o.currency, coalesce(o.user_id, x''), 0, 0, 0,
               iif(t.kind = 'payment', t.amount, 0), iif(t.kind = 'refund', t.amount, 0)
             FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq WHERE t.status = 'succeeded'",
        values: &["orders_placed", "booked_amount", "cancelled_amount", "paid_amount", "refunded_amount"],
    },
    Ledger {
        spans: &[("status_sales_day", DAY), ("status_sales_hour", 3_600), ("status_sales_quarter_hour", 900)],
        stored: "SELECT bucket AS place, currency, status || ' ' || payment_status, orders, total_amount
             FROM status_sales WHERE span = ?1",
        counted: "SELECT placed_at / 1000 AS place, currency, status || ' ' || payment_status, 1, total_amount
             FROM orders WHERE placed_at IS NOT NULL",
        values: &["orders", "total_amount"],
    },
    Ledger {
        spans: &[("item_sales_day", DAY)],
        stored: "SELECT day AS place, currency, sku, quantity, orders, total_amount FROM item_sales",
        counted: "SELECT o.placed_at / 1000 AS place, o.currency, i.sku, i.quantity,
               NOT EXISTS (SELECT 1 FROM order_items e
                 WHERE e.order_seq = i.order_seq AND e.line < i.line AND e.sku = i.sku),
               i.total_amount
             FROM orders o CROSS JOIN order_items i ON i.order_seq = o.seq
             WHERE o.placed_at IS NOT NULL AND o.status <> 'cancelled'",
        values: &["quantity", "orders", "total_amount"],
    },
    Ledger {
        spans: &[("order_totals", 1)],
        stored:
            "SELECT seq AS place, currency, '', subtotal_amount, discount_amount - order_discount_amount, tax_amount,
             total_amount + order_discount_amount - fee_amount FROM orders",
        counted: "SELECT o.seq AS place, o.currency, '', i.quantity * i.unit_amount, i.discount_amount, i.tax_amount,
             i.total_amount FROM orders o CROSS JOIN order_items i ON i.order_seq = o.seq",
        values: &["subtotal_amount", "line_discount_amount", "tax_amount", "items_total_amount"],
    },
    Ledger {
        spans: &[("order_payments", 1)],
        stored: "SELECT seq AS place, currency, '', paid_amount, refunded_amount FROM orders",
        counted: "SELECT t.order_seq AS place, o.currency, '', iif(t.kind = 'payment', t.amount, 0),
               iif(t.kind = 'refund', t.amount, 0)
             FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq WHERE t.status = 'succeeded'",
        values: &["paid_amount", "refunded_amount"],
    },
];

/// What one side of a comparison comes to.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// The sum of each value, by currency.
    pub totals: BTreeMap<String, BTreeMap<&'static str, i64>>,
    /// A number for each day (or run of rows) that stands for every value in it.
    digests: BTreeMap<i64, u64>,
}

impl Side {
    /// A number that stands for every value at its place: two sides with the same one agree everywhere.
    pub fn digest(&self) -> u64 {
        self.digests.values().fold(0, |sum, digest| sum.wrapping_add(*digest))
    }

    fn add(&mut self, (span, bucket): (i64, i64), row: &Counted<'_>, names: &[&'static str]) {
        let mut hash = DefaultHasher::new();
        (bucket, row.currency, row.key).hash(&mut hash);
        // Odd, so that no difference of a value, however large a power of two, is multiplied away.
        let mut weight = hash.finish() | 1;
        let digest = self.digests.entry(bucket.wrapping_mul(span).div_euclid(DAY)).or_default();
        for value in &row.values {
            *digest = digest.wrapping_add(weight.wrapping_mul(value.cast_unsigned()));
            weight = weight.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        if !self.totals.contains_key(row.currency) {
            let nothing = names.iter().map(|name| (*name, 0)).collect();
            self.totals.insert(row.currency.to_owned(), nothing);
        }
        if let Some(totals) = self.totals.get_mut(row.currency) {
            for (name, value) in names.iter().zip(&row.values) {
                let total = totals.entry(name).or_default();
                *total = total.saturating_add(*value);
            }
        }
    }

    /// The first day whose digests differ.
    fn first_difference(&self, other: &Self) -> Option<i64> {
        let days = self.digests.keys().chain(other.digests.keys());
        let digest = |side: &Self, day| side.digests.get(day).copied().unwrap_or(0);
        days.filter(|&day| digest(self, day) != digest(other, day)).min().copied()
    }
}

/// A comparison of stored figures with what the rows come to.
pub struct Comparison {
    /// What was compared.
    pub name: &'static str,
    /// The figures as they are stored.
    pub stored: Side,
    /// What they have to be.
    pub recomputed: Side,
    ledger: &'static Ledger,
    span: i64,
}

impl Comparison {
    /// Whether both sides agree in everything.
    pub fn agrees(&self) -> bool {
        self.stored.first_difference(&self.recomputed).is_none()
    }
}

/// Every comparison.
pub fn all(tx: &ReadTx<'_>) -> Result<Vec<Comparison>> {
    let compared = LEDGERS.iter().map(|ledger| ledger.compare(tx)).collect::<Result<Vec<_>>>()?;
    Ok(compared.into_iter().flatten().collect())
}

/// For each ledger the names of its comparisons, and a function that makes them.
pub(super) fn groups() -> impl Iterator<Item = (Vec<&'static str>, impl Fn(&ReadTx<'_>) -> Result<Vec<Comparison>>)> {
    LEDGERS
        .iter()
        .map(|ledger| (ledger.spans.iter().map(|(name, _)| *name).collect(), |tx: &ReadTx<'_>| ledger.compare(tx)))
}

impl Ledger {
    fn compare(&'static self, tx: &ReadTx<'_>) -> Result<Vec<Comparison>> {
        let mut comparisons = vec![];
        for &(name, span) in self.spans {
            let mut stored = Side::default();
            each(tx, self.stored, span, |row| stored.add((span, row.place), row, self.values))?;
            comparisons.push(Comparison { name, stored, recomputed: Side::default(), ledger: self, span });
        }
        each(tx, self.counted, 0, |row| {
            for Comparison { recomputed, span, .. } in &mut comparisons {
                recomputed.add((*span, row.place.div_euclid(*span)), row, self.values);
            }
        })?;
        Ok(comparisons)
    }
}

/// The values of a key on each side.
type Pair = (Vec<i64>, Vec<i64>);

impl Comparison {
    /// The first row that is wrong: where it is, what is stored and what was recomputed.
    pub(super) fn fault(&self, tx: &ReadTx<'_>) -> Result<Option<String>> {
        let Some(day) = self.stored.first_difference(&self.recomputed) else { return Ok(None) };
        let mut rows: BTreeMap<(i64, String, Vec<u8>), Pair> = BTreeMap::new();
        let mut add = |bucket: i64, row: &Counted<'_>, side: fn(&mut Pair) -> &mut Vec<i64>| {
            if bucket.wrapping_mul(self.span).div_euclid(DAY) == day {
                let pair = rows.entry((bucket, row.currency.to_owned(), row.key.to_vec())).or_default();
                let sums = side(pair);
                sums.resize(row.values.len(), 0);
                sums.iter_mut().zip(&row.values).for_each(|(sum, value)| *sum = sum.wrapping_add(*value));
            }
        };
        each(tx, self.ledger.stored, self.span, |row| add(row.place, row, |(stored, _)| stored))?;
        each(tx, self.ledger.counted, 0, |row| add(row.place.div_euclid(self.span), row, |(_, counted)| counted))?;
        let nothing = |values: &[i64]| values.iter().all(|value| *value == 0);
        let wrong =
            rows.into_iter().find(|(_, (stored, counted))| stored != counted && !(nothing(stored) && nothing(counted)));
        Ok(wrong.map(|((bucket, currency, key), (stored, counted))| {
            let place = place(self.span, bucket);
            format!("{place}, {currency}{}, stored {}, recomputed {}", shown(&key), list(&stored), list(&counted))
        }))
    }
}

fn place(span: i64, bucket: i64) -> String {
    if span == 1 {
        return format!("order row {bucket}");
    }
    format!("span {span}, bucket {bucket} ({})", Timestamp::from_millis(bucket.saturating_mul(span * 1000)))
}

/// The rest of a key: nothing, a user, or words.
fn shown(key: &[u8]) -> String {
    match (<[u8; 16]>::try_from(key), key) {
        (_, []) => String::new(),
        (Ok(user), _) if std::str::from_utf8(key).is_err() => format!(" {}", UserId::from_bytes(user)),
        _ => format!(" {}", String::from_utf8_lossy(key)),
    }
}

fn list(values: &[i64]) -> String {
    if values.is_empty() {
        return "nothing".to_owned();
    }
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// A row of either side.
struct Counted<'r> {
    place: i64,
    currency: &'r str,
    key: &'r [u8],
    values: Vec<i64>,
}

/// Hands each row of a statement to `take`. `span` is bound where the statement asks for one.
fn each(tx: &ReadTx<'_>, sql: &str, span: i64, mut take: impl FnMut(&Counted<'_>)) -> Result<()> {
    let mut statement = tx.connection.prepare_cached(sql).map_err(failed)?;
    let columns = statement.column_count();
    let parameters = &[span][..statement.parameter_count()];
    let mut rows = statement.query(params_from_iter(parameters)).map_err(failed)?;
    let mut values = vec![];
    while let Some(row) = rows.next().map_err(failed)? {
        let counted = read(row, columns, std::mem::take(&mut values)).map_err(failed)?;
        take(&counted);
        values = counted.values;
    }
    Ok(())
}

fn read<'r>(row: &'r Row<'_>, columns: usize, mut values: Vec<i64>) -> rusqlite::Result<Counted<'r>> {
    values.clear();
    for column in 3..columns {
        values.push(row.get(column)?);
    }
    let key = match row.get_ref(2)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => &[],
    };
    // One that is none would stop every report that meets it, in a row of zeros too.
    let currency = row.get_ref(1)?.as_str()?;
    Currency::stored(currency).ok_or_else(|| damaged(1, currency))?;
    Ok(Counted { place: row.get(0)?, currency, key, values })
}
