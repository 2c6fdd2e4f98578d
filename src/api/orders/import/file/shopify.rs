//! The export of orders of a shop at Shopify: an order has a row for each of its items, and all but the items is in the
//! first of these rows. Amounts are decimals, discounts and taxes are given for the whole order, and refunds have no
//! day. What follows from that is in the guide, chapter "Moving in".

mod money;
mod price;
#[cfg(test)]
mod tests;

use super::row::{Row, RowFault};
use crate::domain::{money::Currency, order::MAX_ORDER_NUMBER, time::Timestamp};
use money::Decimals;
use serde_json::{Map, Value, json};

pub(super) const REQUIRED: &[&str] = &[
    "name",
    "financial status",
    "currency",
    "subtotal",
    "total",
    "created at",
    "lineitem quantity",
    "lineitem name",
    "lineitem price",
];

/// Columns that become metadata, each under its key.
const METADATA: [(&str, &str); 11] = [
    ("id", "shopify_id"),
    ("discount code", "discount_code"),
    ("shipping method", "shipping_method"),
    ("tags", "tags"),
    ("source", "source"),
    ("vendor", "vendor"),
    ("location", "location"),
    ("employee", "employee"),
    ("risk level", "risk_level"),
    ("note attributes", "note_attributes"),
    ("receipt number", "receipt_number"),
];
/// Characters of a value of metadata.
const MAX_METADATA_VALUE: usize = 500;
/// Characters of a name.
const MAX_NAME: usize = 255;
/// Characters of an SKU or of a payment provider.
const MAX_WORD: usize = 64;

pub(super) fn continues(first: Row<'_>, row: Row<'_>) -> bool {
    // A further row of an order has neither a total nor a status.
    first.get("name") == row.get("name") && row.some("total").is_none()
}

pub(super) fn order(rows: &[Row<'_>]) -> Result<Value, Vec<RowFault>> {
    let Some(first) = rows.first().copied() else { return Err(vec![]) };
    let mut cells = Cells { faults: vec![], decimals: Decimals::of(currency(first)) };
    let times = Times::of(first, &mut cells);
    let priced = price::of(rows, &mut cells);
    let mut order = Map::new();
    let mut set = |name: &str, value: Value| drop(order.insert(name.to_owned(), value));
    set("external_ref", first.get("name").into());
    set("number", number(first.get("name")).into());
    set("currency", first.get("currency").into());
    set("user_id", Value::Null);
    set("status", times.status().into());
    set("placed_at", text(times.placed_at));
    set("fulfilled_at", text(times.fulfilled_at));
    set("cancelled_at", text(times.cancelled_at));
    set("transactions", transactions(first, &times, &mut cells).into());
    set("customer", customer(first));
    set("note", first.some("notes").into());
    set("metadata", metadata(first));
    order.extend(priced);
    if cells.faults.is_empty() { Ok(Value::Object(order)) } else { Err(cells.faults) }
}

/// Reads cells. What cannot be read is noted.
struct Cells {
    faults: Vec<RowFault>,
    decimals: Decimals,
}

impl Cells {
    fn fault(&mut self, column: &'static str, detail: impl Into<String>) {
        self.faults.push(RowFault { column, detail: detail.into() });
    }

    /// An amount in minor units; 0 if the cell is empty.
    fn amount(&mut self, row: Row<'_>, column: &'static str) -> i64 {
        let Some(text) = row.some(column) else { return 0 };
        let amount = self.decimals.parse(text);
        if amount.is_none() {
            self.fault(column, format!("must be an amount such as {}", self.decimals.example()));
        }
        amount.unwrap_or_default()
    }

    /// A time such as `2023-05-14 10:22:01 -0400`.
    fn time(&mut self, row: Row<'_>, column: &'static str) -> Option<Timestamp> {
        let text = row.some(column)?;
        let time = parse_time(text);
        if time.is_none() {
            self.fault(column, "must be a time such as 2023-05-14 10:22:01 -0400");
        }
        time
    }
}

fn parse_time(text: &str) -> Option<Timestamp> {
    let mut parts = text.split(' ');
    let (date, time, offset) = (parts.next()?, parts.next()?, parts.next()?);
    let offset = match offset {
        "UTC" => "Z".to_owned(),
        offset => format!("{}:{}", offset.get(..3)?, offset.get(3..)?),
    };
    parts.next().is_none().then(|| Timestamp::parse(&format!("{date}T{time}{offset}")))?
}

fn currency(first: Row<'_>) -> Option<Currency> {
    Currency::parse(first.get("currency"))
}

fn text(at: Option<Timestamp>) -> Value {
    at.map(|at| at.to_string()).into()
}

/// The number in a name such as `#1001` or `DE-1001`; none if there are several.
fn number(name: &str) -> Option<i64> {
    let mut runs = name.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let number = runs.next()?.parse().ok().filter(|number| (1..=MAX_ORDER_NUMBER).contains(number));
    number.filter(|_| runs.next().is_none())
}

/// When the order got where it is.
struct Times {
    placed_at: Option<Timestamp>,
    paid_at: Option<Timestamp>,
    fulfilled_at: Option<Timestamp>,
    cancelled_at: Option<Timestamp>,
    is_open: bool,
}

impl Times {
    fn of(first: Row<'_>, cells: &mut Cells) -> Self {
        let placed_at = cells.time(first, "created at");
        if placed_at.is_none() && first.some("created at").is_none() {
            cells.fault("created at", "must not be empty");
        }
        let cancelled_at = cells.time(first, "cancelled at").map(|at| Some(at).max(placed_at).unwrap_or(at));
        let fulfilled_at =
            cells.time(first, "fulfilled at").or(placed_at).map(|at| Some(at).max(placed_at).unwrap_or(at));
        let is_fulfilled = first.get("fulfillment status").eq_ignore_ascii_case("fulfilled");
        Self {
            placed_at,
            paid_at: cells.time(first, "paid at"),
            fulfilled_at: fulfilled_at.filter(|_| is_fulfilled && cancelled_at.is_none()),
            cancelled_at,
            is_open: matches!(first.get("financial status"), "pending" | "authorized" | "expired" | "voided" | ""),
        }
    }

    fn status(&self) -> &'static str {
        match self {
            Self { cancelled_at: Some(_), .. } => "cancelled",
            Self { fulfilled_at: Some(_), .. } => "fulfilled",
            Self { is_open: true, .. } => "pending",
            _ => "confirmed",
        }
    }

    /// The latest of the times: nothing tells when money was given back.
    fn last(&self) -> Option<Timestamp> {
        [self.placed_at, self.paid_at, self.fulfilled_at, self.cancelled_at].into_iter().flatten().max()
    }
}

