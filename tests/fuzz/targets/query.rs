//! The query of the list of orders: each parameter is known, is sent once and becomes part of the filter. Written again
//! in another order, it is the same filter.

#![no_main]

use libfuzzer_sys::fuzz_target;
use orderd::{
    api::{
        input::{list::ListQuery, query},
        orders::ListOrders,
    },
    domain::listing::Filter,
    error::problem,
};
use std::collections::BTreeMap;

fuzz_target!(|data: &[u8]| {
    let Ok(raw) = std::str::from_utf8(data) else { return };
    let parameters = match query::parse::<ListQuery<ListOrders>>(raw) {
        Ok(parameters) => parameters.filter,
        Err(error) => return assert!(error.is(&problem::INVALID_PARAMETER) && !error.faults().is_empty(), "{error}"),
    };
    let sent: BTreeMap<_, _> = form_urlencoded::parse(raw.as_bytes()).into_owned().collect();
    let pairs = raw.split('&').filter(|pair| !pair.is_empty());
    assert_eq!(sent.len(), pairs.count(), "a parameter was sent twice");
    let Ok(orders) = parameters.query() else {
        return assert!(sent.len() > 50, "only too many entries of metadata are refused after the check");
    };
    for (name, text) in &sent {
        assert!(is_in(&orders.filter, name, text), "{name}={text} is not in {orders:?}");
    }
    let mut again = form_urlencoded::Serializer::new(String::new());
    let again = again.extend_pairs(sent.iter().rev()).finish();
    let again = query::parse::<ListQuery<ListOrders>>(&again).unwrap_or_else(|error| panic!("{again}: {error}"));
    assert_eq!(format!("{orders:?}"), format!("{:?}", again.filter.query().expect("the query was accepted before")));
});

/// Whether the parameter is part of the filter.
fn is_in(filter: &Filter, name: &str, text: &str) -> bool {
    match name {
        "limit" | "cursor" | "count" | "sort" | "format" | "style" | "rows" | "include" => true,
        "status" => !filter.statuses.is_empty() && filter.statuses.len() <= text.split(',').count(),
        "payment_status" => !filter.payment_statuses.is_empty(),
        "user_id" => filter.user_id.is_some_and(|id| id.to_string() == text),
        "currency" => filter.currency.is_some_and(|currency| currency.code() == text),
        "external_ref" => filter.external_ref.as_deref() == Some(text),
        "sku" => filter.sku.as_deref() == Some(text),
        "total_min" => filter.total_min == text.parse().ok(),
        "total_max" => filter.total_max == text.parse().ok(),
        "created_from" => filter.created_from.is_some(),
        "created_to" => filter.created_to.is_some(),
        "updated_from" => filter.updated_from.is_some(),
        "placed_from" => filter.placed_from.is_some(),
        "placed_to" => filter.placed_to.is_some(),
        "customer_email" => filter.customer_email.as_deref() == Some(text),
        "q" => filter.text.as_deref() == Some(text),
        _ => name.strip_prefix("metadata.").is_some_and(|key| filter.metadata.get(key).is_some_and(|it| it == text)),
    }
}
