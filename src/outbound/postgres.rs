//! Connections to PostgreSQL: the first server of a URL that can be reached and fits, with TLS or without. What is
//! asked of it is in `store`; whether a failure is tried again is decided by callers, who are told whether that may
//! help.

mod error;
mod stream;
mod tls;

pub use error::PostgresError;
pub use tokio_postgres::Client as Connection;

use super::Resolver;
use crate::{
    config::{PostgresEncryption, PostgresPlace, PostgresServer, PostgresSession},
    domain::url::Host,
};
use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use stream::{EitherStream, Handshake};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_postgres::{AsyncMessage, Config, SimpleQueryMessage, config::SslMode, error::Severity};

/// Connects to the first place of `server` that can be reached and takes such sessions. `application` is its name in
/// `pg_stat_activity`, unless the URL has another one.
///
/// # Errors
/// What was wrong with each place.
pub async fn connect(server: &PostgresServer, application: &str) -> Result<Connection, PostgresError> {
    connect_heeding(server, application, Arc::default()).await
}

/// [`connect`] that sets `warned` whenever the server warns, before the answer to what it warns about.
///
/// # Errors
/// What was wrong with each place.
pub async fn connect_heeding(
    server: &PostgresServer,
    application: &str,
    warned: Arc<AtomicBool>,
) -> Result<Connection, PostgresError> {
    let mut failures = vec![];
    for place in &server.places {
        let attempt = timeout(server.connect_time, connect_to(server, place, application, &warned)).await;
        match attempt.unwrap_or_else(|_| Err(PostgresError::Unreachable("timed out".to_owned()))) {
            Ok(client) => return Ok(client),
            Err(e) => failures.push((place, e)),
        }
    }
    Err(PostgresError::of_places(failures))
}

async fn connect_to(
    server: &PostgresServer,
    place: &PostgresPlace,
    application: &str,
    warned: &Arc<AtomicBool>,
) -> Result<Connection, PostgresError> {
    let stream = open(place).await?;
    let encryption = server.encryption_to(place);
    let mut config = Config::new();
    config
        .user(&server.user)
        .dbname(&server.database)
        .application_name(server.application.as_deref().unwrap_or(application))
        .ssl_mode(match encryption {
            PostgresEncryption::Disable => SslMode::Disable,
            PostgresEncryption::Prefer => SslMode::Prefer,
            PostgresEncryption::Require | PostgresEncryption::VerifyCa | PostgresEncryption::VerifyFull => {
                SslMode::Require
            }
        });
    if let Some(password) = server.password_at(place) {
        config.password(password.expose());
    }
    let handshake = match place {
        PostgresPlace::Tcp(host, _) => {
            Handshake { config: tls::config(encryption, server.root_certificates.clone()).await?, host: host.clone() }
        }
        PostgresPlace::Socket(..) => Handshake { config: None, host: Host::Name("localhost".to_owned()) },
    };
    let (client, connection) = config.connect_raw(stream, handshake).await?;
    // Ends with the client. The client is told of its failures by what it asks next.
    tokio::spawn(drive(connection, Arc::clone(warned)));
    if server.session == PostgresSession::ReadWrite && is_read_only(&client).await? {
        return Err(PostgresError::ReadOnly);
    }
    Ok(client)
}

/// Moves the bytes of a connection until it ends.
async fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, warned: Arc<AtomicBool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notice(notice) = message
            && notice.parsed_severity() == Some(Severity::Warning)
        {
            tracing::warn!(db.warning = notice.message(), "PostgreSQL warns: {}", notice.message());
            warned.store(true, Ordering::Release);
        }
    }
}

async fn is_read_only(client: &Connection) -> Result<bool, PostgresError> {
    let answer = client.simple_query("SHOW transaction_read_only").await?;
    let on = |message: &SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("on"));
    Ok(answer.iter().any(on))
}

/// Connects to the first address of the place that answers.
async fn open(place: &PostgresPlace) -> Result<EitherStream, PostgresError> {
    let unreachable = |e: io::Error| PostgresError::Unreachable(e.to_string());
    let (host, port) = match place {
        PostgresPlace::Socket(..) => {
            return Ok(EitherStream::Unix(UnixStream::connect(place.to_string()).await.map_err(unreachable)?));
        }
        PostgresPlace::Tcp(host, port) => (host, *port),
    };
    let addresses = match host {
        Host::Address(address) => vec![*address],
        Host::Name(name) => Resolver::system()
            .look_up(name)
            .await
            .map_err(|e| PostgresError::Unreachable(format!("the host name cannot be resolved: {e}")))?,
    };
    let mut failure = io::Error::other("the host name has no address");
    for address in addresses {
        match TcpStream::connect(SocketAddr::new(address, port)).await {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(unreachable)?;
                return Ok(EitherStream::Tcp(stream));
            }
            Err(e) => failure = e,
        }
    }
    Err(unreachable(failure))
}
