//! The journal of the configuration, and how its PostgreSQL is connected to, because `store` and `outbound` do not know
//! each other.

use super::StartError;
use crate::{
    auth::secret,
    config::{Config, PostgresCredentials, PostgresServer},
    domain::time::Clock,
    outbound::postgres::connect_heeding,
    store::journal::{Connect, JournalOptions, OlderSchema},
};
use std::{sync::Arc, time::Duration};

/// How long each host of a journal is tried.
const HOST_PATIENCE: Duration = Duration::from_secs(2);

/// The journal that the configuration names.
pub fn of(config: &Config) -> Result<Option<JournalOptions>, StartError> {
    let Some(url) = &config.db.url else { return Ok(None) };
    let unusable = |e| StartError::Other(format!("`db.url` {e}"));
    let environment = PostgresCredentials::read(None).map_err(unusable)?;
    let password = config.db.password.clone().or(environment.password);
    let credentials = PostgresCredentials { password, ..environment };
    let server = PostgresServer::parse(url.expose(), &credentials).map_err(unusable)?;
    Ok(Some(at(server)?))
}

/// The journal on this server.
pub fn at(mut server: PostgresServer) -> crate::error::Result<JournalOptions> {
    // A host that is gone must not keep the others waiting.
    server.connect_time = server.connect_time.min(HOST_PATIENCE);
    let server = Arc::new(server);
    let connect: Connect = Arc::new(move |warned| {
        let server = Arc::clone(&server);
        Box::pin(async move { connect_heeding(&server, "orderd", warned).await.map_err(|e| e.to_string()) })
    });
    let writer = *secret::random_bytes()?;
    Ok(JournalOptions { connect, writer, clock: Clock::system(), older_schema: OlderSchema::Refused })
}
