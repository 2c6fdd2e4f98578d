//! The reports as the orders and transactions say, added up by local date. It knows the rules of the figures, and
//! nothing of how the service computes them.

use super::{number, text};
use crate::support::Client;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// An order and its transactions, as the API shows them.
pub struct Fact {
    order: Value,
    transactions: Vec<Value>,
}

impl Fact {
    /// The transactions whose money moved: those that succeeded, also if they were reversed later.
    fn moved(&self) -> impl Iterator<Item = &Value> {
        let has_moved = |status: &Value| status == "succeeded" || status == "reversed";
        self.transactions.iter().filter(move |transaction| has_moved(&transaction["status"]))
    }

    /// The credits that the order had when it was cancelled: all that were not reversed before.
    fn credits_at_cancellation(&self) -> impl Iterator<Item = &Value> {
        self.moved().filter(|transaction| counts_as_cancelled(transaction, &self.order))
    }
}

/// All orders, newest first.
pub struct Facts(Vec<Fact>);

impl Facts {
    pub async fn read(who: &Client) -> Self {
        let mut facts = vec![];
        for order in who.walk("/v1/orders?limit=200").await {
            let path = format!("/v1/orders/{}/transactions", text(&order, "id"));
            facts.push(Fact { transactions: who.walk(&path).await, order });
        }
        Self(facts)
    }

    fn placed(&self) -> impl Iterator<Item = &Fact> {
        self.0.iter().filter(|fact| !fact.order["placed_at"].is_null())
    }
}

fn counts_as_cancelled(transaction: &Value, order: &Value) -> bool {
    let instant = |value: &Value| value.as_str().map(|text| text.parse::<Timestamp>().unwrap());
    let cancelled_at = instant(&order["cancelled_at"]).unwrap();
    instant(&transaction["reversed_at"]).is_none_or(|reversed_at| reversed_at >= cancelled_at)
}

/// A range of local days in a time zone.
pub struct Range<'z> {
    zone: &'z str,
    calendar: TimeZone,
    from: Date,
    to: Date,
}

