//! The parts of a filter as SQL conditions. `list.rs` decides which of them an index answers, and which are tested on
//! each row that the index yields.

use crate::{
    domain::{
        id::{Identifier, UserId},
        listing::Filter,
        order::OrderStatus,
        transaction::PaymentStatus,
    },
    store::sql::{CONTAINS_FOLDED, sql_int},
};
use rusqlite::types::Value;

/// Conditions joined by AND, and the values of their parameters in the order of the text.
#[derive(Clone, Default)]
pub(super) struct Conditions {
    texts: Vec<String>,
    pub(super) values: Vec<Value>,
}

impl Conditions {
    pub(super) fn of<const N: usize>(text: &str, values: [Value; N]) -> Self {
        let mut conditions = Self::default();
        conditions.and(text, values);
        conditions
    }

    pub(super) fn and<const N: usize>(&mut self, text: impl Into<String>, values: [Value; N]) {
        self.texts.push(text.into());
        self.values.extend(values);
    }

    pub(super) fn join(&mut self, others: &Self) {
        self.texts.extend_from_slice(&others.texts);
        self.values.extend_from_slice(&others.values);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The text that follows `WHERE`.
    pub(super) fn text(&self) -> String {
        if self.texts.is_empty() { "true".to_owned() } else { self.texts.join(" AND ") }
    }
}

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

fn with_text(text: &str) -> Conditions {
    let folded = || Value::Text(text.to_lowercase());
    let all_digits = text.bytes().all(|c| c.is_ascii_digit());
    let number = text.parse().ok().filter(|_| all_digits).map_or(Value::Null, Value::Integer);
    let contains = |column: &str| format!("{CONTAINS_FOLDED}({column}, ?)");
    // An order without personal data, or whose data is erased, matches none of it.
    let customer = |field: &str| {
        let contains = contains(&format!("p.content ->> '$.customer.{field}'"));
        format!(
            "EXISTS (SELECT 1 FROM personal p WHERE p.seq = o.personal_seq AND p.content GLOB '{{*' AND {contains})"
        )
    };
    let alternatives = [
        "o.number = ?".to_owned(),
        contains("o.external_ref"),
        customer("name"),
        customer("email"),
        format!("EXISTS (SELECT 1 FROM order_items n WHERE n.order_seq = o.seq AND {})", contains("n.name")),
    ];
    let condition = format!("({})", alternatives.join(" OR "));
    Conditions::of(&condition, [number, folded(), folded(), folded(), folded()])
}
