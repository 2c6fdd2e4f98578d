//! Something to try things out on, or to measure: users, and orders with payments, refunds and cancellations. They are
//! made by the functions that requests come to, each at its own time of the past, so that they keep every rule that real
//! ones keep: numbers, chains, audit and figures. What the orders are like is in the modules below; many of them share
//! a transaction, and nothing is promised to anybody before all of them are there.

mod goods;
mod people;
mod season;
mod story;

use super::{
    idempotency::IdempotentRequest,
    orders,
    transactions::{self, NewTransaction},
    users::{self, NewUser, UserDraft},
};
use crate::{
    app::{App, StartError, Surroundings},
    auth::{Actor, Principal, password::Owner, policy, secret},
    config::{Config, Durability},
    domain::{
        id::{Identifier, Ids, UserId},
        order::{Order, Transition},
        time::{Clock, Timestamp},
        transaction::Kind,
        user::Email,
    },
    error::{Error, Field, Result},
    store::{WriteTx, events, users as user_rows},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use story::{Deed, Step, Story};

/// Things done in one transaction. The more there are, the more of them count in the same rows of the figures.
const TOGETHER: usize = 2_000;
const CUSTOMER: &str = "customer";

/// What to make. The same plan makes the same rows, but for the password hashes of users.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many orders.
    pub orders: usize,
    /// Over how many days they are spread.
    pub days: u32,
    /// When the last of those days ends.
    pub until: Timestamp,
    /// Customers with an account, beside the one to try things out as.
    pub accounts: usize,
    /// What everything random comes from.
    pub seed: u64,
}

