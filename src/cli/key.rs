//! `orderd key`: API keys.

use super::{
    Failure,
    flags::{ConfigFlags, instant},
    offline, print,
};
use crate::{
    domain::{
        id::{Identifier, KeyId},
        permission::Permission,
        time::Timestamp,
    },
    error::problem,
    service::{
        api_keys::{self, NewKey},
        users,
    },
};

/// What to do with API keys.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Make an API key and print its secret, this once
    Create(Create),
    /// Revoke an API key
    Revoke(Revoke),
}

/// The arguments of `orderd key create`.
#[derive(clap::Args)]
pub(super) struct Create {
    #[command(flatten)]
    flags: ConfigFlags,
    /// To whom it belongs: it can do no more than they can
    #[arg(long, value_name = "EMAIL")]
    user: String,
    /// What to call it
    #[arg(long)]
    name: String,
    /// What it may do, such as orders:read (repeatable, or with commas)
    #[arg(long, value_name = "PERMISSION", required = true, value_delimiter = ',', value_parser = permission)]
    permission: Vec<Permission>,
    /// When it ends by itself, such as 2027-01-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    expires_at: Option<Timestamp>,
}

/// The arguments of `orderd key revoke`.
#[derive(clap::Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Its identifier: `key_…`
    #[arg(value_name = "KEY_ID", value_parser = key_id)]
    id: KeyId,
}

impl Command {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(arguments) => create(arguments),
            Self::Revoke(Revoke { flags, id }) => {
                offline::change(flags.load(vec![])?, async |app, system| {
                    let revoked = api_keys::revoke(&app, system, id).await;
                    revoked.map_err(|e| {
                        if e.is(&problem::NOT_FOUND) { e.detail(format!("No API key is {id}.")) } else { e }
                    })
                })
            }
        }
    }
}

fn create(arguments: Create) -> Result<(), Failure> {
    let Create { flags, user, name, permission, expires_at } = arguments;
    let new = NewKey { name, permissions: permission.into_iter().collect(), expires_at };
    let made = offline::change(flags.load(vec![])?, async |app, system| {
        let owner = users::by_email(&app, &system, &user).await?.id.0;
        api_keys::create_for(&app, system, owner, new).await
    })?;
    print(format_args!("{} {}\n", made.key.id.0, made.secret))
}

fn permission(text: &str) -> Result<Permission, String> {
    let found = Permission::parse(text).filter(|permission| !permission.is_own());
    let names = || Permission::ALL.iter().filter(|p| !p.is_own()).map(|p| p.name()).collect::<Vec<_>>().join(" ");
    found.ok_or_else(|| format!("must be one of: {}", names()))
}

fn key_id(text: &str) -> Result<KeyId, &'static str> {
    KeyId::parse(text).ok_or("must be the identifier of an API key: key_ and 26 characters")
}
