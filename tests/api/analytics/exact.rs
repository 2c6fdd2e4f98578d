//! Reports compared with an independent recomputation. Random orders, payments, refunds, cancellations and changes of
//! prices are made around the nights in which clocks change, read back as orders and transactions, and added up by
//! local date.

use crate::support::{Client, Service};
use axum::http::Method;
use fastrand::Rng;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Nights in which the clocks change in Lord Howe (by half an hour), Berlin and New York, in both directions.
const NIGHTS: [&str; 6] = ["2026-10-03", "2026-10-24", "2026-10-31", "2027-03-13", "2027-03-27", "2027-04-03"];
const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Auckland"];
const SKUS: [&str; 7] = ["tea", "cup", "pot", "spoon", "tray", "kettle", "sieve"];
const CURRENCIES: [&str; 3] = ["EUR", "JPY", "KWD"];

/// The number of orders: 60, or as many thousands as `ORDERD_SOAK` says.
fn orders_to_make() -> usize {
    #[allow(clippy::disallowed_methods, reason = "the environment sets the length of a soak test")]
    let soak = std::env::var("ORDERD_SOAK").ok().and_then(|n| n.parse::<usize>().ok());
    soak.map_or(60, |thousands| thousands * 1_000)
}

struct World {
    service: Service,
    random: Rng,
    /// A client with an API key, which does not expire while months pass.
    shop: Client,
    /// The users of orders; null for orders without a user.
    buyers: [Value; 3],
    orders: Vec<String>,
}

impl World {
    async fn start() -> Self {
        let service = Service::start().await;
        let permissions = [
            "orders:create",
            "orders:read",
            "orders:update",
            "orders:transition",
            "orders:cancel",
            "payments:write",
            "refunds:write",
            "analytics:read",
        ];
        let body = json!({"name": "shop", "permissions": permissions});
        let key = service.admin().await.post("/v1/api-keys", body).await.created();
        let shop = service.anonymous().bearing(key["secret"].as_str().unwrap());
        let (ada, other) = (service.customer().await, service.other_customer().await);
        let buyers = [json!(ada.id), json!(other.id), Value::Null];
        Self { service, random: Rng::with_seed(7), shop, buyers, orders: vec![] }
    }

    fn items(&mut self) -> Value {
        let item = |random: &mut Rng| {
            let sku = SKUS[random.usize(..SKUS.len())];
            let name = format!("{sku} {}", random.u8(..4));
            let (quantity, unit) = (random.i64(1..5), random.i64(0..50_000));
            json!({"sku": sku, "name": name, "quantity": quantity, "unit_amount": unit, "tax_amount": random.i64(0..900)})
        };
        (0..self.random.usize(1..5)).map(|_| item(&mut self.random)).collect()
    }

    async fn place(&mut self) {
        let items = self.items();
        let currency = CURRENCIES[self.random.usize(..CURRENCIES.len())];
        let mut body = json!({"currency": currency, "items": items, "draft": self.random.u8(..10) == 0});
        let buyer = &self.buyers[self.random.usize(..self.buyers.len())];
        if !buyer.is_null() {
            body["user_id"] = buyer.clone();
        }
        self.orders.push(self.shop.places(body).await.created().id());
    }

    /// Changes a random order in a random way. The order's state may not allow the change; then it is refused.
    async fn change(&mut self) {
        let order = self.orders[self.random.usize(..self.orders.len())].clone();
        let path = format!("/v1/orders/{order}");
        let amount = self.random.i64(1..60_000);
        let answer = match self.random.u8(..10) {
            0 => self.shop.moves(&order, "place").await,
            1 => self.shop.moves(&order, "confirm").await,
            2 => {
                let refund = ["full", "none"][self.random.usize(..2)];
                self.shop.post(&format!("{path}/cancel"), json!({"refund": refund})).await
            }
            3 | 4 => {
                let items = self.items();
                self.shop.patch(&path, json!({"items": items})).await
            }
            5 | 6 => self.shop.refunds(&order, json!({"amount": amount / 3 + 1})).await,
            7 => {
                let paid = self.shop.pays(&order, json!({"amount": amount, "status": "pending"})).await;
                if paid.code() != 201 {
                    return;
                }
                let status = ["succeeded", "failed"][self.random.usize(..2)];
                self.shop.patch(&format!("/v1/transactions/{}", paid.id()), json!({"status": status})).await
            }
            _ => {
                let earlier = self.service.now().millis() - self.random.i64(0..200 * 3_600_000);
                let occurred_at = Timestamp::from_millisecond(earlier).unwrap().to_string();
                self.shop.pays(&order, json!({"amount": amount, "occurred_at": occurred_at})).await
            }
        };
        assert!(answer.code() < 500, "{answer}");
    }

