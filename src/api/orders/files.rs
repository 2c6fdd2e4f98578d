//! Exports of orders for the command line. Filters and formats are those of the API, so that the bytes are the same.
//! Where the file is, and how orders are read, is not known here.

use super::list::{Content, ListOrders};
use crate::{
    api::{
        input::{file::only_for, list::ListQuery, query},
        output::{
            csv_rows::OrderRow,
            export::{self, CsvStyle, FileFormat, Format, Part, Row},
            item_rows::ItemRow,
        },
    },
    domain::{
        listing::{OrderQuery, Position},
        order::Order,
    },
    error::Result,
    service::orders::OrderWithTransactions,
};
use axum::body::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Which orders to export, in which order and format.
pub struct Export {
    /// Which orders, and in which order.
    pub query: OrderQuery,
    format: FileFormat,
    content: Content,
}

impl Export {
    /// An export as CSV of the orders that the list with these parameters has.
    ///
    /// # Errors
    /// `invalid_parameter` with every fault.
    pub fn csv(parameters: &[(String, String)]) -> Result<Self> {
        Self::of(parameters, Format::Csv, FileFormat::Csv(CsvStyle::Plain))
    }

    /// An export as NDJSON of the orders that the list with these parameters has.
    ///
    /// # Errors
    /// `invalid_parameter` with every fault.
    pub fn ndjson(parameters: &[(String, String)]) -> Result<Self> {
        Self::of(parameters, Format::Ndjson, FileFormat::Ndjson)
    }

    fn of(parameters: &[(String, String)], form: Format, format: FileFormat) -> Result<Self> {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let pairs = parameters.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let query: ListQuery<ListOrders> = query::parse(&pairs.collect::<Vec<_>>().join("&"))?;
        query.page.refuse_paging()?;
        if query.file.style.is_some() {
            return Err(only_for("style", "files of the server"));
        }
        let content = query.filter.content(form)?;
        Ok(Self { query: query.filter.query()?, format, content })
    }

    /// Whether the transactions of each order are exported too.
    pub fn includes_transactions(&self) -> bool {
        self.content == Content::WithTransactions
    }

    /// [`Self::encode`] with the transactions of each order.
    ///
    /// # Errors
    /// `internal` if an order cannot be serialised.
    pub fn encode_with_transactions(
        &self,
        orders: Vec<OrderWithTransactions>,
        after: Option<Position>,
    ) -> Result<Bytes> {
        self.encode_rows(orders.into_iter().map(OrderRow::from), after)
    }

    /// The bytes of these orders, which follow `after` in the list. Before the first ones comes the header of the
    /// format.
    ///
    /// # Errors
    /// `internal` if an order cannot be serialised.
    pub fn encode(&self, orders: Vec<Order>, after: Option<Position>) -> Result<Bytes> {
        match self.content {
            Content::Items => self.encode_rows(orders.into_iter().flat_map(ItemRow::of), after),
            Content::Orders | Content::WithTransactions => {
                self.encode_rows(orders.into_iter().map(OrderRow::from), after)
            }
        }
    }

    fn encode_rows<R: Row>(&self, rows: impl Iterator<Item = R>, after: Option<Position>) -> Result<Bytes> {
        export::encode(&self.format, &rows.collect::<Vec<_>>(), Part::after(after.as_ref()))
    }
}
