//! Reconciliation: stored sums compared with sums recomputed from the rows, for `orderd verify` and
//! `GET /v1/analytics/reconcile`. The statements share nothing with the code that maintains the sums.
//!
//! Both sides are read once, as streams: neither is sorted or held in memory. For each side only the totals by currency
//! and a digest for each day are kept. The digest is the sum of all values, each multiplied by an odd number derived
//! from its key. A single wrong value always changes it, and several wrong values cancel out with a probability of 1 in
//! 2^64. Where the digests of a day differ, that day is computed again key by key to name the first wrong row.

mod definitions;
mod entry;
mod fault;
pub(super) mod rebuild;
mod side;

pub use side::Side;

use super::ReadTx;
use crate::error::Result;
use definitions::{COMPARISONS, Definition};
use entry::each_row;

/// Stored sums of one span, compared with the recomputed ones.
pub struct Comparison {
    /// The name of the check.
    pub name: &'static str,
    /// The sums as they are stored.
    pub stored: Side,
    /// The sums recomputed from the rows.
    pub recomputed: Side,
    definition: &'static Definition,
    span: i64,
}

impl Comparison {
    /// Whether both sides agree in every value.
    pub fn agrees(&self) -> bool {
        self.stored.first_difference(&self.recomputed).is_none()
    }
}

/// Makes every comparison.
pub fn all(tx: &ReadTx<'_>) -> Result<Vec<Comparison>> {
    let compared = COMPARISONS.iter().map(|definition| definition.compare(tx)).collect::<Result<Vec<_>>>()?;
    Ok(compared.into_iter().flatten().collect())
}

/// The comparisons that are made together: their names, and a function that makes them.
pub(super) fn groups() -> impl Iterator<Item = (Vec<&'static str>, impl Fn(&ReadTx<'_>) -> Result<Vec<Comparison>>)> {
    COMPARISONS.iter().map(|definition| {
        let names = definition.spans.iter().map(|(name, _)| *name).collect();
        (names, |tx: &ReadTx<'_>| definition.compare(tx))
    })
}

impl Definition {
    fn compare(&'static self, tx: &ReadTx<'_>) -> Result<Vec<Comparison>> {
        let mut comparisons = vec![];
        for &(name, span) in self.spans {
            let mut stored = Side::default();
            self.stored.each(tx, span, |entry| stored.add(span, entry, self.values))?;
            comparisons.push(Comparison { name, stored, recomputed: Side::default(), definition: self, span });
        }
        each_row(tx, self.recomputed, |entry| {
            for Comparison { recomputed, span, .. } in &mut comparisons {
                recomputed.add(*span, &entry.in_bucket(*span), self.values);
            }
        })?;
        Ok(comparisons)
    }
}
