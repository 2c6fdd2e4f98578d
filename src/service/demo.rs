//! Something to try things out on: a user for each role, and half a year of orders with payments, refunds and
//! cancellations. Everything is done by the use cases themselves, at the times that a clock in our hands shows, so that
//! the data keep every rule that real ones keep.

use super::{
    exactly_once::{Attempt, Reply},
    orders::{self, IfMatch, NewOrder, Refund},
    transactions::{self, NewTransaction},
    users::{self, NewUser},
};
use crate::{
    app::App,
    auth::{Actor, policy, secret},
    domain::{
        id::{Identifier, OrderId, UserId},
        money::{Currency, TaxRate},
        order::{Customer, OrderDraft, OrderStatus, Transition},
        pricing::{Fee, Line, Tax, price},
        time::{Clock, Timestamp},
        transaction::{Kind, TransactionStatus},
    },
    error::{Error, Result},
};
use futures_util::future::try_join_all;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// Over how many days the orders are spread.
const DAYS: i64 = 180;
/// Things done at once: they share a commit.
const AT_ONCE: usize = 64;
const DAY_MILLIS: i64 = 86_400_000;
const HOUR_MILLIS: i64 = 3_600_000;

/// A clock that shows what its hand is set to.
#[derive(Clone)]
pub struct Hand(Arc<AtomicI64>);

impl Hand {
    /// A clock and its hand, at `start`.
    pub fn new(start: Timestamp) -> (Self, Clock) {
        let hand = Self(Arc::new(AtomicI64::new(start.millis())));
        let shown = Arc::clone(&hand.0);
        (hand, Clock::from_fn(move || Timestamp::from_millis(shown.load(Ordering::Relaxed))))
    }

    fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }
}

/// A user to try things out as.
pub struct DemoUser {
    /// The name of their role.
    pub role: &'static str,
    /// What they log in with.
    pub email: String,
    /// Their password, shown this once.
    pub password: zeroize::Zeroizing<String>,
}

/// Fills an empty database with a user for each role and `count` orders of the days before `now`.
pub async fn fill(app: &App, hand: &Hand, now: Timestamp, count: usize) -> Result<Vec<DemoUser>> {
    let (users, customer) = fill_users(app).await?;
    fill_orders(app, hand, now, count, customer).await?;
    Ok(users)
}

/// A user for each role, and which of them is the customer.
async fn fill_users(app: &App) -> Result<(Vec<DemoUser>, Option<UserId>)> {
    let (mut made, mut customer) = (vec![], None);
    for &(role, _) in policy::BUILT_IN {
        let (email, password) = (format!("{role}@demo.example.com"), secret::readable_password()?);
        let new = NewUser {
            email: email.clone(),
            name: format!("Demo {role}"),
            role: role.to_owned(),
            password: password.as_str().into(),
        };
        let reply = users::create(app, Actor::system("demo"), Attempt::once(), new).await?;
        if role == "customer" {
            customer = made_at(&reply);
        }
        made.push(DemoUser { role, email, password });
    }
    Ok((made, customer))
}

/// The identifier of what was made.
fn made_at<I: Identifier>(reply: &Reply) -> Option<I> {
    I::parse(reply.location.as_deref()?.rsplit('/').next()?)
}

/// Something that happens to an order, at some time.
#[derive(Clone)]
struct Step {
    at: i64,
    order: usize,
    deed: Deed,
}

#[derive(Clone)]
enum Deed {
    Place(Box<NewOrder>),
    Pay(i64),
    Confirm,
    Fulfil,
    Refund(i64),
    Cancel,
}

