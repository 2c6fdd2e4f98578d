//! Tables of orders: CSV with a header, in which an order has one row or several, one after the other.

use super::{
    super::InputLine,
    FileError, items,
    row::{Columns, Row, RowFault},
    shopify,
};
use crate::error::{Error, Fault};
use csv::StringRecord;
use serde_json::Value;
use std::{collections::HashMap, io::Read};

/// The most rows of one order.
const MAX_ROWS: usize = 10_000;

/// What the columns mean.
#[derive(Clone, Copy)]
pub(super) enum Format {
    Items,
    Shopify,
}

impl Format {
    /// The columns without which nothing can be read.
    fn required(self) -> &'static [&'static str] {
        match self {
            Self::Items => items::REQUIRED,
            Self::Shopify => shopify::REQUIRED,
        }
    }

    /// Whether `row` belongs to the order that begins with `first`.
    fn continues(self, first: Row<'_>, row: Row<'_>) -> bool {
        match self {
            Self::Items => items::continues(first, row),
            Self::Shopify => shopify::continues(first, row),
        }
    }

    fn order(self, rows: &[Row<'_>]) -> Result<Value, Vec<RowFault>> {
        match self {
            Self::Items => items::order(rows),
            Self::Shopify => shopify::order(rows),
        }
    }
}

/// Passes each order to `send`, until that returns false.
pub(super) fn each_order(
    input: impl Read,
    format: Format,
    mut send: impl FnMut(InputLine) -> bool,
) -> Result<(), FileError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
    let header = reader.headers()?.clone();
    let columns = columns(&header, format)?;
    let head = written(&header);
    // The reader is behind by the second character of a line end of two.
    let lag = u64::from(reader.position().line() == 1);
    let (mut rows, mut first_line) = (Vec::<StringRecord>::new(), 0);
    let mut record = StringRecord::new();
    loop {
        let is_end = !reader.read_record(&mut record)?;
        let view = |record| Row { columns: &columns, record };
        let continues = rows.first().is_some_and(|first| !is_end && format.continues(view(first), view(&record)));
        if !continues && !rows.is_empty() {
            let order = format.order(&rows.iter().map(view).collect::<Vec<_>>());
            let line = InputLine {
                number: first_line,
                text: order.map(|order| order.to_string().into_bytes()).map_err(refused),
                source: Some(super::super::Source {
                    head: head.clone(),
                    rows: rows.iter().flat_map(written).collect(),
                }),
            };
            rows.clear();
            if !send(line) {
                return Ok(());
            }
        }
        if is_end {
            return Ok(());
        }
        if rows.is_empty() {
            first_line = record.position().map_or(0, |position| position.line() + lag);
        }
        if rows.len() == MAX_ROWS {
            return Err(FileError::Form(format!("the order of line {first_line} has more than {MAX_ROWS} rows")));
        }
        rows.push(std::mem::take(&mut record));
    }
}

/// The places of the columns. Case and blanks around a name do not matter, nor does a byte order mark before the first.
fn columns(header: &StringRecord, format: Format) -> Result<Columns, FileError> {
    let name = |name: &str| name.trim_start_matches('\u{feff}').trim().to_lowercase();
    let columns: HashMap<_, _> = header.iter().enumerate().map(|(at, text)| (name(text), at)).collect();
    let missing: Vec<_> = format.required().iter().copied().filter(|name| !columns.contains_key(*name)).collect();
    if missing.is_empty() {
        return Ok(Columns(columns));
    }
    Err(FileError::Form(format!("the first row must name the columns; missing: {}", missing.join(", "))))
}

fn written(record: &StringRecord) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(vec![]);
    // Writing to memory does not fail.
    let _ = writer.write_record(record);
    writer.into_inner().unwrap_or_default()
}

fn refused(faults: Vec<RowFault>) -> Error {
    let fault = |RowFault { column, detail }| Fault::column(column, "invalid_value", detail);
    Error::invalid(faults.into_iter().map(fault).collect())
}
