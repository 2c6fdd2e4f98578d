//! The test oracle: what must hold after any fault. Clients write a journal before and after each request. When the
//! server is back, it is compared with the journal: (a) everything answered with 2xx exists once, as it was answered;
//! (b) requests without a response are sent again with the same key and take effect exactly once; (c) refused requests
//! have had no effect; (d) `orderd verify` finds no fault; (e) every 5xx was a 503 problem with `Retry-After`.

use crate::{
    server::{Answer, Client, Server},
    support::TestDir,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{JoinHandle, spawn},
};

#[derive(Clone, Debug)]
enum Outcome {
    /// Answered 2xx with this document.
    Done(u16, Value),
    /// Refused, so it must not have had any effect.
    Refused(Value),
    /// No response, or one with the code `outcome_unknown`.
    Unknown,
}

/// A request with its own idempotency key.
#[derive(Clone, Debug)]
struct Entry {
    key: String,
    request: String,
    body: Value,
    outcome: Outcome,
}

/// The state of an order according to the journal.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    external_ref: String,
    total: i64,
    paid: i64,
    refunded: i64,
}

/// The journal of all clients.
pub struct Oracle {
    file: Mutex<File>,
    open: Mutex<Vec<Entry>>,
    orders: Mutex<BTreeMap<String, Expected>>,
    clients: AtomicUsize,
}

impl Oracle {
    /// Creates the journal beside the database.
    pub fn new(dir: &TestDir) -> Arc<Self> {
        let file = File::create(dir.path().join("journal")).unwrap();
        Arc::new(Self {
            file: Mutex::new(file),
            open: Mutex::default(),
            orders: Mutex::default(),
            clients: AtomicUsize::new(0),
        })
    }

    fn note(&self, line: &str) {
        writeln!(self.file.lock().unwrap(), "{line}").unwrap();
    }

    /// Sends a request and records its outcome. Returns the document if it was answered 2xx.
    fn send(&self, client: &Client, key: &str, request: &str, body: &Value) -> Option<Value> {
        self.note(&format!("before {key} {request} {body}"));
        let answer = client.send(request, &[("Idempotency-Key", key)], body);
        let outcome = answer.map_or(Outcome::Unknown, outcome_of);
        self.note(&format!("after {key} {outcome:?}"));
        let document = if let Outcome::Done(_, document) = &outcome { Some(document.clone()) } else { None };
        let entry = Entry { key: key.to_owned(), request: request.to_owned(), body: body.clone(), outcome };
        self.open.lock().unwrap().push(entry);
        document
    }

    /// Creates an order, pays it, refunds a part, and tries to refund too much. Returns `false` at the first request
    /// with an unexpected outcome.
    pub fn one_order(&self, client: &Client, name: &str) -> bool {
        let key = |step: &str| format!("{name}-{step}");
        let order = json!({"currency": "EUR", "external_ref": key("order"), "items": [
            {"sku": "tea", "name": "Tea", "quantity": 2, "unit_amount": 1250, "tax_rate": "8.875"}]});
        let Some(order) = self.send(client, &key("order"), "POST /v1/orders", &order) else { return false };
        let path = format!("POST /v1/orders/{}", order["id"].as_str().unwrap());
        let money = |key: &str, amount: i64| json!({"amount": amount, "provider": "till", "provider_ref": key});
        let pay = money(&key("pay"), order["total_amount"].as_i64().unwrap());
        let refund = money(&key("refund"), 700);
        let too_much = money(&key("too-much"), 1_000_000);
        let done = self.send(client, &key("pay"), &format!("{path}/payments"), &pay).is_some()
            && self.send(client, &key("refund"), &format!("{path}/refunds"), &refund).is_some();
        done && self.send(client, &key("too-much"), &format!("{path}/refunds"), &too_much).is_none()
    }