/// Makes `count` orders of the days before `now`, busier by day, on weekends and towards the present.
async fn fill_orders(app: &App, hand: &Hand, now: Timestamp, count: usize, customer: Option<UserId>) -> Result<()> {
    let mut random = fastrand::Rng::with_seed(0x6f72_6465_7264);
    let mut times: Vec<i64> = (0..count).map(|_| moment(&mut random, now.millis())).collect();
    times.sort_unstable();
    let mut steps = vec![];
    for (order, at) in times.into_iter().enumerate() {
        let new = order_at(&mut random, customer)?;
        life(&mut random, order, at, new, &mut steps);
    }
    steps.retain(|step| step.at < now.millis());
    steps.sort_by_key(|step| (step.at, step.order));
    let mut made: Vec<Option<OrderId>> = vec![None; count];
    let system = Actor::system("demo");
    for together in chunks(steps) {
        hand.set(together.first().map_or(0, |step| step.at));
        let done = try_join_all(together.iter().map(|step| take(app, &system, step, &made))).await?;
        for (order, id) in done {
            made[order] = Some(id);
        }
    }
    hand.set(now.millis());
    Ok(())
}

/// Steps that can be taken at once: no two of the same order.
fn chunks(steps: Vec<Step>) -> Vec<Vec<Step>> {
    let mut chunks: Vec<Vec<Step>> = vec![vec![]];
    for step in steps {
        let last = chunks.last().is_some_and(|c| c.len() < AT_ONCE && c.iter().all(|s| s.order != step.order));
        if !last {
            chunks.push(vec![]);
        }
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(step);
        }
    }
    chunks
}

async fn take(app: &App, system: &Actor, step: &Step, made: &[Option<OrderId>]) -> Result<(usize, OrderId)> {
    let actor = system.clone();
    let id = made[step.order];
    let existing = || id.ok_or_else(|| Error::internal("a demo order that is not there yet"));
    match &step.deed {
        Deed::Place(new) => {
            let reply = orders::create(app, actor, Attempt::once(), (**new).clone()).await?;
            let id = made_at(&reply).ok_or_else(|| Error::internal("an order without a location"))?;
            return Ok((step.order, id));
        }
        Deed::Pay(amount) => {
            transactions::record(app, actor, Attempt::once(), existing()?, money(Kind::Payment, *amount)).await?;
        }
        Deed::Refund(amount) => {
            transactions::record(app, actor, Attempt::once(), existing()?, money(Kind::Refund, *amount)).await?;
        }
        Deed::Confirm => {
            orders::transition(app, actor, Attempt::once(), (existing()?, IfMatch::Any), Transition::Confirm).await?;
        }
        Deed::Fulfil => {
            orders::transition(app, actor, Attempt::once(), (existing()?, IfMatch::Any), Transition::Fulfil).await?;
        }
        Deed::Cancel => {
            let words = (Some("Changed my mind".to_owned()), Some(Refund::Full));
            orders::cancel(app, actor, Attempt::once(), (existing()?, IfMatch::Any), words).await?;
        }
    }
    Ok((step.order, existing()?))
}

fn money(kind: Kind, amount: i64) -> NewTransaction {
    NewTransaction {
        kind,
        status: TransactionStatus::Succeeded,
        amount,
        provider: Some("demo".to_owned()),
        provider_ref: None,
        payment_id: None,
        reason: None,
        occurred_at: None,
    }
}

/// A time of the last [`DAYS`] days, likelier late than early, at weekends, and between 8 and 22 o'clock UTC.
fn moment(random: &mut fastrand::Rng, now: i64) -> i64 {
    loop {
        let oldest = random.i64(DAYS / 3..DAYS);
        let age = random.i64(0..=oldest);
        let hour = 8 + random.i64(0..14);
        let at = now - now.rem_euclid(DAY_MILLIS) - age * DAY_MILLIS + hour * HOUR_MILLIS + random.i64(0..HOUR_MILLIS);
        let weekend = (at.div_euclid(DAY_MILLIS) + 4) % 7 % 6 == 0;
        if at < now && (weekend || random.u8(0..100) < 75) {
            return at;
        }
    }
}

