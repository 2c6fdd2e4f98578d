//! Why something that PostgreSQL was asked for failed. It never contains a password, or the values of a row.

use crate::config::PostgresPlace;
use std::{error::Error, fmt, io};

/// Why PostgreSQL could not be reached, or refused what it was asked for.
#[derive(Debug)]
pub enum PostgresError {
    /// It could not be connected to, or the connection broke.
    Unreachable(String),
    /// A certificate, or something else of TLS, is not as it must be.
    Tls(String),
    /// The log-in could not be made, for instance since it needs a password and there is none.
    LogIn(String),
    /// It is a standby, which takes no writes.
    ReadOnly,
    /// It answered with an error.
    Refused {
        /// Its `SQLSTATE`.
        code: String,
        /// Its message.
        message: String,
    },
    /// None of several places would do.
    Places(Vec<(String, PostgresError)>),
}

impl PostgresError {
    /// The failures of all places that were tried; the only one if there is one.
    pub(super) fn of_places(failures: Vec<(&PostgresPlace, Self)>) -> Self {
        Self::Places(failures.into_iter().map(|(place, e)| (place.to_string(), e)).collect())
    }

    /// Whether the same may succeed later, with nothing changed by anybody: the server restarts, is full, or fails
    /// over.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::ReadOnly => true,
            Self::Tls(_) | Self::LogIn(_) => false,
            Self::Places(places) => places.iter().any(|(_, e)| e.is_temporary()),
            // Connection, transaction rollback, resources, operator intervention, a lock that was not free, an error of
            // the disk, and a server that has become a standby.
            Self::Refused { code, .. } => {
                ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class))
                    || ["55P03", "58030", "25006"].contains(&code.as_str())
            }
        }
    }
}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(e: tokio_postgres::Error) -> Self {
        if let Some(e) = e.as_db_error() {
            // Its detail may show the values of a row.
            return Self::Refused { code: e.code().code().to_owned(), message: e.message().to_owned() };
        }
        let text = e.source().map_or_else(|| e.to_string(), |source| format!("{e}: {source}"));
        let cause = e.source().and_then(|source| source.downcast_ref::<io::Error>());
        let is_tls = text.contains("TLS");
        match cause {
            // rustls reports a certificate that it does not accept as invalid data.
            Some(cause) if is_tls && cause.kind() == io::ErrorKind::InvalidData => Self::Tls(text),
            None if is_tls => Self::Tls(text),
            None if text.ends_with("password missing") => {
                Self::LogIn("the server wants a password: give it in PGPASSWORD or a file".to_owned())
            }
            None if !e.is_closed() => Self::LogIn(text),
            _ => Self::Unreachable(text),
        }
    }
}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(e) | Self::LogIn(e) => f.write_str(e),
            Self::Tls(e) => write!(
                f,
                "{e}; name root certificates with sslrootcert=FILE, accept any certificate with sslmode=require, or connect \
                 without TLS with sslmode=disable"
            ),
            Self::ReadOnly => f.write_str("it is a standby and takes no writes"),
            Self::Refused { code, message } => write!(f, "{message} (SQLSTATE {code})"),
            Self::Places(places) => {
                for (i, (place, e)) in places.iter().enumerate() {
                    write!(f, "{}{place}: {e}", if i == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
        }
    }
}

impl Error for PostgresError {}