    /// Starts `count` clients that place one order after the other until a request fails or they are stopped.
    pub fn load(self: &Arc<Self>, client: &Client, count: usize) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let work = |_| {
            let (oracle, client, stop) = (Arc::clone(self), client.clone(), Arc::clone(&stop));
            let name = format!("client-{}", self.clients.fetch_add(1, Ordering::Relaxed));
            spawn(move || {
                let mut orders = (0_u32..).map(|i| oracle.one_order(&client, &format!("{name}-{i}")));
                orders.find(|done| !done || stop.load(Ordering::Relaxed));
            })
        };
        Load { clients: (0..count).map(work).collect(), stop }
    }

    /// How many requests were answered 2xx since the last comparison.
    pub fn done(&self) -> usize {
        self.open.lock().unwrap().iter().filter(|entry| matches!(entry.outcome, Outcome::Done(..))).count()
    }

    /// How many requests have an unknown outcome.
    pub fn unknown(&self) -> usize {
        self.open.lock().unwrap().iter().filter(|entry| matches!(entry.outcome, Outcome::Unknown)).count()
    }

    /// How many of the requests answered 2xx are unknown to the server.
    pub fn lost(&self, client: &Client) -> usize {
        let open = self.open.lock().unwrap();
        let done = open.iter().filter(|entry| matches!(entry.outcome, Outcome::Done(..)));
        done.filter(|entry| key_status(client, &entry.key) == 404).count()
    }

    /// Compares everything with `server`, which has `db` in `dir` open.
    pub fn holds(&self, server: &Server, dir: &TestDir, db: &str) {
        let admin = server.admin();
        for entry in std::mem::take(&mut *self.open.lock().unwrap()) {
            self.entry_holds(&admin, entry);
        }
        self.orders_hold(&admin);
        let verified = dir.run(&format!("verify --db {db}"));
        assert_eq!(verified.code, 0, "(d) {verified:?}");
    }

    fn entry_holds(&self, admin: &Client, entry: Entry) {
        let again = || admin.send(&entry.request, &[("Idempotency-Key", &entry.key)], &entry.body).unwrap();
        match &entry.outcome {
            Outcome::Done(status, document) => {
                let again = again();
                assert_eq!((again.status, &again.body), (*status, document), "(a) {entry:?}");
                assert_eq!(again.header("idempotent-replayed"), Some("true"), "(a) it exists: {entry:?}");
                self.expect(&entry, document);
            }
            Outcome::Unknown => {
                let again = again();
                if entry.key.ends_with("too-much") {
                    assert_eq!(again.status, 422, "(b) {entry:?}");
                } else {
                    assert_eq!(again.status, 201, "(b) {entry:?}: {again:?}");
                    self.expect(&entry, &again.body);
                }
            }
            Outcome::Refused(problem) => {
                assert_eq!(key_status(admin, &entry.key), 404, "(c) {entry:?}: {problem}");
            }
        }
    }

    /// Adds the effect of a request to the expected orders.
    fn expect(&self, entry: &Entry, document: &Value) {
        let (text, amount) = (|name: &str| document[name].as_str().unwrap().to_owned(), document["amount"].as_i64());
        let mut orders = self.orders.lock().unwrap();
        if let Some(amount) = amount {
            let order = orders.entry(text("order_id")).or_default();
            *(if text("kind") == "payment" { &mut order.paid } else { &mut order.refunded }) += amount;
        } else {
            let order = orders.entry(text("id")).or_default();
            order.external_ref.clone_from(&entry.key);
            order.total = document["total_amount"].as_i64().unwrap();
        }
    }

    /// Asserts that exactly the expected orders exist, with the expected sums, and that their numbers have no gaps.
    fn orders_hold(&self, admin: &Client) {
        let (mut found, mut numbers) = (BTreeMap::new(), BTreeSet::new());
        for order in all_orders(admin) {
            let (text, amount) =
                (|name: &str| order[name].as_str().unwrap().to_owned(), |name: &str| order[name].as_i64().unwrap());
            let sums = Expected {
                external_ref: text("external_ref"),
                total: amount("total_amount"),
                paid: amount("paid_amount"),
                refunded: amount("refunded_amount"),
            };
            assert!(found.insert(text("id"), sums).is_none(), "listed twice: {order}");
            numbers.insert(order["number"].as_u64().unwrap());
        }
        assert_eq!(*self.orders.lock().unwrap(), found, "(a), (b), (c): the existing orders");
        assert!(numbers.into_iter().eq(1..=u64::try_from(found.len()).unwrap()), "numbers have no gaps");
    }
}

/// Running clients.
pub struct Load {
    clients: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// Waits until all clients have ended, as they do when the server is gone.
    pub fn join(self) {
        self.clients.into_iter().for_each(|client| client.join().unwrap());
    }

    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.join();
    }
}

fn outcome_of(answer: Answer) -> Outcome {
    match answer.status {
        200..=299 => Outcome::Done(answer.status, answer.body),
        400..=499 => Outcome::Refused(answer.body),
        503 => {
            assert!(answer.header("retry-after").is_some(), "(e) {answer:?}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "(e) {answer:?}");
            if answer.body["code"] == "outcome_unknown" { Outcome::Unknown } else { Outcome::Refused(answer.body) }
        }
        _ => panic!("(e) {answer:?}"),
    }
}

fn key_status(client: &Client, key: &str) -> u16 {
    client.get(&format!("/v1/idempotency-keys/{key}")).status
}

/// All orders, newest first.
pub fn all_orders(client: &Client) -> Vec<Value> {
    let (mut all, mut path) = (vec![], "/v1/orders?limit=200".to_owned());
    loop {
        let page = client.get(&path).body;
        all.extend(page["data"].as_array().unwrap().iter().cloned());
        let Some(next) = page["page"]["next"].as_str() else { return all };
        path = format!("/v1/orders?limit=200&cursor={next}");
    }
}

/// The value of `ORDERD_SOAK`, which selects the long version of a test; `None` selects the short one.
pub fn soak() -> Option<usize> {
    let text = std::env::vars().find_map(|(name, value)| (name == "ORDERD_SOAK").then_some(value))?;
    Some(text.parse().unwrap_or_else(|e| panic!("ORDERD_SOAK: {e}")))
}

/// Prints a line that is shown even if the test passes.
pub fn say(text: std::fmt::Arguments<'_>) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}
