//! `orderd user`: users, where no administrator can log in or no server runs.

use super::{Failure, flags::ConfigFlags, offline, print};
use crate::{
    domain::{id::UserId, user::UserStatus},
    service::{
        idempotency::IdempotentRequest,
        users::{self, ChangeUser, NewUser},
    },
    store::{Store, users as rows},
};
use std::fmt::Write;

/// What to do with users.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Make a user; makes the database too, if there is none
    Create(Create),
    /// List all users; works beside a running server
    List(ConfigFlags),
    /// Set a user's password and end their sessions
    Passwd(Passwd),
    /// Disable a user and end their sessions
    Disable(Disable),
}

/// The arguments of `orderd user create`.
#[derive(clap::Args)]
pub(super) struct Create {
    #[command(flatten)]
    flags: ConfigFlags,
    /// What they log in with
    #[arg(long)]
    email: String,
    /// What to call them
    #[arg(long)]
    name: String,
    /// Their role: admin, manager, staff, analyst, customer, or one of your own
    #[arg(long)]
    role: String,
    /// Read their password from the first line of standard input
    #[arg(long, required = true)]
    password_stdin: bool,
}

/// The arguments of `orderd user passwd`.
#[derive(clap::Args)]
pub(super) struct Passwd {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Whose password
    #[arg(long)]
    email: String,
    /// Read the password from the first line of standard input
    #[arg(long, required = true)]
    password_stdin: bool,
}

/// The arguments of `orderd user disable`.
#[derive(clap::Args)]
pub(super) struct Disable {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Whom
    #[arg(long)]
    email: String,
}

impl Command {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(arguments) => create(arguments),
            Self::List(flags) => list(flags),
            Self::Passwd(Passwd { flags, email, .. }) => {
                let password = offline::password()?;
                change(flags, &email, ChangeUser { password: Some(password.as_str().into()), ..ChangeUser::default() })
            }
            Self::Disable(Disable { flags, email }) => {
                change(flags, &email, ChangeUser { status: Some(UserStatus::Disabled), ..ChangeUser::default() })
            }
        }
    }
}

fn create(arguments: Create) -> Result<(), Failure> {
    let loaded = arguments.flags.load(vec![])?;
    let password = offline::password()?;
    let Create { email, name, role, .. } = arguments;
    let new = NewUser { email: email.clone(), name, role, password: password.as_str().into() };
    let id = offline::change_or_make(loaded, async |app, system| {
        users::create(&app, system.clone(), IdempotentRequest::once(), new).await?;
        Ok(users::by_email(&app, &system, &email).await?.id.0)
    })?;
    print(format_args!("{id}\n"))
}

fn change(flags: ConfigFlags, email: &str, change: ChangeUser) -> Result<(), Failure> {
    offline::change(flags.load(vec![])?, async |app, system| {
        let id: UserId = users::by_email(&app, &system, email).await?.id.0;
        users::change(&app, system, IdempotentRequest::once(), id, change).await.map(drop)
    })
}

fn list(flags: ConfigFlags) -> Result<(), Failure> {
    let path = flags.load(vec![])?.config.db.path;
    let mut lines = String::new();
    for user in Store::inspect(&path, rows::all)?? {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{}\t{}\t{}\t{}\t{}", user.id, user.email, user.role, user.status, user.name);
    }
    print(format_args!("{lines}"))
}