impl<'z> Range<'z> {
    pub fn new(zone: &'z str, from: &str, to: &str) -> Self {
        Self { zone, calendar: TimeZone::get(zone).unwrap(), from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    /// The local day of a time, if it is in the range.
    fn day(&self, instant: &Value) -> Option<Date> {
        let instant: Timestamp = instant.as_str()?.parse().unwrap();
        let day = instant.to_zoned(self.calendar.clone()).date();
        (self.from <= day && day <= self.to).then_some(day)
    }

    pub fn query(&self) -> String {
        format!("from={}&to={}&tz={}", self.from, self.to, self.zone)
    }

    fn days(&self) -> impl Iterator<Item = Date> {
        std::iter::successors(Some(self.from), |day| day.tomorrow().ok()).take_while(|day| *day <= self.to)
    }
}

#[derive(Clone, Copy, Default, PartialEq)]
struct Sums {
    gross: i64,
    refunded: i64,
    credited: i64,
    cancelled: i64,
    placed: i64,
    gone: i64,
    tax: i64,
    credited_tax: i64,
    cancelled_tax: i64,
    /// Of the placed orders.
    total: i64,
}

impl Sums {
    fn add(&mut self, more: &Self) {
        self.gross += more.gross;
        self.refunded += more.refunded;
        self.credited += more.credited;
        self.cancelled += more.cancelled;
        self.placed += more.placed;
        self.gone += more.gone;
        self.tax += more.tax;
        self.credited_tax += more.credited_tax;
        self.cancelled_tax += more.cancelled_tax;
        self.total += more.total;
    }

    fn net(&self) -> i64 {
        self.gross - self.refunded - self.credited - self.cancelled
    }
}

/// The sums by the key that `key` makes of a local day and an order.
fn sums<K: Ord>(facts: &Facts, range: &Range<'_>, basis: &str, key: impl Fn(Date, &Value) -> K) -> BTreeMap<K, Sums> {
    let mut sums: BTreeMap<K, Sums> = BTreeMap::new();
    let mut add = |instant: &Value, order: &Value, more: Sums| {
        if let Some(day) = range.day(instant) {
            sums.entry(key(day, order)).or_default().add(&more);
        }
    };
    let (cash, booked) = (i64::from(basis == "cash"), i64::from(basis == "booked"));
    for fact in facts.placed() {
        let order = &fact.order;
        let (total, tax) = (number(order, "total_amount"), number(order, "tax_amount"));
        add(&order["placed_at"], order, Sums { gross: total * booked, placed: 1, tax, total, ..Sums::default() });
        if !order["cancelled_at"].is_null() {
            let credits = |member| fact.credits_at_cancellation().map(|credit| number(credit, member)).sum::<i64>();
            let cancelled = (total - credits("credit_amount")) * booked;
            let cancelled_tax = tax - credits("credit_tax_amount");
            add(&order["cancelled_at"], order, Sums { gone: 1, cancelled, cancelled_tax, ..Sums::default() });
        }
    }
    for (transaction, order) in
        facts.placed().flat_map(|fact| fact.moved().map(|transaction| (transaction, &fact.order)))
    {
        let amount = number(transaction, "amount") * cash;
        let (credit, tax) = (number(transaction, "credit_amount") * booked, number(transaction, "credit_tax_amount"));
        let paid = i64::from(transaction["kind"] == "payment");
        let moved = |sign: i64| Sums {
            gross: sign * amount * paid,
            refunded: sign * amount * (1 - paid),
            credited: sign * credit,
            credited_tax: sign * tax,
            ..Sums::default()
        };
        add(&transaction["occurred_at"], order, moved(1));
        add(&transaction["reversed_at"], order, moved(-1));
        if !order["cancelled_at"].is_null() && counts_as_cancelled(transaction, order) {
            // A credit that stood when the order was cancelled, and was reversed then, is cancelled now.
            let cancelled = Sums { cancelled: credit, cancelled_tax: tax, ..Sums::default() };
            add(&transaction["reversed_at"], order, cancelled);
        }
    }
    sums
}

pub fn daily(facts: &Facts, range: &Range<'_>, basis: &str) -> Vec<Value> {
    let sums = sums(facts, range, basis, |day, order| (day, text(order, "currency").to_owned()));
    // A currency has rows if it has sums by either basis on any day.
    let other = if basis == "cash" { "booked" } else { "cash" };
    let any = self::sums(facts, range, other, |day, order| (day, text(order, "currency").to_owned()));
    let all = sums.iter().chain(&any).filter(|(_, sums)| **sums != Sums::default());
    let currencies: BTreeSet<_> = all.map(|((_, currency), _)| currency.clone()).collect();
    let row = |(day, currency): (Date, &String)| {
        let sums = sums.get(&(day, currency.clone())).copied().unwrap_or_default();
        let Sums { gross, refunded, credited, cancelled, placed, gone, tax, credited_tax, cancelled_tax, total } = sums;
        // Rounded half away from zero; totals are never negative.
        let average = if placed == 0 { 0 } else { (2 * total + placed) / (2 * placed) };
        json!({"date": day.to_string(), "currency": currency, "orders_placed": placed, "orders_cancelled": gone,
            "gross_amount": gross, "refunded_amount": refunded, "credited_amount": credited,
            "cancelled_amount": cancelled, "net_amount": sums.net(), "tax_amount": tax,
            "credited_tax_amount": credited_tax, "cancelled_tax_amount": cancelled_tax,
            "net_tax_amount": tax - credited_tax - cancelled_tax, "average_order_amount": average})
    };
    range.days().flat_map(|day| currencies.iter().map(move |currency| (day, currency))).map(row).collect()
}

/// The rows of revenue by user: six values by user and currency.
pub fn revenue(facts: &Facts, range: &Range<'_>, basis: &str) -> BTreeMap<(String, String), [i64; 6]> {
    let key = |_, order: &Value| (order["user_id"].to_string(), text(order, "currency").to_owned());
    let other = if basis == "cash" { "booked" } else { "cash" };
    let has_any =
        |sums: &Sums| [sums.gross, sums.refunded, sums.credited, sums.cancelled, sums.placed].iter().any(|v| *v != 0);
    let here = sums(facts, range, basis, key);
    let there = sums(facts, range, other, key);
    let keys = here.iter().chain(&there).filter(|(_, sums)| has_any(sums)).map(|(key, _)| key);
    let values = |key: &(String, String)| {
        let sums = here.get(key).copied().unwrap_or_default();
        [sums.placed, sums.gross, sums.refunded, sums.credited, sums.cancelled, sums.net()]
    };
    keys.map(|key| (key.clone(), values(key))).collect()
}

pub fn statuses(facts: &Facts, range: &Range<'_>) -> BTreeMap<[String; 3], [i64; 2]> {
    let mut counts: BTreeMap<[String; 3], [i64; 2]> = BTreeMap::new();
    for order in facts.0.iter().map(|fact| &fact.order).filter(|order| range.day(&order["placed_at"]).is_some()) {
        let key = ["status", "payment_status", "currency"].map(|member| text(order, member).to_owned());
        let count = counts.entry(key).or_default();
        *count = [count[0] + 1, count[1] + number(order, "total_amount")];
    }
    counts
}

pub fn top_items(facts: &Facts, range: &Range<'_>) -> Vec<Value> {
    let mut sold: BTreeMap<(String, String), (String, [i64; 3])> = BTreeMap::new();
    let counted = |order: &&Value| order["status"] != "cancelled" && range.day(&order["placed_at"]).is_some();
    for order in facts.0.iter().map(|fact| &fact.order).filter(counted) {
        let mut seen = BTreeSet::new();
        for item in order["items"].as_array().unwrap().iter().rev() {
            let (ordered, returned) = (number(item, "quantity"), number(item, "returned_quantity"));
            if ordered == returned {
                continue;
            }
            let key = (text(item, "sku").to_owned(), text(order, "currency").to_owned());
            // Orders come newest first, so the first name is the newest.
            let (_, sums) = sold.entry(key).or_insert_with(|| (text(item, "name").to_owned(), [0; 3]));
            let total = number(item, "total_amount");
            sums[0] += ordered - returned;
            sums[1] += i64::from(seen.insert(text(item, "sku")));
            sums[2] += total - (2 * total * returned + ordered) / (2 * ordered);
        }
    }
    let mut rows: Vec<_> = sold.into_iter().collect();
    rows.sort_by_key(|((sku, currency), (_, sums))| (-sums[2], sku.clone(), currency.clone()));
    let row = |((sku, currency), (name, [quantity, orders, total])): ((String, String), (String, [i64; 3]))| {
        json!({"sku": sku, "name": name, "currency": currency, "quantity": quantity, "orders": orders,
            "total_amount": total})
    };
    rows.into_iter().map(row).collect()
}

/// The rows of taxes: by currency, then the highest rate first, and what has no rate last.
pub fn taxes(facts: &Facts, range: &Range<'_>) -> Vec<Value> {
    let mut sums: BTreeMap<(String, i64, String), [i64; 2]> = BTreeMap::new();
    let mut add = |instant: &Value, order: &Value, taxes: &Value, sign: i64| {
        for line in taxes.as_array().unwrap().iter().filter(|_| range.day(instant).is_some()) {
            let rate = line["tax_rate"].as_str().map_or(-1.0, |rate| rate.parse::<f64>().unwrap());
            #[allow(clippy::cast_possible_truncation, reason = "rates have at most four decimals")]
            let key =
                (text(order, "currency").to_owned(), -(rate * 10_000.0).round() as i64, line["tax_rate"].to_string());
            let [net, tax] = sums.entry(key).or_default();
            *net += sign * number(line, "net_amount");
            *tax += sign * number(line, "tax_amount");
        }
    };
    for fact in facts.placed() {
        let order = &fact.order;
        let is_cancelled = !order["cancelled_at"].is_null();
        add(&order["placed_at"], order, &order["taxes"], 1);
        if is_cancelled {
            add(&order["cancelled_at"], order, &order["taxes"], -1);
            fact.credits_at_cancellation().for_each(|t| add(&order["cancelled_at"], order, &t["credit_taxes"], 1));
        }
        for transaction in fact.moved() {
            add(&transaction["occurred_at"], order, &transaction["credit_taxes"], -1);
            // A credit that stood when the order was cancelled is cancelled when it is reversed: that leaves nothing.
            if !is_cancelled || !counts_as_cancelled(transaction, order) {
                add(&transaction["reversed_at"], order, &transaction["credit_taxes"], 1);
            }
        }
    }
    let any = sums.into_iter().filter(|(_, sums)| *sums != [0, 0]);
    let row = |((currency, _, rate), [net, tax]): ((String, i64, String), [i64; 2])| {
        let rate: Value = serde_json::from_str(&rate).unwrap();
        json!({"tax_rate": rate, "currency": currency, "net_amount": net, "tax_amount": tax})
    };
    any.map(row).collect()
}