impl Plan {
    /// When the first of the days begins.
    fn from(&self) -> Timestamp {
        self.until.minus(Duration::from_hours(24 * u64::from(self.days)))
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

/// Opens the database to be filled, at the time when the plan begins. Nobody is promised anything yet, so commits need
/// no sync of their own; closing syncs the whole.
pub fn open(config: &Config, plan: &Plan) -> Result<App, StartError> {
    let mut config = config.clone();
    config.db.durability = Durability::Normal;
    config.server.request_timeout = Duration::ZERO;
    let from = plan.from();
    let clock = Clock::from_fn(move || from);
    App::open(config, Surroundings { clock, ids: Ids::seeded(plan.seed), ..Surroundings::system()? })
}

/// Whether there is neither a user nor a history.
pub async fn is_empty(app: &App) -> Result<bool> {
    app.store.read("demo.empty", |tx| Ok(!user_rows::any(tx)? && events::last(tx)? == 0)).await
}

/// Fills an empty database. `progress` is told now and then how many orders are there.
pub async fn fill(app: &App, plan: &Plan, progress: impl FnMut(usize)) -> Result<Vec<DemoUser>> {
    let system = Actor::system("demo");
    let (users, best_customer) = fill_users(app, &system).await?;
    let mut accounts: Vec<UserId> = best_customer.into_iter().collect();
    accounts.append(&mut open_accounts(app, &system, plan.accounts).await?);
    fill_orders(app, system, Story::new(plan, accounts)?, progress).await?;
    Ok(users)
}

/// A user for each role, and which of them is the customer.
async fn fill_users(app: &App, system: &Actor) -> Result<(Vec<DemoUser>, Option<UserId>)> {
    let (mut made, mut customer) = (vec![], None);
    for &(role, _) in policy::BUILT_IN {
        let (email, password) = (format!("{role}@demo.example.com"), secret::readable_password()?);
        let name = format!("Demo {role}");
        let new = NewUser { email: email.clone(), name, role: role.to_owned(), password: password.as_str().into() };
        let reply = users::create(app, system.clone(), IdempotentRequest::once(), new).await?;
        if role == CUSTOMER {
            customer = reply.location.as_deref().and_then(|place| UserId::parse(place.rsplit('/').next()?));
        }
        made.push(DemoUser { role, email, password });
    }
    Ok((made, customer))
}

/// Accounts of customers. Nobody knows their one password, which is hashed once: hashing is slow by design.
async fn open_accounts(app: &App, system: &Actor, count: usize) -> Result<Vec<UserId>> {
    let nobody = Owner { email: "", name: "" };
    let password = app.password_rules.check(&secret::readable_password()?, nobody, Field::Password);
    let hash: Arc<str> = app.hasher.hash(password.map_err(Error::invalid)?).await?.into();
    let mut made = Vec::with_capacity(count);
    while made.len() < count {
        let range = made.len() + 1..=count.min(made.len() + TOGETHER);
        let (shared, system, hash) = (app.clone(), system.clone(), Arc::clone(&hash));
        let open = move |tx: &WriteTx<'_>| {
            range.clone().map(|number| open_account(tx, &shared, &system, number, &hash)).collect::<Result<Vec<_>>>()
        };
        made.append(&mut app.store.write("demo.accounts", open).await?);
    }
    Ok(made)
}

fn open_account(tx: &WriteTx<'_>, app: &App, system: &Actor, number: usize, hash: &str) -> Result<UserId> {
    let (name, address) = people::person(number);
    let email = Email::parse(&address).ok_or_else(|| Error::internal("a demo address that is none"))?;
    let draft = UserDraft { email, name, role: CUSTOMER.to_owned(), password_hash: hash.to_owned() };
    users::insert(tx, app, system, &draft, "users.create").map(|user| user.id)
}

async fn fill_orders(app: &App, system: Actor, mut story: Story, mut progress: impl FnMut(usize)) -> Result<()> {
    let (mut open, mut placed) = (HashMap::new(), 0);
    loop {
        let steps: Vec<Step> = story.by_ref().take(TOGETHER).collect::<Result<_>>()?;
        if steps.is_empty() {
            return Ok(());
        }
        placed += steps.iter().filter(|step| matches!(step.deed, Deed::Place(_))).count();
        let over: Vec<usize> = steps.iter().filter(|step| step.last).map(|step| step.order).collect();
        let known: HashMap<usize, Order> =
            steps.iter().filter_map(|step| Some((step.order, open.remove(&step.order)?))).collect();
        let actor = system.clone();
        // The work may have to be run again, from where it began.
        let moved = app.store.write("demo.orders", move |tx| play(tx, &actor, &steps, known.clone())).await?;
        open.extend(moved);
        for order in over {
            open.remove(&order);
        }
        progress(placed);
    }
}

/// Does what `steps` say to `orders`, each step at its own time, and says how the orders stand then.
fn play(
    tx: &WriteTx<'_>,
    actor: &Actor,
    steps: &[Step],
    mut orders: HashMap<usize, Order>,
) -> Result<HashMap<usize, Order>> {
    for step in steps {
        let tx = tx.later(step.at);
        let after = match (&step.deed, orders.remove(&step.order)) {
            (Deed::Place(new), _) => orders::insert(&tx, &buyer(actor, new.user_id), new.user_id, new)?.order,
            (deed, Some(order)) => go_on(&tx, actor, order, deed)?,
            (_, None) => return Err(Error::internal("a demo order that is not there yet")),
        };
        orders.insert(step.order, after);
    }
    Ok(orders)
}

/// Customers with an account place their orders themselves.
fn buyer(system: &Actor, account: Option<UserId>) -> Actor {
    let principal = account.map_or(system.principal, |id| Principal::User { id, session: None });
    Actor { principal, ..system.clone() }
}

fn go_on(tx: &WriteTx<'_>, actor: &Actor, mut order: Order, deed: &Deed) -> Result<Order> {
    match deed {
        Deed::Place(_) => {}
        Deed::Pay(amount) => drop(transactions::add(tx, actor, &mut order, &money(Kind::Payment, *amount))?),
        Deed::Refund(amount) => drop(transactions::add(tx, actor, &mut order, &money(Kind::Refund, *amount))?),
        Deed::Confirm => order = orders::moved(tx, actor, &order, Transition::Confirm, None)?,
        Deed::Fulfil => order = orders::moved(tx, actor, &order, Transition::Fulfil, None)?,
        Deed::Cancel(why) => order = orders::moved(tx, actor, &order, Transition::Cancel, Some((*why).to_owned()))?,
    }
    Ok(order)
}

fn money(kind: Kind, amount: i64) -> NewTransaction {
    NewTransaction { provider: Some("demo".to_owned()), ..NewTransaction::succeeded(kind, amount) }
}
