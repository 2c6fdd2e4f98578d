//! The list of all payments and refunds.

use crate::{
    api::{
        input::{
            integer::Amount,
            list::ListRequest,
            parsed::{Parsed, distinct},
        },
        output::{csv_rows::TransactionRow, export::Format, list},
    },
    app::App,
    auth::Actor,
    domain::{
        id::OrderId,
        money::Currency,
        time::Timestamp,
        transaction::{Kind, TransactionFilter, TransactionStatus},
    },
    error::Result,
    service::transactions,
};
use axum::{extract::State, response::Response};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which payments and refunds to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct ListTransactions {
    /// Only payments, or only refunds.
    kind: Option<Parsed<Kind>>,
    /// Those in one of these statuses.
    status: Option<Vec<Parsed<TransactionStatus>>>,
    /// Those of this payment provider.
    #[schemars(length(min = 1, max = 64))]
    provider: Option<String>,
    /// Those to which a provider gave this identifier.
    #[schemars(length(min = 1, max = 255))]
    provider_ref: Option<String>,
    /// Those of this order.
    order_id: Option<Parsed<OrderId>>,
    /// Those in this currency.
    currency: Option<Parsed<Currency>>,
    /// Those of this amount or more, in minor units.
    amount_min: Option<Amount>,
    /// Those of this amount or less, in minor units.
    amount_max: Option<Amount>,
    /// Those whose money moved at this time or later.
    occurred_from: Option<Parsed<Timestamp>>,
    /// Those whose money moved before this time.
    occurred_to: Option<Parsed<Timestamp>>,
}

impl From<ListTransactions> for TransactionFilter {
    fn from(parameters: ListTransactions) -> Self {
        Self {
            kind: parameters.kind.map(|kind| kind.0),
            statuses: distinct(parameters.status),
            provider: parameters.provider,
            provider_ref: parameters.provider_ref,
            order_id: parameters.order_id.map(|id| id.0),
            currency: parameters.currency.map(|currency| currency.0),
            amount_min: parameters.amount_min.map(Amount::get),
            amount_max: parameters.amount_max.map(Amount::get),
            occurred_from: parameters.occurred_from.map(|time| time.0),
            occurred_to: parameters.occurred_to.map(|time| time.0),
            visible_to: None,
        }
    }
}

/// Lists payments and refunds, newest first: a page of them or, as CSV or NDJSON, all.
pub(in crate::api) async fn list(
    State(app): State<App>,
    actor: Actor,
    ListRequest { filter, options }: ListRequest<ListTransactions>,
) -> Result<Response> {
    let filter = TransactionFilter::from(filter);
    let (binding, format) = (format!("transactions.list {filter:?}"), options.format);
    let find = move |app, actor, page| {
        let filter = filter.clone();
        async move {
            let found = match format {
                Format::Page => transactions::list(&app, &actor, filter, page).await?,
                Format::Csv | Format::Ndjson => transactions::export(&app, &actor, filter, page).await?,
            };
            Ok(found.map(TransactionRow))
        }
    };
    list::answer(app, actor, options, binding, find).await
}