/// What becomes of an order: most are paid and delivered, some are called off, some partly given back.
fn life(random: &mut fastrand::Rng, order: usize, at: i64, new: NewOrder, steps: &mut Vec<Step>) {
    let total = new.draft.totals.total;
    steps.push(Step { at, order, deed: Deed::Place(Box::new(new)) });
    let mut later = at;
    let mut then = |random: &mut fastrand::Rng, hours: i64, deed| {
        later += random.i64(60_000..hours * HOUR_MILLIS);
        steps.push(Step { at: later, order, deed });
    };
    let fate = random.u8(0..100);
    if fate < 4 || total == 0 {
        return;
    }
    if fate < 8 {
        then(random, 24, Deed::Cancel);
        return;
    }
    then(random, 2, Deed::Pay(total));
    if fate < 11 {
        then(random, 24, Deed::Cancel);
        return;
    }
    then(random, 24, Deed::Confirm);
    if fate < 15 {
        return;
    }
    then(random, 72, Deed::Fulfil);
    if fate < 20 {
        then(random, 240, Deed::Refund(total));
    } else if fate < 26 {
        then(random, 240, Deed::Refund(1 + total / 4));
    }
}

/// SKU, name and price in the smallest unit of a currency with two decimals.
const GOODS: &[(&str, &str, i64)] = &[
    ("TEA-SEN-250", "Sencha 250 g", 1250),
    ("TEA-GYO-100", "Gyokuro 100 g", 2890),
    ("TEA-ASS-500", "Assam 500 g", 1640),
    ("TEA-EGR-250", "Earl Grey 250 g", 990),
    ("TEA-ROO-250", "Rooibos 250 g", 850),
    ("COF-ETH-1000", "Yirgacheffe 1 kg", 3190),
    ("COF-COL-500", "Huila 500 g", 1490),
    ("COF-DEC-500", "Decaf 500 g", 1590),
    ("POT-CAST-08", "Cast-iron pot 0.8 l", 6900),
    ("POT-GLAS-12", "Glass pot 1.2 l", 2490),
    ("CUP-PORC-02", "Porcelain cups, pair", 1890),
    ("MIL-HAND-01", "Hand mill", 8900),
    ("KET-GOOS-10", "Gooseneck kettle", 5990),
    ("FIL-PAP-100", "Paper filters, 100", 490),
    ("SCA-DIGI-02", "Digital scale", 3490),
];

fn order_at(random: &mut fastrand::Rng, customer: Option<UserId>) -> Result<NewOrder> {
    let (code, rate, factor) = match random.u8(0..10) {
        0..5 => ("EUR", "19", 100),
        5..9 => ("USD", "8.875", 110),
        _ => ("JPY", "10", 160),
    };
    let lines: Vec<Line> = (0..random.usize(1..5))
        .map(|_| {
            let (sku, name, base) = GOODS[random.usize(0..GOODS.len())];
            Line {
                sku: sku.to_owned(),
                name: name.to_owned(),
                quantity: random.i64(1..4),
                unit_amount: base * factor / 100,
                discount_amount: if random.u8(0..10) == 0 { base / 10 } else { 0 },
                tax: TaxRate::parse(rate).map_or(Tax::Amount(0), Tax::Rate),
            }
        })
        .collect();
    let fees = if random.bool() { vec![Fee { name: "Shipping".to_owned(), amount: 499 }] } else { vec![] };
    let (line_totals, totals) = price(&lines, &fees, 0).map_err(Error::invalid)?;
    let guest = random.u32(1..400);
    let customer_view = Customer {
        name: Some(format!("Guest {guest}")),
        email: Some(format!("guest{guest}@example.com")),
        ..Customer::default()
    };
    Ok(NewOrder {
        draft: OrderDraft {
            currency: Currency::parse(code).ok_or_else(|| Error::internal("a demo currency"))?,
            lines: lines.into_iter().zip(line_totals).collect(),
            fees,
            order_discount_amount: 0,
            totals,
            external_ref: None,
            customer: Some(customer_view),
            note: None,
            metadata: BTreeMap::from([("channel".to_owned(), ["web", "shop", "phone"][random.usize(0..3)].to_owned())]),
        },
        user_id: customer.filter(|_| random.u8(0..10) < 3),
        status: OrderStatus::Pending,
    })
}

/// How long before now the demo begins.
pub const SPAN: Duration = Duration::from_hours(24 * (DAYS as u64 + 1));
