//! Shared by the benches: the application opened on a file as a server does it, an order, and clients that place it.
//! Not every bench uses all of it.

use orderd::{
    app::{App, Surroundings},
    auth::Actor,
    config::{self, Config, Flag, Sources},
    domain::{
        money::{Currency, TaxRate},
        order::{OrderDraft, OrderStatus},
        pricing::{Cart, Line, Tax, price},
    },
    service::{
        idempotency::IdempotentRequest,
        orders::{NewOrder, Owner, create},
    },
};
use std::{
    collections::BTreeMap,
    error::Error,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// The result of a bench.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Lines of each order.
pub const LINES: i64 = 3;
/// Different orders, which clients place over and over.
const ORDERS: i64 = 256;

/// A number of operations, and the time they took.
pub struct Throughput {
    pub done: u32,
    pub time: Duration,
}

impl Throughput {
    pub fn per_second(&self) -> f64 {
        f64::from(self.done) / self.time.as_secs_f64()
    }
}

/// The configuration of a server on the file at `path`.
pub fn settings(path: &Path) -> Outcome<Config> {
    let flags = vec![Flag::new("--db", "db.path", &path.display().to_string())];
    Ok(config::load(Sources { flags, ..Sources::default() }).map_err(|faults| faults.join("\n"))?.config)
}

/// The application on the file at `path`.
pub fn open(path: &Path) -> Outcome<App> {
    Ok(App::open(settings(path)?, Surroundings::system()?).map_err(|e| e.to_string())?)
}

/// An actor with every permission.
pub fn system() -> Actor {
    Actor::system("bench")
}

/// Places orders for `time` from `clients` clients. Each client places the next order when the last is answered.
pub async fn place_orders(app: &App, clients: usize, time: Duration) -> Outcome<Throughput> {
    let (started, orders) = (Instant::now(), Arc::new(orders()?));
    let mut running: JoinSet<orderd::error::Result<u32>> = JoinSet::new();
    for client in 0..clients {
        let (app, orders) = (app.clone(), Arc::clone(&orders));
        running.spawn(async move {
            let mut random = fastrand::Rng::with_seed(client as u64);
            let mut answered = 0;
            while started.elapsed() < time {
                let key = format!("{:032x}", random.u128(..));
                let new = orders[random.usize(..orders.len())].clone();
                create(&app, system(), request(key), new).await?;
                answered += 1;
            }
            Ok(answered)
        });
    }
    let mut done = 0;
    while let Some(client) = running.join_next().await {
        done += client??;
    }
    Ok(Throughput { done, time: started.elapsed() })
}

/// A request to place an order with this idempotency key.
pub fn request(key: String) -> IdempotentRequest {
    let (method, path) = ("POST".to_owned(), "/v1/orders".to_owned());
    IdempotentRequest { key: Some(key), fingerprint: [7; 32], method, path, retention: Duration::from_hours(24) }
}

/// Orders of [`LINES`] lines, no two with the same goods or total.
pub fn orders() -> Outcome<Vec<NewOrder>> {
    (0..ORDERS).map(order).collect()
}

fn order(n: i64) -> Outcome<NewOrder> {
    let rate = TaxRate::parse("8.875").ok_or("a tax rate")?;
    let line = |line| Line {
        sku: format!("TEA-{}", n * LINES + line),
        name: "Sencha 250 g".to_owned(),
        quantity: 2,
        unit_amount: 1250 + n,
        discount_amount: 0,
        tax: Tax::Rate(rate),
    };
    let lines: Vec<_> = (0..LINES).map(line).collect();
    let cart = Cart { prices_include_tax: false, lines: &lines, fees: &[], order_discount: 0 };
    let priced = price(&cart).map_err(orderd::error::Error::invalid)?;
    let draft = OrderDraft {
        currency: Currency::parse("EUR").ok_or("a currency")?,
        prices_include_tax: false,
        lines,
        fees: vec![],
        order_discount_amount: 0,
        priced,
        external_ref: None,
        customer: None,
        note: None,
        metadata: BTreeMap::new(),
    };
    Ok(NewOrder { draft, owner: Owner::Nobody, status: OrderStatus::Pending })
}

/// The numbers among the arguments, or `default` without any. Cargo adds other arguments.
pub fn sizes_or(default: &[usize]) -> Vec<usize> {
    let given: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    if given.is_empty() { default.to_vec() } else { given }
}

/// A percentile of `times`, in microseconds.
pub fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}
