//! `orderd erase`: erases the personal data of an order or a user, for when no server runs. The rest of the order, its
//! figures and its history stay.

use super::{Failure, flags::ConfigFlags, offline};
use crate::{
    domain::id::{Identifier, OrderId, UserId},
    error::Error,
    service::{
        erasure,
        idempotency::IdempotentRequest,
        orders::{self, OrderName},
        users,
    },
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Erase customer, note and reasons of an order
    Order(Order),
    /// Erase name, address and log-in traces of a user, and the personal data of all their orders; the account is
    /// disabled
    User(User),
}

#[derive(clap::Args)]
pub(super) struct Order {
    #[command(flatten)]
    flags: ConfigFlags,
    /// The order: its identifier (ord_…) or its number
    #[arg(value_name = "ORDER")]
    order: String,
}

#[derive(clap::Args)]
pub(super) struct User {
    #[command(flatten)]
    flags: ConfigFlags,
    /// The user: their identifier (usr_…) or e-mail address
    #[arg(value_name = "USER")]
    user: String,
}

impl Command {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Order(Order { flags, order }) => offline::change(flags.load(vec![])?, async |app, system| {
                let id = match (OrderId::parse(&order), order.parse()) {
                    (Some(id), _) => id,
                    (None, Ok(number)) => orders::id_of(&app, &system, &OrderName::Number(number)).await?,
                    (None, Err(_)) => return Err(absent("order")),
                };
                erasure::order(&app, system, IdempotentRequest::once(), id)
                    .await
                    .map(drop)
                    .map_err(|e| named(e, "order"))
            }),
            Self::User(User { flags, user }) => offline::change(flags.load(vec![])?, async |app, system| {
                let id = match UserId::parse(&user) {
                    Some(id) => id,
                    None => users::by_email(&app, &system, &user).await?.id.0,
                };
                erasure::user(&app, system, IdempotentRequest::once(), id).await.map(drop).map_err(|e| named(e, "user"))
            }),
        }
    }
}

fn absent(what: &str) -> Error {
    Error::absent().detail(format!("The database has no such {what}."))
}

fn named(e: Error, what: &str) -> Error {
    if e.is(Error::absent().problem()) { absent(what) } else { e }
}
