//! Random orders and changes of them, around the nights in which clocks change.

use crate::support::{Answer, Client, Service};
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Nights in which the clocks change in Lord Howe (by half an hour), Berlin and New York, in both directions.
pub const NIGHTS: [&str; 6] = ["2026-10-03", "2026-10-24", "2026-10-31", "2027-03-13", "2027-03-27", "2027-04-03"];
const SKUS: [&str; 7] = ["tea", "cup", "pot", "spoon", "tray", "kettle", "sieve"];
const CURRENCIES: [&str; 3] = ["EUR", "JPY", "KWD"];
const RATES: [&str; 4] = ["19", "7", "8.875", "0"];
const HOUR_MILLIS: i64 = 3_600_000;

pub struct World {
    pub service: Service,
    random: Rng,
    /// A client with an API key, which does not expire while months pass.
    pub shop: Client,
    /// The users of orders; null for orders without a user.
    buyers: [Value; 3],
    orders: Vec<String>,
}

impl World {
    pub async fn start() -> Self {
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

    fn tax(&mut self, body: &mut Value) {
        match self.random.usize(..=RATES.len()) {
            rate if rate < RATES.len() => body["tax_rate"] = RATES[rate].into(),
            _ => body["tax_amount"] = self.random.i64(0..90).into(),
        }
    }

    fn items(&mut self) -> Value {
        let item = |world: &mut Self| {
            let sku = SKUS[world.random.usize(..SKUS.len())];
            let name = format!("{sku} {}", world.random.u8(..4));
            let (quantity, unit) = (world.random.i64(1..5), world.random.i64(100..50_000));
            let mut item = json!({"sku": sku, "name": name, "quantity": quantity, "unit_amount": unit});
            world.tax(&mut item);
            item
        };
        (0..self.random.usize(1..5)).map(|_| item(self)).collect()
    }

    async fn place(&mut self) {
        let currency = CURRENCIES[self.random.usize(..CURRENCIES.len())];
        let mut body = json!({"currency": currency, "items": self.items(), "draft": self.random.u8(..10) == 0});
        body["prices_include_tax"] = self.random.bool().into();
        body["order_discount_amount"] = self.random.i64(0..100).into();
        if self.random.bool() {
            let mut fee = json!({"name": "Shipping", "amount": self.random.i64(90..900)});
            self.tax(&mut fee);
            body["fees"] = json!([fee]);
        }
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
        let answer = match self.random.u8(..14) {
            0 => self.shop.moves(&order, "place").await,
            1 => self.shop.moves(&order, "confirm").await,
            2 | 3 => {
                let refund = ["full", "none"][self.random.usize(..2)];
                self.shop.post(&format!("{path}/cancel"), json!({"refund": refund})).await
            }
            4 => {
                let items = self.items();
                self.shop.patch(&path, json!({"items": items})).await
            }
            5 => self.shop.patch(&path, json!({"user_id": self.buyers[self.random.usize(..2)]})).await,
            6 => self.refund(&order, json!({"amount": amount / 3 + 1})).await,
            7 => self.refund(&order, json!({"amount": amount % 2, "credit_amount": amount / 5})).await,
            8 | 9 => match self.return_of(&path).await {
                Some(items) => self.refund(&order, json!({"items": items})).await,
                None => return,
            },
            10 | 11 => match self.reversal(&path).await {
                Some(answer) => answer,
                None => return,
            },
            _ => self.pay(&order, amount).await,
        };
        assert!(answer.code() < 500, "{answer}");
    }

    /// Pays up to 200 hours ago; now and then what is pending until it succeeds for less, or fails.
    async fn pay(&mut self, order: &str, amount: i64) -> Answer {
        let earlier = self.service.now().millis() - self.random.i64(0..200 * HOUR_MILLIS);
        let occurred_at = Timestamp::from_millisecond(earlier).unwrap().to_string();
        let mut body = json!({"amount": amount, "occurred_at": occurred_at});
        if self.random.u8(..4) > 0 {
            return self.shop.pays(order, body).await;
        }
        body["status"] = "pending".into();
        let paid = self.shop.pays(order, body).await;
        if paid.code() != 201 {
            return paid;
        }
        let change = [json!({"status": "succeeded", "amount": amount / 2 + 1}), json!({"status": "failed"})];
        let change = change[self.random.usize(..2)].clone();
        self.shop.patch(&format!("/v1/transactions/{}", paid.id()), change).await
    }

    /// Refunds at once, or in two steps, or leaves the refund pending.
    async fn refund(&mut self, order: &str, mut body: Value) -> Answer {
        let status = ["succeeded", "succeeded", "pending", "failed", "left"][self.random.usize(..5)];
        if status != "succeeded" {
            body["status"] = "pending".into();
        }
        let refund = self.shop.refunds(order, body).await;
        if refund.code() != 201 || status == "left" {
            return refund;
        }
        let last = if status == "pending" { "succeeded" } else { status };
        self.shop.patch(&format!("/v1/transactions/{}", refund.id()), json!({"status": last})).await
    }

    /// Some of the goods of an order.
    async fn return_of(&mut self, path: &str) -> Option<Value> {
        let order = self.shop.get(path).await.ok().json().clone();
        let item = &order["items"][self.random.usize(..order["items"].as_array()?.len())];
        let left = item["quantity"].as_i64()? - item["returned_quantity"].as_i64()?;
        let quantity = if left > 1 { self.random.i64(1..=left) } else { 1 };
        Some(json!([{"item_id": item["id"], "quantity": quantity}]))
    }

    /// Reverses a random transaction of an order, up to 20 hours ahead.
    async fn reversal(&mut self, path: &str) -> Option<Answer> {
        let transactions = self.shop.walk(&format!("{path}/transactions")).await;
        let succeeded: Vec<_> = transactions.iter().filter(|one| one["status"] == "succeeded").collect();
        let id = succeeded.get(self.random.usize(..succeeded.len().max(1)))?["id"].as_str()?;
        let at = self.service.now().millis() + self.random.i64(0..20 * HOUR_MILLIS);
        let mut body = json!({"status": "reversed"});
        if self.random.bool() {
            body["occurred_at"] = Timestamp::from_millisecond(at).unwrap().to_string().into();
        }
        Some(self.shop.patch(&format!("/v1/transactions/{id}"), body).await)
    }

    pub async fn place_and_change(&mut self, orders: usize) {
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
                for _ in 0..3 {
                    self.change().await;
                }
            }
        }
    }
}
