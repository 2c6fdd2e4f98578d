//! The comparisons of reconciliation: for each the stored sums, and the statement that recomputes them.
//!
//! A statement yields one row for each thing that counts: a position, a currency, a dimension, and the values. The
//! position is the time in seconds since the epoch for sums by bucket, and a row number for sums in rows of orders.

mod orders;
mod rollups;

use crate::store::rollups::Rollup;

/// Stored sums, and how to recompute them.
pub(super) struct Definition {
    /// The name of the check for each span. Positions are divided by the span.
    pub(super) spans: &'static [(&'static str, i64)],
    pub(super) stored: StoredSums,
    pub(super) dimension: Dimension,
    /// The statement that recomputes the sums.
    pub(super) recomputed: &'static str,
    /// The names of the values.
    pub(super) values: &'static [&'static str],
}

/// Where stored sums are.
#[derive(Clone, Copy)]
pub(super) enum StoredSums {
    /// In a rollup, by buckets of time.
    Rollup(Rollup),
    /// In rows, which this statement yields.
    Rows(&'static str),
}

/// What the number in the third column of a statement stands for.
#[derive(Clone, Copy)]
pub(super) enum Dimension {
    /// Nothing; it is 0.
    None,
    User,
    Statuses,
    Sku,
    TaxRate,
    /// A line of an order, from 0.
    Line,
}

pub(super) const COMPARISONS: &[Definition] = &[
    rollups::SALES,
    rollups::USERS,
    rollups::STATUSES,
    rollups::ITEMS,
    rollups::TAXES,
    orders::TOTALS,
    orders::CREDITS,
    orders::PAYMENTS,
    orders::RETURNS,
];
