//! Demo data for trying things out and for measuring: users, and orders with payments, refunds and cancellations.
//!
//! They are created by the functions that serve requests, each at its own time in the past. So demo data obeys every
//! rule, with numbers, hash chains, audit trail and rollups. A transaction has many orders, because no client waits for
//! a single one. The modules below decide what is ordered, by whom, and what happens to it.

mod goods;
mod people;
mod season;
mod timeline;

use super::{
    idempotency::IdempotentRequest,
    orders,
    transactions::{self, NewReturn, NewTransaction, Resolution},
    users::{self, NewUser, UserDraft},
};
use crate::{
    app::{App, StartError, Surroundings},
    auth::{Actor, Principal, password::Owner, policy, secret},
    config::{Config, Durability},
    domain::{
        id::{Ids, UserId},
        order::{Order, Transition},
        outcome::{Outcome, Resource},
        time::{Clock, Timestamp},
        transaction::{Kind, TransactionStatus},
        user::Email,
    },
    error::{Error, Field, Result},
    store::{WriteTx, events, transactions as rows, users as user_rows},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use timeline::{Action, Step, Timeline};

/// Steps in one transaction. The more there are, the more of them share rows of the rollups.
const BATCH: usize = 2_000;
/// The role of customers.
const CUSTOMER: &str = "customer";

/// What to create. The same plan creates the same rows, except for the password hashes of users.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The number of orders.
    pub orders: usize,
    /// The number of days that the orders are spread over.
    pub days: u32,
    /// The end of the last day.
    pub until: Timestamp,
    /// The number of customers with an account, besides the demo customer.
    pub accounts: usize,
    /// The seed of everything random.
    pub seed: u64,
}

impl Plan {
    /// The start of the first day.
    fn from(&self) -> Timestamp {
        self.until.minus(Duration::from_hours(24 * u64::from(self.days)))
    }
}

/// A user for trying things out.
pub struct DemoUser {
    /// The name of the role.
    pub role: &'static str,
    /// The address to log in with.
    pub email: String,
    /// The password. It is stored nowhere else in plain text.
    pub password: zeroize::Zeroizing<String>,
}

/// Opens the database to be filled; its clock stands at the start of the plan. Commits are not synced one by one, since
/// closing the store syncs all of them.
pub fn open(config: &Config, plan: &Plan) -> Result<App, StartError> {
    let mut config = config.clone();
    config.db.durability = Durability::Normal;
    config.server.request_timeout = Duration::ZERO;
    let from = plan.from();
    let clock = Clock::from_fn(move || from);
    App::open(config, Surroundings { clock, ids: Ids::seeded(plan.seed), ..Surroundings::system()? })
}

/// Whether the database has neither users nor events.
pub async fn is_empty(app: &App) -> Result<bool> {
    app.store.read("demo.empty", |tx| Ok(!user_rows::any(tx)? && events::last(tx)? == 0)).await
}

/// Fills an empty database. Calls `progress` after each transaction with the number of orders placed so far.
pub async fn fill(app: &App, plan: &Plan, progress: impl FnMut(usize)) -> Result<Vec<DemoUser>> {
    let system = Actor::system("demo");
    let (users, best_customer) = fill_users(app, &system).await?;
    let mut accounts: Vec<UserId> = best_customer.into_iter().collect();
    accounts.append(&mut open_accounts(app, &system, plan.accounts).await?);
    fill_orders(app, system, Timeline::new(plan, accounts)?, progress).await?;
    Ok(users)
}

/// Creates a user for each role. Returns them, and the identifier of the customer.
async fn fill_users(app: &App, system: &Actor) -> Result<(Vec<DemoUser>, Option<UserId>)> {
    let (mut created, mut customer) = (vec![], None);
    for &(role, _) in policy::BUILT_IN {
        let (email, password) = (format!("{role}@demo.example.com"), secret::readable_password()?);
        let name = format!("Demo {role}");
        let new =
            NewUser { email: email.clone(), name, role: role.to_owned(), password: Some(password.as_str().into()) };
        let effect = users::create(app, system.clone(), IdempotentRequest::once(), new).await?;
        if role == CUSTOMER
            && let Outcome::Created(Resource::User(id)) = effect.outcome
        {
            customer = Some(id);
        }
        created.push(DemoUser { role, email, password });
    }
    Ok((created, customer))
}

/// Creates accounts for customers. All have one random password that is not kept; it is hashed once, since hashing is
/// slow on purpose.
async fn open_accounts(app: &App, system: &Actor, count: usize) -> Result<Vec<UserId>> {
    let nobody = Owner { email: "", name: "" };
    let password = app.password_rules.check(&secret::readable_password()?, nobody, Field::Password);
    let hash: Arc<str> = app.hasher.hash(password.map_err(Error::invalid)?).await?.into();
    let mut created = Vec::with_capacity(count);
    while created.len() < count {
        let range = created.len() + 1..=count.min(created.len() + BATCH);
        let (system, hash) = (system.clone(), Arc::clone(&hash));
        let open = move |tx: &WriteTx<'_>| {
            range.clone().map(|number| open_account(tx, &system, number, &hash)).collect::<Result<Vec<_>>>()
        };
        created.append(&mut app.store.write("demo.accounts", open).await?);
    }
    Ok(created)
}

