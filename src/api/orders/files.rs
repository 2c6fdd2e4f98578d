//! Exports of orders for the command line. Filters and formats are those of the API, so that the bytes are the same. Where
//! the file is, and how orders are read, is not known here.

use super::list::{Include, ListOrders};
use crate::{
    api::{
        input::{list::ListQuery, query},
        output::{
            csv_rows::OrderRow,
            export::{self, Format, Part},
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
    format: Format,
    include: Option<Include>,
}

impl Export {
    /// An export as CSV of the orders that the list with these parameters has.
    ///
    /// # Errors
    /// `invalid_parameter` with every fault.
    pub fn csv(parameters: &[(String, String)]) -> Result<Self> {
        Self::of(parameters, Format::Csv)
    }

    /// An export as NDJSON of the orders that the list with these parameters has.
    ///
    /// # Errors
    /// `invalid_parameter` with every fault.
    pub fn ndjson(parameters: &[(String, String)]) -> Result<Self> {
        Self::of(parameters, Format::Ndjson)
    }

    fn of(parameters: &[(String, String)], format: Format) -> Result<Self> {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let pairs = parameters.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let query: ListQuery<ListOrders> = query::parse(&pairs.collect::<Vec<_>>().join("&"))?;
        query.page.refuse_paging()?;
        let include = query.filter.include(format)?;
        Ok(Self { query: query.filter.query()?, format, include })
    }

    /// Whether the transactions of each order are exported too.
    pub fn includes_transactions(&self) -> bool {
        self.include == Some(Include::Transactions)
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
        self.encode_rows(orders.into_iter().map(OrderRow::from).collect(), after)
    }

    /// The bytes of these orders, which follow `after` in the list. Before the first ones comes the header of the format.
    ///
    /// # Errors
    /// `internal` if an order cannot be serialised.
    pub fn encode(&self, orders: Vec<Order>, after: Option<Position>) -> Result<Bytes> {
        self.encode_rows(orders.into_iter().map(OrderRow::from).collect(), after)
    }

    fn encode_rows(&self, rows: Vec<OrderRow>, after: Option<Position>) -> Result<Bytes> {
        export::encode(self.format, &rows, Part::after(after.as_ref()))
    }
}
