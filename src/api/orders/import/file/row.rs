//! A row of a table of orders, whatever its columns mean.

use csv::StringRecord;
use std::collections::HashMap;

/// The columns of a table, by their names.
pub(super) struct Columns(pub(super) HashMap<String, usize>);

/// A row of a table.
#[derive(Clone, Copy)]
pub(super) struct Row<'t> {
    pub(super) columns: &'t Columns,
    pub(super) record: &'t StringRecord,
}

impl<'t> Row<'t> {
    /// The text in this column, without blanks around it; empty if there is no such column.
    pub(super) fn get(self, column: &str) -> &'t str {
        self.columns.0.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default().trim()
    }

    /// The text in this column, if it is not empty.
    pub(super) fn some(self, column: &str) -> Option<&'t str> {
        Some(self.get(column)).filter(|text| !text.is_empty())
    }
}

/// Why the rows of an order are no order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RowFault {
    /// The column.
    pub(super) column: &'static str,
    /// What a correct value would be.
    pub(super) detail: String,
}