fn open_account(tx: &WriteTx<'_>, system: &Actor, number: usize, hash: &str) -> Result<UserId> {
    let (name, address) = people::person(number);
    let email = Email::parse(&address).ok_or_else(|| Error::internal("an invalid demo address"))?;
    let draft = UserDraft { email, name, role: CUSTOMER.to_owned(), password_hash: Some(hash.to_owned()) };
    users::insert(tx, system, &draft, "users.create").map(|user| user.id)
}

async fn fill_orders(app: &App, system: Actor, mut timeline: Timeline, mut progress: impl FnMut(usize)) -> Result<()> {
    let (mut open, mut placed) = (HashMap::new(), 0);
    loop {
        let steps: Vec<Step> = timeline.by_ref().take(BATCH).collect::<Result<_>>()?;
        if steps.is_empty() {
            return Ok(());
        }
        placed += steps.iter().filter(|step| matches!(step.action, Action::Place(_))).count();
        let finished: Vec<usize> = steps.iter().filter(|step| step.last).map(|step| step.order).collect();
        let known: HashMap<usize, Order> =
            steps.iter().filter_map(|step| Some((step.order, open.remove(&step.order)?))).collect();
        let actor = system.clone();
        // The store may run the closure again, so each run starts from its own copy.
        let after = app.store.write("demo.orders", move |tx| play(tx, &actor, &steps, known.clone())).await?;
        open.extend(after);
        for order in finished {
            open.remove(&order);
        }
        progress(placed);
    }
}

/// Carries out `steps` on `orders`, each step at its own time. Returns the orders as they are afterwards.
fn play(
    tx: &WriteTx<'_>,
    actor: &Actor,
    steps: &[Step],
    mut orders: HashMap<usize, Order>,
) -> Result<HashMap<usize, Order>> {
    for step in steps {
        let tx = tx.later(step.at);
        let after = match (&step.action, orders.remove(&step.order)) {
            (Action::Place(new), _) => {
                orders::insert(&tx, &buyer(actor, new.owner.user()), new.owner.user(), new)?.order
            }
            (action, Some(order)) => carry_out(&tx, actor, order, action)?,
            (_, None) => return Err(Error::internal("a step of a demo order that was not placed")),
        };
        orders.insert(step.order, after);
    }
    Ok(orders)
}

/// The actor who places an order: the customer, if they have an account.
fn buyer(system: &Actor, account: Option<UserId>) -> Actor {
    let principal = account.map_or(system.principal, |id| Principal::User { id, session: None });
    Actor { principal, ..system.clone() }
}

fn carry_out(tx: &WriteTx<'_>, actor: &Actor, mut order: Order, action: &Action) -> Result<Order> {
    match action {
        Action::Place(_) => {}
        Action::Pay(amount) => add(tx, actor, &mut order, money(Kind::Payment, *amount))?,
        Action::Refund(amount) => add(tx, actor, &mut order, money(Kind::Refund, *amount))?,
        Action::ChargeBack(amount) => {
            let reason = Some("Chargeback".to_owned());
            let refund = money(Kind::Refund, *amount);
            add(tx, actor, &mut order, NewTransaction { credit_amount: Some(0), reason, ..refund })?;
        }
        Action::ReturnOne => {
            let returns = order.items.first().map(|item| NewReturn { item_id: item.id, quantity: 1 });
            let refund =
                NewTransaction { amount: None, returns: returns.into_iter().collect(), ..money(Kind::Refund, 0) };
            add(tx, actor, &mut order, refund)?;
        }
        Action::ReturnAll => {
            let returns = order.items.iter().map(|item| NewReturn { item_id: item.id, quantity: item.line.quantity });
            let (returns, total) = (returns.collect(), order.totals.total);
            // The credit is stated, so that it includes the shipping.
            let refund = NewTransaction { credit_amount: Some(total), returns, ..money(Kind::Refund, total) };
            add(tx, actor, &mut order, refund)?;
        }
        Action::Reverse(reason) => reverse_newest(tx, actor, &mut order, reason)?,
        Action::Confirm => order = orders::advance(tx, actor, &order, Transition::Confirm, None)?,
        Action::Fulfil => order = orders::advance(tx, actor, &order, Transition::Fulfil, None)?,
        Action::Cancel(reason) => {
            order = orders::advance(tx, actor, &order, Transition::Cancel, Some((*reason).to_owned()))?;
        }
    }
    Ok(order)
}

fn add(tx: &WriteTx<'_>, actor: &Actor, order: &mut Order, new: NewTransaction) -> Result<()> {
    transactions::add(tx, actor, order, &new).map(drop)
}

/// Reverses the newest transaction of the order.
fn reverse_newest(tx: &WriteTx<'_>, actor: &Actor, order: &mut Order, reason: &str) -> Result<()> {
    let status = TransactionStatus::Reversed;
    let reversal = Resolution { status, amount: None, reason: Some(reason.to_owned()), occurred_at: None };
    for (_, newest) in rows::of_order(tx, order.seq, i64::MAX, 1)? {
        transactions::change(tx, actor, order, &newest, &reversal)?;
    }
    Ok(())
}

fn money(kind: Kind, amount: i64) -> NewTransaction {
    NewTransaction { provider: Some("demo".to_owned()), ..NewTransaction::succeeded(kind, amount) }
}
