//! `orderd demo`: fills an empty database with example users and orders. What they look like is decided in
//! `service::demo`.

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

/// The most orders and the most accounts of one run: the time of every order is kept in memory.
const MAX: u64 = 100_000_000;
/// Without `--accounts` there is one customer with an account for this many orders.
pub(super) const ORDERS_PER_ACCOUNT: usize = 40;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Number of orders
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = up_to_max())]
    orders: usize,
    /// Number of days over which the orders are spread
    #[arg(long, value_name = "D", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_660))]
    days: u32,
    /// End of the last of those days [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<Timestamp>,
    /// Number of customers with an account [default: one for 40 orders]
    #[arg(long, value_name = "N", value_parser = up_to_max())]
    accounts: Option<usize>,
    /// Seed of the random numbers; the same seed and --until give the same orders
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Failure> {
        let now = Clock::system().now();
        let until = self.until.unwrap_or(now);
        if until > now {
            return Err(Failure::usage("--until must not be in the future: times in the database never go back"));
        }
        let config = self.flags.load(vec![])?.config;
        let plan = Plan {
            orders: self.orders,
            days: self.days,
            until,
            accounts: self.accounts.unwrap_or(self.orders / ORDERS_PER_ACCOUNT),
            seed: self.seed,
        };
        wait_for(async {
            let app = demo::open(&config, &plan)?;
            let outcome = if demo::is_empty(&app).await? {
                demo::fill(&app, &plan, progress::of_orders(plan.orders)).await.map_err(Failure::from)
            } else {
                let path = config.db.path.display();
                Err(Failure::failed(format!("{path}: is not empty; the demo fills only an empty database")))
            };
            app.store.close().await;
            print_users(&outcome?)
        })
    }
}

/// Prints one line for each user that can log in: role, address, password.
pub(super) fn print_users(users: &[DemoUser]) -> Result<(), Failure> {
    for DemoUser { role, email, password } in users {
        print(format_args!("demo user: {role} {email} {}\n", password.as_str()))?;
    }
    Ok(())
}

fn up_to_max() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(..=MAX)
}