/// The payment and the refund of an order.
fn transactions(first: Row<'_>, times: &Times, cells: &mut Cells) -> Vec<Value> {
    let total = cells.amount(first, "total");
    let owed = cells.decimals.parse_signed(first.get("outstanding balance")).unwrap_or_default();
    let refunded = cells.amount(first, "refunded amount");
    let (amount, status) = match first.get("financial status") {
        "paid" | "partially_paid" | "refunded" | "partially_refunded" => (total.saturating_sub(owed), "succeeded"),
        "authorized" => (total, "pending"),
        "voided" | "expired" => (total, "voided"),
        "pending" | "" => (0, "succeeded"),
        other => {
            cells.fault("financial status", format!("{other} is not known"));
            (0, "succeeded")
        }
    };
    // What was given back had been paid, whatever the balance says.
    let amount = if status == "succeeded" { amount.max(refunded) } else { amount };
    let (provider, reference) =
        (first.some("payment method").map(|name| cut(name, MAX_WORD)), payment_reference(first));
    let mut transactions = vec![];
    if amount > 0 {
        transactions.push(json!({
            "id": "payment", "kind": "payment", "status": status, "amount": amount, "provider": provider,
            "provider_ref": reference, "occurred_at": text(times.paid_at.or(times.placed_at)),
        }));
    }
    if refunded > 0 {
        let payment = (status == "succeeded" && amount > 0).then_some("payment");
        transactions.push(json!({
            "kind": "refund", "amount": refunded, "provider": provider, "payment_id": payment,
            "occurred_at": text(times.last()),
        }));
    }
    transactions
}

fn payment_reference(first: Row<'_>) -> Option<String> {
    let columns = ["payment reference", "payment references", "payment id"];
    columns.into_iter().find_map(|column| first.some(column)).map(|reference| cut(reference, MAX_NAME))
}

fn customer(first: Row<'_>) -> Value {
    let of = |columns: &[&str]| columns.iter().find_map(|column| first.some(column)).map(|text| cut(text, MAX_NAME));
    let address = address(first, "shipping").or_else(|| address(first, "billing"));
    json!({
        "name": of(&["billing name", "shipping name"]), "email": of(&["email"]),
        "phone": of(&["phone", "billing phone", "shipping phone"]), "address": address,
    })
}

/// The address with this prefix, in one text.
fn address(first: Row<'_>, prefix: &str) -> Option<String> {
    let part = |name: &str| first.some(&format!("{prefix} {name}")).map(|part| part.trim_start_matches('\''));
    let city: Vec<_> = [part("zip"), part("city")].into_iter().flatten().collect();
    let street = part("address1").or(part("street"));
    let lines = [part("name"), part("company"), street, part("address2")].map(|line| line.map(str::to_owned));
    let place = [
        (!city.is_empty()).then(|| city.join(" ")),
        part("province").map(str::to_owned),
        part("country").map(str::to_owned),
    ];
    let lines: Vec<_> = lines.into_iter().chain(place).flatten().collect();
    street.or(part("city")).map(|_| cut(&lines.join(", "), 1000))
}

fn metadata(first: Row<'_>) -> Value {
    let entry = |(column, key): (&str, &str)| {
        first.some(column).map(|text| (key.to_owned(), Value::from(cut(text, MAX_METADATA_VALUE))))
    };
    Value::Object(METADATA.into_iter().filter_map(entry).collect())
}

/// The first `most` characters.
fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
