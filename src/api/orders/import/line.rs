//! One line of an import: the order as `POST /v1/orders` takes it, its history, and what the server makes itself, which
//! an export has too and is passed over.

mod history;

use super::super::CreateOrder;
use crate::{
    api::input::schema,
    domain::{order::MAX_ORDER_NUMBER, time::Timestamp},
    error::{Error, Fault, Result, problem},
    service::orders::{ImportKey, ImportedOrder, NewOrder, Owner},
};
use history::{Context, HistoryBody};
use serde_json::{Map, Value};

/// The longest `external_ref`, in characters.
const MAX_REFERENCE: usize = 255;
/// Members of an order that the server makes.
const MADE_HERE: [&str; 16] = [
    "id",
    "payment_status",
    "subtotal_amount",
    "discount_amount",
    "fee_amount",
    "taxes",
    "paid_amount",
    "refunded_amount",
    "credited_amount",
    "credited_tax_amount",
    "balance_amount",
    "version",
    "allowed_transitions",
    "created_by",
    "created_at",
    "updated_at",
];
/// Members of an item that the server makes.
const MADE_OF_ITEMS: [&str; 4] = ["id", "returned_quantity", "allocated_discount_amount", "total_amount"];
/// Members of a fee that the server makes.
const MADE_OF_FEES: [&str; 1] = ["total_amount"];
/// Members that a new order does not have.
const OF_HISTORY: [&str; 10] = [
    "number",
    "status",
    "placed_at",
    "confirmed_at",
    "fulfilled_at",
    "cancelled_at",
    "cancel_reason",
    "transactions",
    "total_amount",
    "tax_amount",
];

/// What identifies the order of a line: its reference, or its number if it has none.
pub(super) fn key(line: &Value) -> Option<ImportKey> {
    match (line.get("external_ref"), line.get("number")) {
        (Some(Value::String(reference)), _) => {
            (1..=MAX_REFERENCE).contains(&reference.chars().count()).then(|| ImportKey::ExternalRef(reference.clone()))
        }
        (None | Some(Value::Null), Some(number)) => {
            number.as_i64().filter(|number| (1..=MAX_ORDER_NUMBER).contains(number)).map(ImportKey::Number)
        }
        _ => None,
    }
}

/// The fault of a line that nothing identifies, if its reference and number are not faults by themselves.
pub(super) fn without_key(line: &Value) -> Option<Fault> {
    let is_absent = |name| line.get(name).is_none_or(Value::is_null);
    (is_absent("external_ref") && is_absent("number"))
        .then(|| Fault::body("#/external_ref", "required", "is required in an import, unless there is a number"))
}

/// The order of a line that is imported at `now`.
///
/// # Errors
/// `validation_failed` with every fault of the line; `total_differs` if that is its only fault.
pub(super) fn order(line: Value, now: Timestamp) -> Result<ImportedOrder> {
    let Value::Object(mut line) = line else {
        return schema::valid::<CreateOrder>(line)?.into_order().map(|new| ImportedOrder { new, history: None });
    };
    let is_export = line.contains_key("id");
    let was_never_placed = is_null(&line, "placed_at") && line.get("number").is_none_or(Value::is_null);
    for name in MADE_HERE {
        line.remove(name);
    }
    let items = parts_without(&mut line, "items", &MADE_OF_ITEMS);
    parts_without(&mut line, "fees", &MADE_OF_FEES);
    let transactions = parts_without(&mut line, "transactions", &history::MADE_OF_TRANSACTIONS);
    let mut past = Map::new();
    for name in OF_HISTORY {
        past.extend(line.remove_entry(name));
    }
    let mut faults = vec![];
    let history = valid::<HistoryBody>(past.into(), &mut faults)?;
    let draft = line.get("draft").and_then(Value::as_bool);
    let new = match schema::valid::<CreateOrder>(line.into()).and_then(CreateOrder::into_order) {
        Ok(new) => Some(new),
        Err(error) => collect(error, &mut faults).map(|()| None)?,
    };
    let totals = history.as_ref().map(HistoryBody::totals);
    let context = Context { items: &items, transactions: &transactions, draft, was_never_placed, now };
    let history = history.and_then(|body| body.into_history(&context, &mut faults));
    let (Some(new), true) = (new, faults.is_empty()) else { return Err(Error::invalid(faults)) };
    let priced = new.draft.priced.totals;
    let differing =
        totals.into_iter().flatten().zip([priced.total, priced.tax]).filter_map(|((field, given), made)| {
            let given = given.filter(|given| *given != made)?;
            Some(Fault::new(field, "total_differs", format!("is {given} on the line, but the order comes to {made}")))
        });
    let differing: Vec<_> = differing.collect();
    if !differing.is_empty() {
        return Err(Error::new(&problem::TOTAL_DIFFERS).with_faults(differing));
    }
    let owner = match new.owner {
        Owner::User(user) if is_export => Owner::UserIfKnown(user),
        named => named,
    };
    Ok(ImportedOrder { new: NewOrder { owner, ..new }, history })
}

/// Whether the line has this member, and it is null.
fn is_null(line: &Map<String, Value>, name: &str) -> bool {
    line.get(name).is_some_and(Value::is_null)
}

/// The value as a `T`; none if it is not valid. Then its faults are added.
fn valid<T: schemars::JsonSchema + serde::de::DeserializeOwned + 'static>(
    value: Value,
    faults: &mut Vec<Fault>,
) -> Result<Option<T>> {
    match schema::valid(value) {
        Ok(valid) => Ok(Some(valid)),
        Err(error) => collect(error, faults).map(|()| None),
    }
}

/// Adds the faults of `error`, unless it is a fault of the service itself.
fn collect(error: Error, faults: &mut Vec<Fault>) -> Result<()> {
    if error.is(&problem::VALIDATION_FAILED) {
        faults.extend_from_slice(error.faults());
        return Ok(());
    }
    Err(error)
}

/// Removes what the server makes from the objects in the list `name`, and returns the identifier of each. A tax amount
/// beside a rate is made here too.
fn parts_without(line: &mut Map<String, Value>, name: &str, made: &[&str]) -> Vec<Option<String>> {
    let parts = line.get_mut(name).and_then(Value::as_array_mut);
    let stripped = parts.into_iter().flatten().map(|part| {
        let members = part.as_object_mut()?;
        let id = members.get("id").and_then(Value::as_str).map(str::to_owned);
        for name in made {
            members.remove(*name);
        }
        if members.get("tax_rate").is_some_and(|rate| !rate.is_null()) {
            members.remove("tax_amount");
        }
        id
    });
    stripped.collect()
}