    async fn place_and_change(&mut self, orders: usize) {
        for (night, from) in NIGHTS.iter().enumerate() {
            // Three days around the night.
            let from: Timestamp = format!("{from}T00:00:00Z").parse().unwrap();
            let here = orders / NIGHTS.len() + usize::from(night < orders % NIGHTS.len());
            let mut times: Vec<i64> = (0..here).map(|_| self.random.i64(0..3 * 24 * 4)).collect();
            times.sort_unstable();
            for quarter in times {
                // At a quarter of an hour, where a bucket begins, or a millisecond before.
                let at = from.as_millisecond() + quarter * 900_000 - self.random.i64(0..2);
                self.service.at(&Timestamp::from_millisecond(at).unwrap().to_string());
                self.place().await;
                self.change().await;
                self.change().await;
            }
        }
    }
}

/// All orders, newest first, and all transactions, as the API lists them.
struct Facts {
    orders: Vec<Value>,
    transactions: Vec<(Value, usize)>,
}

impl Facts {
    async fn read(who: &Client) -> Self {
        let orders = who.walk("/v1/orders?limit=200").await;
        let mut transactions = vec![];
        for (i, order) in orders.iter().enumerate() {
            let path = format!("/v1/orders/{}/transactions", order["id"].as_str().unwrap());
            transactions.extend(who.walk(&path).await.into_iter().map(|transaction| (transaction, i)));
        }
        Self { orders, transactions }
    }
}

/// A range of local days in a time zone.
struct Range<'z> {
    zone: &'z str,
    calendar: TimeZone,
    from: Date,
    to: Date,
}

