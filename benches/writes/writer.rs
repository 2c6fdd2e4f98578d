//! Orders through the use case, the store and its writer: all of an order but HTTP.

use crate::{Outcome, TIME, Tally};
use orderd::{
    app::{App, Surroundings},
    auth::Actor,
    config::{self, Flag, Sources},
    domain::{
        money::{Currency, TaxRate},
        order::{OrderDraft, OrderStatus},
        pricing::{Line, Tax, price},
    },
    service::{
        exactly_once::Attempt,
        orders::{NewOrder, create},
    },
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, task::JoinSet};

/// Lines of each order.
pub const LINES: i64 = 3;

/// Makes a database with one order at `path` and says where it is.
pub fn one_order(path: &Path) -> Outcome<PathBuf> {
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let app = open(path)?;
        create(&app, Actor::system("bench"), attempt("the-one".to_owned()), order()?).await?;
        app.store.close().await;
        Ok(path.to_owned())
    })
}

/// Places orders at `path`, `at_once` of them at a time, each of them the next when the last is answered.
pub fn place_orders(path: &Path, at_once: usize) -> Outcome<Tally> {
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let app = open(path)?;
        let (begun, new) = (Instant::now(), order()?);
        let mut clients: JoinSet<orderd::error::Result<u32>> = JoinSet::new();
        for client in 0..at_once {
            let (app, new) = (app.clone(), new.clone());
            clients.spawn(async move {
                let mut random = fastrand::Rng::with_seed(client as u64);
                let mut answered = 0;
                while begun.elapsed() < TIME {
                    let key = format!("{:032x}", random.u128(..));
                    create(&app, Actor::system("bench"), attempt(key), new.clone()).await?;
                    answered += 1;
                }
                Ok(answered)
            });
        }
        let mut orders = 0;
        while let Some(client) = clients.join_next().await {
            orders += client??;
        }
        let tally = Tally { orders, time: begun.elapsed() };
        app.store.close().await;
        Ok(tally)
    })
}

fn open(path: &Path) -> Outcome<App> {
    let flags = vec![Flag::new("--db", "db.path", &path.display().to_string())];
    let loaded = config::load(Sources { flags, ..Sources::default() }).map_err(|faults| faults.join("\n"))?;
    Ok(App::open(loaded.config, Surroundings::system()?).map_err(|e| e.to_string())?)
}

fn attempt(key: String) -> Attempt {
    let (method, path) = ("POST".to_owned(), "/v1/orders".to_owned());
    Attempt { key: Some(key), fingerprint: [7; 32], method, path, retention: Duration::from_hours(24) }
}

fn order() -> Outcome<NewOrder> {
    let rate = TaxRate::parse("8.875").ok_or("a tax rate")?;
    let line = |n| Line {
        sku: format!("TEA-{n}"),
        name: "Sencha 250 g".to_owned(),
        quantity: 2,
        unit_amount: 1250,
        discount_amount: 0,
        tax: Tax::Rate(rate.clone()),
    };
    let lines: Vec<_> = (0..LINES).map(line).collect();
    let (line_totals, totals) = price(&lines, &[], 0).map_err(orderd::error::Error::invalid)?;
    let draft = OrderDraft {
        currency: Currency::parse("EUR").ok_or("a currency")?,
        lines: lines.into_iter().zip(line_totals).collect(),
        fees: vec![],
        order_discount_amount: 0,
        totals,
        external_ref: None,
        customer: None,
        note: None,
        metadata: BTreeMap::new(),
    };
    Ok(NewOrder { draft, user_id: None, status: OrderStatus::Pending })
}
