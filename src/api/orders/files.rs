//! Orders as files, for the command line: what to export is said and written as over HTTP, so that the bytes are the
//! same. Where the file is, and how orders are read, is not known here.

use super::{Result, list::ListOrders};
use crate::{
    api::{
        input::query,
        output::export::{self, Begins, Format},
    },
    domain::{
        listing::{OrderQuery, Position},
        order::Order,
    },
    service::views::OrderView,
};
use axum::body::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Which orders to export, and as what.
pub struct Export {
    /// Which, and in which order.
    pub query: OrderQuery,
    format: Format,
}

impl Export {
    /// Those of the list with these parameters, as CSV.
    ///
    /// # Errors
    /// `invalid_parameter` with every fault.
    pub fn csv(parameters: &[(String, String)]) -> Result<Self> {
        Self::of(parameters, Format::Csv)
    }

    /// Those of the list with these parameters, a line of JSON each.
    ///
    /// # Errors
    /// `invalid_parameter` with every fault.
    pub fn ndjson(parameters: &[(String, String)]) -> Result<Self> {
        Self::of(parameters, Format::Ndjson)
    }

    fn of(parameters: &[(String, String)], format: Format) -> Result<Self> {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let pairs = parameters.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let asked: ListOrders = query::parse(&pairs.collect::<Vec<_>>().join("&"))?;
        asked.refuse_paging()?;
        Ok(Self { query: OrderQuery { filter: asked.filter()?, sort: asked.sort() }, format })
    }

    /// The bytes of the `orders` that come after a place.
    ///
    /// # Errors
    /// `internal` for an order that cannot be written.
    pub fn encode(&self, orders: &[Order], after: Option<Position>) -> Result<Bytes> {
        let rows: Vec<_> = orders.iter().map(OrderView::from).collect();
        export::encode(self.format, &rows, Begins::after(after.as_ref()))
    }
}
