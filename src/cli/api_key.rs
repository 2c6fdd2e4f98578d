//! `orderd api-key`: API keys, for when no administrator can log in or no server runs.

use super::{
    Failure,
    database::Database,
    flags::{ConfigFlags, instant, name},
    offline, print, read_database,
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
    store::api_keys as rows,
};
use std::fmt::Write;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create an API key and print its identifier and secret; the secret cannot be shown again
    Create(Create),
    /// List all API keys; works beside a running server. Prints identifier, prefix of the secret, permissions, owner,
    /// times of creation, expiry and last use, and name, separated by tabs
    List(ConfigFlags),
    /// Revoke an API key
    Revoke(Revoke),
}

#[derive(clap::Args)]
pub(super) struct Create {
    #[command(flatten)]
    flags: ConfigFlags,
    /// The user who owns it; it can never do more than they can
    #[arg(long, value_name = "EMAIL")]
    user: String,
    /// Its name
    #[arg(long, value_parser = name)]
    name: String,
    /// What it may do, such as orders:read (repeatable, or separated by commas)
    #[arg(long, value_name = "PERMISSION", required = true, value_delimiter = ',', value_parser = permission)]
    permission: Vec<Permission>,
    /// When it expires, such as 2027-01-01T00:00:00Z [default: never]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    expires_at: Option<Timestamp>,
}

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
            Self::List(flags) => list(flags),
            Self::Revoke(Revoke { flags, id }) => offline::change(flags.load(vec![])?, async |app, system| {
                let revoked = api_keys::revoke(&app, system, id).await;
                revoked.map_err(|e| {
                    if e.is(&problem::NOT_FOUND) { e.detail(format!("There is no API key {id}.")) } else { e }
                })
            }),
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

fn list(flags: ConfigFlags) -> Result<(), Failure> {
    let database = Database::to_read(&flags.load(vec![])?.config)?;
    let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    let mut lines = String::new();
    for key in read_database(database.path(), rows::all)? {
        let permissions: Vec<_> = key.permissions.iter().map(Permission::name).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            lines,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            key.id,
            key.prefix,
            permissions.join(","),
            key.created_by,
            key.created_at,
            time(key.expires_at),
            time(key.last_used_at),
            key.name
        );
    }
    print(format_args!("{lines}"))
}

fn permission(text: &str) -> Result<Permission, String> {
    let found = Permission::parse(text).filter(|permission| !permission.is_own());
    let names = || Permission::ALL.iter().filter(|p| !p.is_own()).map(|p| p.name()).collect::<Vec<_>>().join(" ");
    found.ok_or_else(|| format!("must be one of: {}", names()))
}

fn key_id(text: &str) -> Result<KeyId, &'static str> {
    KeyId::parse(text).ok_or("must be the identifier of an API key: key_ and 26 characters")
}
