//! Rows on their way from the file to PostgreSQL, column by column: so they are sent as arrays, one for each column.

use super::tables::{Kind, Table};
use crate::domain::id::{Identifier, OrderId};
use rusqlite::Row;

/// Rows of a table.
pub(super) struct Rows {
    pub(super) table: &'static Table,
    pub(super) columns: Vec<Values>,
}

/// The values of a column.
pub(super) enum Values {
    Integers(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
}

/// One value.
pub(super) enum Cell {
    Integer(Option<i64>),
    Text(Option<String>),
}

impl Rows {
    pub(super) fn new(table: &'static Table) -> Self {
        let empty = |column: &super::tables::Column| match column.kind {
            Kind::Id(_) | Kind::Text | Kind::Json => Values::Texts(vec![]),
            Kind::Integer | Kind::Amount | Kind::Percent | Kind::Time | Kind::Flag => Values::Integers(vec![]),
        };
        Self { table, columns: table.columns.iter().map(empty).collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.columns.first().is_none_or(|column| match column {
            Values::Integers(values) => values.is_empty(),
            Values::Texts(values) => values.is_empty(),
        })
    }

    /// Adds a row of the table's statement.
    pub(super) fn push(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        for (index, (column, values)) in self.table.columns.iter().zip(&mut self.columns).enumerate() {
            match (values, column.kind) {
                (Values::Integers(values), _) => values.push(row.get(index)?),
                (Values::Texts(values), Kind::Id(text)) => values.push(row.get::<_, Option<_>>(index)?.map(text)),
                (Values::Texts(values), _) => values.push(row.get(index)?),
            }
        }
        Ok(())
    }

    /// Adds a row with these values, which are of the kinds of the columns.
    pub(super) fn push_cells(&mut self, cells: impl IntoIterator<Item = Cell>) {
        for (values, cell) in self.columns.iter_mut().zip(cells) {
            match (values, cell) {
                (Values::Integers(values), Cell::Integer(value)) => values.push(value),
                (Values::Texts(values), Cell::Text(value)) => values.push(value),
                (Values::Integers(_), Cell::Text(_)) | (Values::Texts(_), Cell::Integer(_)) => {
                    unreachable!("a value of the kind of its column")
                }
            }
        }
    }

    /// The values of the column with this name.
    pub(super) fn column(&self, name: &str) -> Option<&Values> {
        let index = self.table.columns.iter().position(|column| column.name == name)?;
        self.columns.get(index)
    }
}

/// The identifier of an order from its bytes.
pub(super) fn order_id(bytes: [u8; 16]) -> String {
    OrderId::from_bytes(bytes).to_string()
}