impl<'z> Range<'z> {
    fn new(zone: &'z str, from: &str, to: &str) -> Self {
        Self { zone, calendar: TimeZone::get(zone).unwrap(), from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    /// The local day of a time, if it is in the range.
    fn day(&self, instant: &Value) -> Option<Date> {
        let instant: Timestamp = instant.as_str()?.parse().unwrap();
        let day = instant.to_zoned(self.calendar.clone()).date();
        (self.from <= day && day <= self.to).then_some(day)
    }

    fn query(&self) -> String {
        format!("from={}&to={}&tz={}", self.from, self.to, self.zone)
    }

    fn days(&self) -> impl Iterator<Item = Date> {
        std::iter::successors(Some(self.from), |day| day.tomorrow().ok()).take_while(|day| *day <= self.to)
    }
}

fn number(value: &Value, member: &str) -> i64 {
    value[member].as_i64().unwrap()
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap()
}

/// Gross, refunded and cancelled amount, placed and cancelled orders, tax, and total of the placed orders.
type Sums = [i64; 7];

/// The sums by the key that `key` makes of a local day and an order.
fn sums<K: Ord>(facts: &Facts, range: &Range<'_>, basis: &str, key: impl Fn(Date, &Value) -> K) -> BTreeMap<K, Sums> {
    let mut sums: BTreeMap<K, Sums> = BTreeMap::new();
    let mut add = |day, order, values: Sums| {
        let sum = sums.entry(key(day, order)).or_default();
        (0..7).for_each(|i| sum[i] += values[i]);
    };
    let (cash, booked) = (i64::from(basis == "cash"), i64::from(basis == "booked"));
    for order in &facts.orders {
        let (total, tax) = (number(order, "total_amount"), number(order, "tax_amount"));
        if let Some(day) = range.day(&order["placed_at"]) {
            add(day, order, [total * booked, 0, 0, 1, 0, tax, total]);
        }
        if !order["placed_at"].is_null()
            && let Some(day) = range.day(&order["cancelled_at"])
        {
            add(day, order, [0, 0, total * booked, 0, 1, 0, 0]);
        }
    }
    for (transaction, order) in facts.transactions.iter().filter(|(t, _)| t["status"] == "succeeded") {
        if let Some(day) = range.day(&transaction["occurred_at"]) {
            let amount = number(transaction, "amount") * cash;
            let paid = i64::from(transaction["kind"] == "payment");
            add(day, &facts.orders[*order], [amount * paid, amount * (1 - paid), 0, 0, 0, 0, 0]);
        }
    }
    sums
}

fn daily(facts: &Facts, range: &Range<'_>, basis: &str) -> Vec<Value> {
    let sums = sums(facts, range, basis, |day, order| (day, text(order, "currency").to_owned()));
    // A currency has rows if it has sums by either basis.
    let other = if basis == "cash" { "booked" } else { "cash" };
    let any = self::sums(facts, range, other, |_, order| text(order, "currency").to_owned());
    let currencies: BTreeSet<_> = sums.keys().map(|(_, currency)| currency.clone()).chain(any.into_keys()).collect();
    let row = |(day, currency): (Date, &String)| {
        let [gross, refunded, cancelled, placed, gone, tax, total] =
            sums.get(&(day, currency.clone())).copied().unwrap_or_default();
        // Rounded half away from zero; totals are never negative.
        let average = if placed == 0 { 0 } else { (2 * total + placed) / (2 * placed) };
        json!({"date": day.to_string(), "currency": currency, "orders_placed": placed, "orders_cancelled": gone,
            "gross_amount": gross, "refunded_amount": refunded, "cancelled_amount": cancelled,
            "net_amount": gross - refunded - cancelled, "tax_amount": tax, "average_order_amount": average})
    };
    range.days().flat_map(|day| currencies.iter().map(move |currency| (day, currency))).map(row).collect()
}

/// The rows of revenue by user: five values by user and currency.
fn revenue(facts: &Facts, range: &Range<'_>, basis: &str) -> BTreeMap<(String, String), [i64; 5]> {
    let key = |_, order: &Value| (order["user_id"].to_string(), text(order, "currency").to_owned());
    let values = |[gross, refunded, cancelled, placed, ..]: Sums| {
        [placed, gross, refunded, cancelled, gross - refunded - cancelled]
    };
    let other = if basis == "cash" { "booked" } else { "cash" };
    let has_any = |sums: &Sums| sums[..4].iter().any(|value| *value != 0);
    let here = sums(facts, range, basis, key);
    let there = sums(facts, range, other, key);
    let keys = here.iter().chain(&there).filter(|(_, sums)| has_any(sums)).map(|(key, _)| key);
    keys.map(|key| (key.clone(), values(here.get(key).copied().unwrap_or_default()))).collect()
}

fn statuses(facts: &Facts, range: &Range<'_>) -> BTreeMap<[String; 3], [i64; 2]> {
    let mut counts: BTreeMap<[String; 3], [i64; 2]> = BTreeMap::new();
    for order in facts.orders.iter().filter(|order| range.day(&order["placed_at"]).is_some()) {
        let key = ["status", "payment_status", "currency"].map(|member| text(order, member).to_owned());
        let count = counts.entry(key).or_default();
        *count = [count[0] + 1, count[1] + number(order, "total_amount")];
    }
    counts
}

fn top_items(facts: &Facts, range: &Range<'_>) -> Vec<Value> {
    let mut sold: BTreeMap<(String, String), (String, [i64; 3])> = BTreeMap::new();
    let counted = |order: &&Value| order["status"] != "cancelled" && range.day(&order["placed_at"]).is_some();
    for order in facts.orders.iter().filter(counted) {
        let mut seen = BTreeSet::new();
        for item in order["items"].as_array().unwrap().iter().rev() {
            let key = (text(item, "sku").to_owned(), text(order, "currency").to_owned());
            // Orders come newest first, so the first name is the newest.
            let (_, sums) = sold.entry(key).or_insert_with(|| (text(item, "name").to_owned(), [0; 3]));
            sums[0] += number(item, "quantity");
            sums[1] += i64::from(seen.insert(text(item, "sku")));
            sums[2] += number(item, "total_amount");
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

async fn compare(analyst: &Client, facts: &Facts, range: &Range<'_>) {
    let query = range.query();
    for basis in ["cash", "booked"] {
        let found = analyst.get(&format!("/v1/analytics/daily?{query}&basis={basis}")).await.ok();
        assert_eq!(found["data"], json!(daily(facts, range, basis)), "daily {query} {basis}");
        let rows = analyst.walk(&format!("/v1/analytics/revenue-by-user?{query}&basis={basis}&limit=4")).await;
        let members = ["orders", "gross_amount", "refunded_amount", "cancelled_amount", "net_amount"];
        let row = |row: &Value| {
            let key = (row["user_id"].to_string(), text(row, "currency").to_owned());
            (key, members.map(|member| number(row, member)))
        };
        assert!(rows.is_sorted_by_key(|row| -number(row, "net_amount")), "{query} {basis}");
        let found: BTreeMap<_, _> = rows.iter().map(row).collect();
        assert_eq!((rows.len(), &found), (found.len(), &revenue(facts, range, basis)), "revenue {query} {basis}");
    }
    let found = analyst.get(&format!("/v1/analytics/status-counts?{query}")).await.ok();
    let row = |row: &Value| {
        let key = ["status", "payment_status", "currency"].map(|member| text(row, member).to_owned());
        (key, [number(row, "orders"), number(row, "total_amount")])
    };
    let found: BTreeMap<_, _> = found["data"].as_array().unwrap().iter().map(row).collect();
    assert_eq!(found, statuses(facts, range), "status counts {query}");
    let expected = top_items(facts, range);
    let found = analyst.get(&format!("/v1/analytics/top-items?{query}&limit=200")).await.ok();
    assert_eq!(found["data"], json!(expected), "top items {query}");
    let few = analyst.get(&format!("/v1/analytics/top-items?{query}&limit=3")).await.ok();
    assert_eq!(few["data"], json!(expected[..expected.len().min(3)]), "top items {query}");
}

/// Compares the whole range, and each of the nights.
async fn compare_all(analyst: &Client, facts: &Facts, zone: &str) {
    compare(analyst, facts, &Range::new(zone, "2026-09-20", "2027-04-10")).await;
    for night in NIGHTS {
        let next: Date = night.parse::<Date>().unwrap().tomorrow().unwrap();
        compare(analyst, facts, &Range::new(zone, night, &next.to_string())).await;
    }
}

#[tokio::test]
async fn reports_are_exact_in_every_zone_and_when_clocks_change() {
    let mut world = World::start().await;
    world.place_and_change(orders_to_make() / 2).await;
    // Closing folds the log. So the first half is in the sums, and the second half in the log.
    world.service.reopen().await;
    world.place_and_change(orders_to_make() / 2).await;
    let (facts, analyst) = (Facts::read(&world.shop).await, world.shop.clone());
    for zone in ZONES {
        compare_all(&analyst, &facts, zone).await;
    }
    world.service.reopen().await;
    compare_all(&analyst, &facts, "Asia/Kathmandu").await;
}

/// Revenue by user in every order, and top items.
async fn rankings(analyst: &Client, range: &Range<'_>) -> Vec<Value> {
    let mut found = vec![];
    for sort in ["-net_amount", "net_amount", "-gross_amount", "gross_amount", "-orders", "orders"] {
        for basis in ["cash", "booked"] {
            let path = format!("/v1/analytics/revenue-by-user?{}&sort={sort}&basis={basis}&limit=3", range.query());
            found.push(analyst.walk(&path).await.into());
        }
    }
    let items = analyst.get(&format!("/v1/analytics/top-items?{}", range.query())).await.ok();
    found.push(items["data"].clone());
    found
}

#[tokio::test]
async fn cached_rankings_are_exact() {
    let mut world = World::start().await;
    let (analyst, newcomer) = (world.shop.clone(), world.service.manager().await.id);
    let whole = Range::new("Asia/Kathmandu", "2026-09-20", "2027-04-10");
    let night = Range::new("Europe/Berlin", "2026-10-25", "2026-10-25");
    for _ in 0..5 {
        world.place_and_change(NIGHTS.len()).await;
        let facts = Facts::read(&analyst).await;
        compare(&analyst, &facts, &whole).await;
        compare(&analyst, &facts, &night).await;
    }
    // Reads reports while orders come in: of a new user, and so many that the log is folded.
    let folds = || {
        let file = Connection::open(world.service.path()).unwrap();
        file.query_row("SELECT min(seq) FROM rollup_folds", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let before = folds();
    for round in 0..2 {
        let line = |i| {
            let item = |j| json!({"sku": format!("{round}-{i}-{j}"), "name": "Many", "quantity": j, "unit_amount": i});
            json!({"external_ref": format!("{round}-{i}"), "currency": "EUR", "items": (1..=20).map(item).collect::<Vec<_>>()}).to_string()
        };
        let lines: Vec<_> = (0..400).map(line).collect();
        let tea = json!({"sku": "tea", "name": "Tea", "quantity": 1, "unit_amount": 1});
        let (_, imported, placed) = tokio::join!(
            rankings(&analyst, &whole),
            analyst.call(Method::POST, "/v1/orders/import").body("application/x-ndjson", lines.join("\n")),
            analyst.places(json!({"currency": "KWD", "items": [tea], "user_id": newcomer})),
        );
        assert_eq!(imported.ok().text().matches("\"created\"").count(), 400);
        placed.created();
        rankings(&analyst, &night).await;
    }
    assert!(folds() > before);
    let cached = [rankings(&analyst, &whole).await, rankings(&analyst, &night).await];
    world.service.reopen().await;
    assert_eq!(cached, [rankings(&analyst, &whole).await, rankings(&analyst, &night).await]);
}

#[tokio::test]
async fn a_new_user_is_in_the_next_report() {
    let service = Service::start().await;
    let (manager, path) =
        (service.manager().await, "/v1/analytics/revenue-by-user?from=2026-06-01&to=2026-06-30&basis=booked");
    for (users, client) in
        [service.customer().await, service.other_customer().await, service.staff().await].iter().enumerate()
    {
        assert_eq!(manager.get(path).await.ok()["data"].as_array().unwrap().len(), users);
        let order =
            json!({"currency": "EUR", "items": [{"sku": "tea", "name": "Tea", "quantity": 1, "unit_amount": users}]});
        client.places(order).await.created();
    }
}

#[tokio::test]
async fn the_days_add_up_to_the_range() {
    let mut world = World::start().await;
    world.place_and_change(24).await;
    let analyst = &world.shop;
    for zone in ZONES {
        let query = format!("from=2026-10-01&to=2027-04-10&tz={zone}&basis=booked&currency=EUR");
        let days = analyst.get(&format!("/v1/analytics/daily?{query}")).await.ok();
        let users = analyst.walk(&format!("/v1/analytics/revenue-by-user?{query}")).await;
        let sum = |rows: &[Value], member: &str| rows.iter().map(|row| number(row, member)).sum::<i64>();
        let days = days["data"].as_array().unwrap();
        assert_eq!(days.len(), 192, "{zone}: days without orders have rows too");
        for member in ["gross_amount", "cancelled_amount", "net_amount"] {
            assert_eq!(sum(days, member), sum(&users, member), "{zone} {member}");
        }
        assert_eq!(sum(days, "orders_placed"), sum(&users, "orders"), "{zone}");
    }
}

#[tokio::test]
async fn sums_beyond_64_bits_are_exact() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let (orders, most) = (1_100, (1_i64 << 53) - 1);
    let line = |i| json!({"external_ref": format!("r{i}"), "currency": "EUR", "items": [{"sku": "tea", "name": "Tea", "quantity": 1, "unit_amount": most}]});
    let lines: Vec<_> = (0..orders).map(|i| line(i).to_string()).collect();
    manager.call(Method::POST, "/v1/orders/import").body("application/x-ndjson", lines.join("\n")).await.ok();
    let sum = i128::from(most) * orders;
    assert!(sum > i128::from(i64::MAX));
    // First with some of the orders in the log, then with all of them in the sums.
    for _ in 0..2 {
        for report in ["daily?basis=booked&", "revenue-by-user?basis=booked&", "status-counts?", "top-items?"] {
            let path = format!("/v1/analytics/{report}from=2026-06-01&to=2026-06-30");
            let answer = manager.get(&path).await.ok();
            assert!(answer.text().contains(&format!("_amount\":{sum}")), "{report}: {}", answer.text());
            assert!(manager.get(&path).header("accept", "text/csv").await.ok().text().contains(&format!(",{sum}")));
            manager.get(&path).header("accept", "image/svg+xml").await.ok();
        }
        let reconciled = manager.get("/v1/analytics/reconcile").await.ok();
        assert!(reconciled["ok"] == true && reconciled.text().contains(&format!("\"booked_amount\":{sum}")));
        service.reopen().await;
    }
}
