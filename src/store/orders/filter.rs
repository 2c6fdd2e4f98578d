//! The parts of a filter as SQL conditions. `list.rs` decides which of them an index answers, and which are tested on
//! each row that the index yields.

use crate::{
    domain::{
        id::{Identifier, UserId},
        listing::Filter,
        order::OrderStatus,
        text::{Folded, digits_of},
        transaction::PaymentStatus,
    },
    store::{
        conditions::Conditions,
        functions::{CONTAINS_DIGITS, CONTAINS_FOLDED, EQUALS_FOLDED},
        sql::sql_int,
    },
};
use rusqlite::types::Value;

/// The users whose orders match a filter.
pub(super) enum Owner {
    Anyone,
    User(UserId),
    /// No order can match.
    NoOne,
}

pub(super) fn owner(filter: &Filter) -> Owner {
    match (filter.visible_to, filter.user_id) {
        (None, None) => Owner::Anyone,
        (None, Some(user)) => Owner::User(user),
        (Some(Some(caller)), user) if user.is_none_or(|user| user == caller) => Owner::User(caller),
        (Some(_), _) => Owner::NoOne,
    }
}

pub(super) fn of_user(user: UserId) -> Conditions {
    Conditions::of("o.user_id = ?", [Value::Blob(user.bytes().to_vec())])
}

pub(super) fn of_reference(reference: &str) -> Conditions {
    Conditions::of("o.external_ref = ?", [Value::Text(reference.to_owned())])
}

pub(super) fn of_sku(sku: &str) -> Conditions {
    Conditions::of(
        "EXISTS (SELECT 1 FROM order_items s WHERE s.order_seq = o.seq AND s.sku = ?)",
        [Value::Text(sku.to_owned())],
    )
}

/// The conditions on status and payment status.
pub(super) fn of_statuses(filter: &Filter) -> Conditions {
    let mut conditions = Conditions::default();
    if !filter.statuses.is_empty() {
        conditions.and(format!("o.status IN ({})", names(filter.statuses.iter().map(|s| s.name()))), []);
    }
    if !filter.payment_statuses.is_empty() {
        let names = names(filter.payment_statuses.iter().map(|s| s.name()));
        conditions.and(format!("o.payment_status IN ({names})"), []);
    }
    conditions
}

/// Names of statuses as SQL literals. They come from enumerations, never from a client.
fn names(names: impl Iterator<Item = &'static str>) -> String {
    names.map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// Every pair of status and payment status that matches.
pub(super) fn status_pairs(filter: &Filter) -> impl Iterator<Item = (OrderStatus, PaymentStatus)> {
    let (statuses, payments) = (&filter.statuses, &filter.payment_statuses);
    let payments = if payments.is_empty() { PaymentStatus::ALL } else { payments };
    let mut pairs = vec![];
    for &status in if statuses.is_empty() { OrderStatus::ALL } else { statuses } {
        pairs.extend(payments.iter().map(|&payment| (status, payment)));
    }
    // A status may be named twice in the filter.
    pairs.sort_unstable();
    pairs.dedup();
    pairs.into_iter()
}

/// The conditions that no index answers. Indexes for amounts, currency and metadata would each cost every new order an
/// entry, and a substring can be anywhere.
pub(super) fn unindexed(filter: &Filter) -> Conditions {
    let mut conditions = Conditions::default();
    if let Some(currency) = &filter.currency {
        conditions.and("o.currency = ?", [Value::Text(currency.code().to_owned())]);
    }
    if let Some(min) = filter.total_min {
        conditions.and("o.total_amount >= ?", [Value::Integer(min)]);
    }
    if let Some(max) = filter.total_max {
        conditions.and("o.total_amount <= ?", [Value::Integer(max)]);
    }
    if let Some(from) = filter.updated_from {
        conditions.and("o.updated_at >= ?", [Value::Integer(from.millis())]);
    }
    if let Some(email) = &filter.customer_email {
        let folded = Value::Text(Folded::of(email).as_str().to_owned());
        conditions.and(format!("{EQUALS_FOLDED}({}, ?)", customer("email")), [folded]);
    }
    if !filter.metadata.is_empty() {
        conditions.and(
            "(SELECT count(*) FROM json_each(?) wanted, json_each(o.metadata) had
              WHERE had.key = wanted.key AND had.value = wanted.value) = ?",
            [Value::Text(super::row::metadata(&filter.metadata)), Value::Integer(sql_int(filter.metadata.len()))],
        );
    }
    if let Some(text) = &filter.text {
        conditions.join(&with_text(text));
    }
    conditions
}

/// The conditions on the time of placing.
pub(super) fn of_placing(filter: &Filter) -> Conditions {
    let mut conditions = Conditions::default();
    if let Some(from) = filter.placed_from {
        conditions.and("o.placed_at >= ?", [Value::Integer(from.millis())]);
    }
    if let Some(to) = filter.placed_to {
        conditions.and("o.placed_at < ?", [Value::Integer(to.millis())]);
    }
    conditions
}

/// A field of the customer; NULL without one, and once it is erased. What is erased is no JSON, so it is not looked
/// into.
fn customer(field: &str) -> String {
    format!(
        "(SELECT iif(p.content GLOB '{{*', p.content ->> '$.customer.{field}', NULL)
          FROM personal p WHERE p.seq = o.personal_seq)"
    )
}

/// The condition that an order has this text somewhere. Telephone numbers are compared by their digits.
fn with_text(text: &str) -> Conditions {
    let folded = Folded::of(text);
    let folded = || Value::Text(folded.as_str().to_owned());
    let all_digits = text.bytes().all(|c| c.is_ascii_digit());
    let number = text.parse().ok().filter(|_| all_digits).map_or(Value::Null, Value::Integer);
    let contains = |column: &str| format!("{CONTAINS_FOLDED}({column}, ?)");
    let phone = customer("phone");
    let (phone, of_phone) = match digits_of(text) {
        Some(digits) => (format!("{CONTAINS_DIGITS}({phone}, ?)"), Value::Text(digits)),
        None => (contains(&phone), folded()),
    };
    let alternatives = [
        "o.number = ?".to_owned(),
        contains("o.external_ref"),
        contains(&customer("name")),
        contains(&customer("email")),
        phone,
        format!("EXISTS (SELECT 1 FROM order_items n WHERE n.order_seq = o.seq AND {})", contains("n.name")),
    ];
    let condition = format!("({})", alternatives.join(" OR "));
    Conditions::of(&condition, [number, folded(), folded(), folded(), of_phone, folded()])
}
