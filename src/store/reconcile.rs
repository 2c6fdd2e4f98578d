//! Stored figures against a recomputation from the rows, for `orderd verify` and `GET /v1/analytics/reconcile`. The
//! statements share nothing with the code that keeps the figures.
//!
//! Both sides are read once, as streams: no side is ever in memory or sorted. Of each, the totals by currency are kept, and
//! for each day a digest: the sum of its values, each times an odd number drawn from its key. Sums that agree by chance
//! are as unlikely as 1 in 2^64; a single wrong value always shows. Where a day's digests differ, that day alone is
//! computed again key by key, to name the first row that is wrong.

use super::{
    ReadTx,
    rollups::{self, EntryKey, Rollup},
    sql::{damaged, failed},
};
use crate::{
    domain::{calendar::BucketRange, money::Currency, time::Timestamp},
    error::Result,
};
use rusqlite::Row;
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

pub(super) mod rebuild;

const DAY: i64 = 86_400;
/// The dimension of what has none that is known: no figure has it.
const UNKNOWN: i64 = -1;

/// Figures that are stored, and what they have to come to. What counts is given one by one by a statement: a place, a
/// currency, a dimension and the values. The place is what is divided by `spans`: seconds since the epoch, or a row.
struct Account {
    /// The name of the check for each span.
    spans: &'static [(&'static str, i64)],
    stored: Stored,
    /// What counts.
    counted: &'static str,
    /// The names of the values.
    values: &'static [&'static str],
}

/// Where stored figures are.
#[derive(Clone, Copy)]
enum Stored {
    /// In the summaries: buckets of time.
    Figures(Rollup),
    /// In rows, given by a statement like what counts.
    Rows(&'static str),
}

const ACCOUNTS: &[Account] = &[
    Account {
        spans: &[("sales_32_days", 32 * DAY), ("sales_day", DAY), ("sales_hour", 3_600), ("sales_quarter_hour", 900)],
        stored: Stored::Figures(Rollup::Sales),
        counted: "SELECT placed_at / 1000 AS place, currency, 0, 1, 0, total_amount, tax_amount, 0, 0, 0
             FROM orders WHERE placed_at IS NOT NULL
           UNION ALL SELECT cancelled_at / 1000, currency, 0, 0, 1, 0, 0, total_amount, 0, 0
             FROM orders WHERE placed_at IS NOT NULL AND cancelled_at IS NOT NULL
           UNION ALL SELECT t.occurred_at / 1000, o.currency, 0, 0, 0, 0, 0, 0, iif(t.kind = 'payment', t.amount, 0),
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
    Account {
        spans: &[
            ("user_sales_32_days", 32 * DAY),
            ("user_sales_day", DAY),
            ("user_sales_hour", 3_600),
            ("user_sales_quarter_hour", 900),
        ],
        stored: Stored::Figures(Rollup::Users),
        counted: "SELECT placed_at / 1000 AS place, currency, coalesce(u.seq, 0), 1, total_amount, 0, 0, 0
             FROM orders o LEFT JOIN users u ON u.id = o.user_id WHERE placed_at IS NOT NULL
           UNION ALL SELECT cancelled_at / 1000, currency, coalesce(u.seq, 0), 0, 0, total_amount, 0, 0
             FROM orders o LEFT JOIN users u ON u.id = o.user_id
             WHERE placed_at IS NOT NULL AND cancelled_at IS NOT NULL
           UNION ALL SELECT t.occurred_at / 1000, o.currency, coalesce(u.seq, 0), 0, 0, 0,
               iif(t.kind = 'payment', t.amount, 0), iif(t.kind = 'refund', t.amount, 0)
             FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq LEFT JOIN users u ON u.id = o.user_id
             WHERE t.status = 'succeeded'",
        values: &["orders_placed", "booked_amount", "cancelled_amount", "paid_amount", "refunded_amount"],
    },
    Account {
        spans: &[
            ("status_sales_32_days", 32 * DAY),
            ("status_sales_day", DAY),
            ("status_sales_hour", 3_600),
            ("status_sales_quarter_hour", 900),
        ],
        stored: Stored::Figures(Rollup::Statuses),
        counted: "SELECT placed_at / 1000 AS place, currency,
               CASE status WHEN 'draft' THEN 0 WHEN 'pending' THEN 16 WHEN 'confirmed' THEN 32 WHEN 'fulfilled' THEN 48
                 WHEN 'cancelled' THEN 64 END
               + CASE payment_status WHEN 'unpaid' THEN 0 WHEN 'partially_paid' THEN 1 WHEN 'paid' THEN 2
                 WHEN 'overpaid' THEN 3 WHEN 'partially_refunded' THEN 4 WHEN 'refunded' THEN 5 END, 1, total_amount
             FROM orders WHERE placed_at IS NOT NULL",
        values: &["orders", "total_amount"],
    },
    Account {
        spans: &[
            ("item_sales_32_days", 32 * DAY),
            ("item_sales_day", DAY),
            ("item_sales_hour", 3_600),
            ("item_sales_quarter_hour", 900),
        ],
        stored: Stored::Figures(Rollup::Items),
        counted: "SELECT o.placed_at / 1000 AS place, o.currency, s.seq, i.quantity,
               NOT EXISTS (SELECT 1 FROM order_items e
                 WHERE e.order_seq = i.order_seq AND e.line < i.line AND e.sku = i.sku),
               i.total_amount
             FROM orders o CROSS JOIN order_items i ON i.order_seq = o.seq LEFT JOIN skus s ON s.sku = i.sku
             WHERE o.placed_at IS NOT NULL AND o.status <> 'cancelled'",
        values: &["quantity", "orders", "total_amount"],
    },
    Account {
        spans: &[("order_totals", 1)],
        stored: Stored::Rows(
            "SELECT seq AS place, currency, 0, subtotal_amount, discount_amount - order_discount_amount, tax_amount,
             total_amount + order_discount_amount - fee_amount FROM orders",
        ),
        counted: "SELECT o.seq AS place, o.currency, 0, i.quantity * i.unit_amount, i.discount_amount, i.tax_amount,
             i.total_amount FROM orders o CROSS JOIN order_items i ON i.order_seq = o.seq",
        values: &["subtotal_amount", "line_discount_amount", "tax_amount", "items_total_amount"],
    },
    Account {
        spans: &[("order_payments", 1)],
        stored: Stored::Rows("SELECT seq AS place, currency, 0, paid_amount, refunded_amount FROM orders"),
        counted: "SELECT t.order_seq AS place, o.currency, 0, iif(t.kind = 'payment', t.amount, 0),
               iif(t.kind = 'refund', t.amount, 0)
             FROM transactions t CROSS JOIN orders o ON o.seq = t.order_seq WHERE t.status = 'succeeded'",
        values: &["paid_amount", "refunded_amount"],
    },
];

/// What one side of a comparison comes to.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// The sum of each value, by currency.
    pub totals: BTreeMap<String, BTreeMap<&'static str, i128>>,
    /// A number for each day (or run of rows) that stands for every value in it.
    digests: BTreeMap<i64, u128>,
}

impl Side {
    /// A number that stands for every value at its place: two sides with the same one agree everywhere.
    pub fn digest(&self) -> u128 {
        self.digests.values().fold(0, |sum, digest| sum.wrapping_add(*digest))
    }

