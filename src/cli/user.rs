//! `orderd user`: users, for when no administrator can log in or no server runs.

use super::{
    Failure,
    database::{Database, refuse_unchangeable},
    flags::{ConfigFlags, name},
    offline, password, print, read_database,
};
use crate::{
    domain::{id::UserId, user::UserStatus},
    service::{
        idempotency::IdempotentRequest,
        second_factor,
        users::{self, ChangeUser, NewUser},
    },
    store::users as rows,
};
use std::fmt::Write;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create a user and print the identifier
    Create(Create),
    /// List all users; works beside a running server. Prints identifier, e-mail address, role, status and name,
    /// separated by tabs
    List(ConfigFlags),
    /// Set a user's password and end the user's sessions; with --end-second-factor the way back in for an administrator
    /// who has lost theirs
    Passwd(Passwd),
    /// Enable a user again
    Enable(Enable),
    /// Disable a user and end the user's sessions
    Disable(Disable),
}

#[derive(clap::Args)]
pub(super) struct Create {
    #[command(flatten)]
    flags: ConfigFlags,
    /// E-mail address to log in with
    #[arg(long)]
    email: String,
    /// Full name
    #[arg(long, value_parser = name)]
    name: String,
    /// Role: admin, manager, staff, analyst, customer, or one of your own
    #[arg(long)]
    role: String,
    /// Read the password from the first line of standard input instead of asking for it on the terminal
    #[arg(long)]
    password_stdin: bool,
    /// Create the database too, if there is none
    #[arg(long = "create")]
    creates_database: bool,
}

#[derive(clap::Args)]
pub(super) struct Passwd {
    #[command(flatten)]
    flags: ConfigFlags,
    /// E-mail address of the user
    #[arg(long)]
    email: String,
    /// Read the password from the first line of standard input instead of asking for it on the terminal
    #[arg(long)]
    password_stdin: bool,
    /// Also end the user's second factor
    #[arg(long)]
    end_second_factor: bool,
}

#[derive(clap::Args)]
pub(super) struct Enable {
    #[command(flatten)]
    flags: ConfigFlags,
    /// E-mail address of the user
    #[arg(long)]
    email: String,
}

#[derive(clap::Args)]
pub(super) struct Disable {
    #[command(flatten)]
    flags: ConfigFlags,
    /// E-mail address of the user
    #[arg(long)]
    email: String,
}

impl Command {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(arguments) => create(arguments),
            Self::List(flags) => list(flags),
            Self::Passwd(arguments) => set_password(arguments),
            Self::Enable(Enable { flags, email }) => {
                change(flags, &email, ChangeUser { status: Some(UserStatus::Active), ..ChangeUser::default() })
            }
            Self::Disable(Disable { flags, email }) => {
                change(flags, &email, ChangeUser { status: Some(UserStatus::Disabled), ..ChangeUser::default() })
            }
        }
    }
}

fn create(arguments: Create) -> Result<(), Failure> {
    let loaded = arguments.flags.load(vec![])?;
    if !arguments.creates_database {
        refuse_unchangeable(&loaded.config).map_err(|e| e.advising("`--create` creates it"))?;
    }
    let password = password::read(password::Source::of(arguments.password_stdin))?;
    let Create { email, name, role, .. } = arguments;
    let new = NewUser { email: email.clone(), name, role, password: Some(password.as_str().into()) };
    let id = offline::change_or_create(loaded, async |app, system| {
        users::create(&app, system.clone(), IdempotentRequest::once(), new).await?;
        Ok(users::by_email(&app, &system, &email).await?.id.0)
    })?;
    print(format_args!("{id}\n"))
}

fn set_password(arguments: Passwd) -> Result<(), Failure> {
    let Passwd { flags, email, password_stdin, end_second_factor } = arguments;
    let loaded = flags.load(vec![])?;
    let password = password::read(password::Source::of(password_stdin))?;
    offline::change(loaded, async |app, system| {
        let id: UserId = users::by_email(&app, &system, &email).await?.id.0;
        let change = ChangeUser { password: Some(password.as_str().into()), ..ChangeUser::default() };
        users::change(&app, system.clone(), IdempotentRequest::once(), id, change).await?;
        if end_second_factor {
            second_factor::end_of(&app, system, id).await?;
        }
        Ok(())
    })
}

fn change(flags: ConfigFlags, email: &str, change: ChangeUser) -> Result<(), Failure> {
    offline::change(flags.load(vec![])?, async |app, system| {
        let id: UserId = users::by_email(&app, &system, email).await?.id.0;
        users::change(&app, system, IdempotentRequest::once(), id, change).await.map(drop)
    })
}

fn list(flags: ConfigFlags) -> Result<(), Failure> {
    let database = Database::to_read(&flags.load(vec![])?.config)?;
    let mut lines = String::new();
    for user in read_database(database.path(), rows::all)? {
        // Writing to a String cannot fail.
        let _ =
            writeln!(lines, "{}\t{}\t{}\t{}\t{}", user.id, user.address(), user.role, user.status, user.display_name());
    }
    print(format_args!("{lines}"))
}
