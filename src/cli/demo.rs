//! `orderd demo`: fills an empty database with users and orders, to try things out on or to measure. What it makes is
//! not decided here.

use super::{
    Failure,
    flags::{ConfigFlags, instant},
    print, progress, wait_for,
};
use crate::{
    domain::time::{Clock, Timestamp},
    service::demo::{self, DemoUser, Plan},
};
use clap::builder::RangedU64ValueParser;

/// The most orders, and the most accounts, that are made at once: when each order is placed is kept in memory.
const MOST: u64 = 100_000_000;
/// Orders for each customer with an account, unless `--accounts` says how many there are.
const ORDERS_OF_AN_ACCOUNT: usize = 40;

/// The arguments of `orderd demo`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// How many orders
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = up_to_most())]
    orders: usize,
    /// Over how many days they are spread
    #[arg(long, value_name = "D", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_660))]
    days: u32,
    /// When the last of those days ends [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<Timestamp>,
    /// Customers with an account [default: one for 40 orders]
    #[arg(long, value_name = "N", value_parser = up_to_most())]
    accounts: Option<usize>,
    /// The same seed and end give the same orders
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let now = Clock::system().now();
        let until = self.until.unwrap_or(now);
        if until > now {
            return Err(Failure::usage("--until must not be in the future: time in the database never goes back"));
        }
        let config = self.flags.load(vec![])?.config;
        let plan = Plan {
            orders: self.orders,
            days: self.days,
            until,
            accounts: self.accounts.unwrap_or(self.orders / ORDERS_OF_AN_ACCOUNT),
            seed: self.seed,
        };
        wait_for(async {
            let app = demo::open(&config, &plan)?;
            let outcome = if demo::is_empty(&app).await? {
                demo::fill(&app, &plan, progress::of_orders(plan.orders)).await.map_err(Failure::from)
            } else {
                let path = config.db.path.display();
                Err(Failure::failed(format!("{path}: there is something in it; only an empty database is filled")))
            };
            app.store.close().await;
            print_users(&outcome?)
        })
    }
}

/// A line for each user to log in as: role, address, password.
pub(super) fn print_users(users: &[DemoUser]) -> Result<(), Failure> {
    for DemoUser { role, email, password } in users {
        print(format_args!("demo user: {role} {email} {}\n", password.as_str()))?;
    }
    Ok(())
}

fn up_to_most() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(..=MOST)
}