    fn add(&mut self, span: i64, entry: &Entry<'_>, names: &[&'static str]) {
        let mut hash = DefaultHasher::new();
        (entry.place, entry.currency, entry.dimension).hash(&mut hash);
        // Odd, so that no difference of a value, however large a power of two, is multiplied away.
        let mut weight = u128::from(hash.finish()) << 1 | 1;
        let digest = self.digests.entry(entry.place.wrapping_mul(span).div_euclid(DAY)).or_default();
        for value in entry.values {
            *digest = digest.wrapping_add(weight.wrapping_mul(value.cast_unsigned()));
            weight = weight.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645);
        }
        if !self.totals.contains_key(entry.currency) {
            let nothing = names.iter().map(|name| (*name, 0)).collect();
            self.totals.insert(entry.currency.to_owned(), nothing);
        }
        if let Some(totals) = self.totals.get_mut(entry.currency) {
            for (name, value) in names.iter().zip(entry.values) {
                let total = totals.entry(name).or_default();
                *total = total.wrapping_add(*value);
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
    account: &'static Account,
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
    let compared = ACCOUNTS.iter().map(|account| account.compare(tx)).collect::<Result<Vec<_>>>()?;
    Ok(compared.into_iter().flatten().collect())
}

/// For each account the names of its comparisons, and a function that makes them.
pub(super) fn groups() -> impl Iterator<Item = (Vec<&'static str>, impl Fn(&ReadTx<'_>) -> Result<Vec<Comparison>>)> {
    ACCOUNTS
        .iter()
        .map(|account| (account.spans.iter().map(|(name, _)| *name).collect(), |tx: &ReadTx<'_>| account.compare(tx)))
}

impl Account {
    fn compare(&'static self, tx: &ReadTx<'_>) -> Result<Vec<Comparison>> {
        let mut comparisons = vec![];
        for &(name, span) in self.spans {
            let mut stored = Side::default();
            self.stored.each(tx, span, |entry| stored.add(span, entry, self.values))?;
            comparisons.push(Comparison { name, stored, recomputed: Side::default(), account: self, span });
        }
        each(tx, self.counted, |entry| {
            for Comparison { recomputed, span, .. } in &mut comparisons {
                recomputed.add(*span, &entry.in_bucket(*span), self.values);
            }
        })?;
        Ok(comparisons)
    }
}

impl Stored {
    /// Shows `visit` what is stored for buckets of this span.
    fn each(self, tx: &ReadTx<'_>, span: i64, mut visit: impl FnMut(&Entry<'_>)) -> Result<()> {
        let rollup = match self {
            Self::Rows(sql) => return each(tx, sql, visit),
            Self::Figures(rollup) => rollup,
        };
        let all = BucketRange { span, first: i64::MIN, last: i64::MAX, sign: 1 };
        rollups::each(tx, rollup, all, |place, part| {
            visit(&Entry::of(place, &part.map(i128::from)[..rollup.width()]));
        })?;
        rollups::logged(tx, rollup, |place, part| {
            let values = part.map(i128::from);
            let entry = Entry::of(place, &values[..rollup.width()]);
            visit(&Entry { place: place.bucket.wrapping_mul(rollups::FINEST), ..entry }.in_bucket(span));
        })
    }
}

/// The values of a key on each side.
type Pair = (Vec<i128>, Vec<i128>);

impl Comparison {
    /// The first row that is wrong: where it is, what is stored and what was recomputed.
    pub(super) fn fault(&self, tx: &ReadTx<'_>) -> Result<Option<String>> {
        let Some(day) = self.stored.first_difference(&self.recomputed) else { return Ok(None) };
        let mut rows: BTreeMap<(i64, String, i64), Pair> = BTreeMap::new();
        let mut add = |entry: &Entry<'_>, side: fn(&mut Pair) -> &mut Vec<i128>| {
            if entry.place.wrapping_mul(self.span).div_euclid(DAY) == day {
                let pair = rows.entry((entry.place, entry.currency.to_owned(), entry.dimension)).or_default();
                let sums = side(pair);
                sums.resize(entry.values.len(), 0);
                sums.iter_mut().zip(entry.values).for_each(|(sum, value)| *sum = sum.wrapping_add(*value));
            }
        };
        self.account.stored.each(tx, self.span, |entry| add(entry, |(stored, _)| stored))?;
        each(tx, self.account.counted, |entry| add(&entry.in_bucket(self.span), |(_, counted)| counted))?;
        let nothing = |values: &[i128]| values.iter().all(|value| *value == 0);
        let wrong =
            rows.into_iter().find(|(_, (stored, counted))| stored != counted && !(nothing(stored) && nothing(counted)));
        let Some(((bucket, currency, dimension), (stored, counted))) = wrong else { return Ok(None) };
        let (place, whose) = (place(self.span, bucket), self.account.stored.name_of(tx, dimension)?);
        let (stored, counted) = (list(&stored), list(&counted));
        Ok(Some(format!("{place}, {currency}{whose}, stored {stored}, recomputed {counted}")))
    }
}

impl Stored {
    /// What a dimension is called, after a space; nothing where there is only one.
    fn name_of(self, tx: &ReadTx<'_>, dimension: i64) -> Result<String> {
        let name = match self {
            Self::Figures(Rollup::Users) if dimension == 0 => Some("nobody".to_owned()),
            Self::Figures(Rollup::Users) => rollups::user_label(tx, dimension)?.map(|(id, ..)| id.to_string()),
            Self::Figures(Rollup::Items) => rollups::sku(tx, dimension)?,
            Self::Figures(Rollup::Statuses) => rollups::status_entry(dimension)
                .map(|(status, payment)| format!("{} {}", status.name(), payment.name())),
            Self::Figures(Rollup::Sales) | Self::Rows(_) => return Ok(String::new()),
        };
        Ok(format!(" {}", name.unwrap_or_else(|| format!("unknown {dimension}"))))
    }
}

fn place(span: i64, bucket: i64) -> String {
    if span == 1 {
        return format!("order row {bucket}");
    }
    format!("span {span}, bucket {bucket} ({})", Timestamp::from_millis(bucket.saturating_mul(span * 1000)))
}

fn list(values: &[i128]) -> String {
    if values.is_empty() {
        return "nothing".to_owned();
    }
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// What counts at one place, on either side.
#[derive(Clone, Copy)]
struct Entry<'r> {
    place: i64,
    currency: &'r str,
    dimension: i64,
    values: &'r [i128],
}

impl<'r> Entry<'r> {
    fn of(place: &'r EntryKey, values: &'r [i128]) -> Self {
        Self { place: place.bucket, currency: place.currency.code(), dimension: place.dimension, values }
    }

    /// The same at the bucket of this span that its place is in.
    fn in_bucket(self, span: i64) -> Self {
        Self { place: self.place.div_euclid(span), ..self }
    }
}

/// Shows `visit` each row of a statement.
fn each(tx: &ReadTx<'_>, sql: &str, mut visit: impl FnMut(&Entry<'_>)) -> Result<()> {
    let mut statement = tx.connection.prepare_cached(sql).map_err(failed)?;
    let columns = statement.column_count();
    let mut rows = statement.query([]).map_err(failed)?;
    let mut values = vec![];
    while let Some(row) = rows.next().map_err(failed)? {
        values.clear();
        for column in 3..columns {
            values.push(row.get::<_, i64>(column).map_err(failed)?.into());
        }
        visit(&read(row, &values).map_err(failed)?);
    }
    Ok(())
}

fn read<'r>(row: &'r Row<'_>, values: &'r [i128]) -> rusqlite::Result<Entry<'r>> {
    let currency = row.get_ref(1)?.as_str()?;
    Currency::stored(currency).ok_or_else(|| damaged(1, currency))?;
    Ok(Entry { place: row.get(0)?, currency, dimension: row.get::<_, Option<i64>>(2)?.unwrap_or(UNKNOWN), values })
}
