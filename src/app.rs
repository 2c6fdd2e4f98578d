//! The state that all requests share. It is built once at start, in `app/start.rs`, and contains no business behaviour.

pub mod access;
pub mod backups;
pub mod journal;
pub mod oidc;
pub mod readiness;
pub mod recent_events;
mod start;

pub use start::{StartError, Surroundings};

use crate::{
    auth::{
        Cursors, Mac, Sealer,
        access::AccessCache,
        password::{PasswordHasher, PasswordRules},
        rate_limit::{LoginDelays, RequestLimits},
        secret,
        token::Tokens,
    },
    config::{Config, Proxies},
    domain::{
        id::Ids,
        time::{Clock, Timestamp},
    },
    outbound::{Addresses, Client, Resolver},
    store::{Store, audit::RefusalBuffer, orders::DocumentCache},
    telemetry::metrics::Metrics,
};
use start::{UNLIMITED, or_if_zero};
use std::{
    ops::Deref,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use tokio::sync::{Semaphore, watch};

/// Imports in progress at the same time, for each of the two kinds of permit. Two of them keep the writer busy. Each
/// may need several times the 8 MiB of lines that it works on, and 16 MiB of results that wait for its client.
const IMPORT_PERMITS: usize = 4;

/// Event streams that may be open at the same time. Each has a connection and some kilobytes of memory.
const EVENT_STREAMS: usize = 5_000;

/// The state that all requests share. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of [`App`].
pub struct Parts {
    /// All settings.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// Issues and verifies access tokens.
    pub tokens: Tokens,
    /// Hashes and verifies passwords.
    pub hasher: PasswordHasher,
    /// The rules for new passwords.
    pub password_rules: PasswordRules,
    /// The in-memory copy of users, roles, sessions and API keys that authentication reads.
    pub access: AccessCache,
    /// Delays and limits of failed log-ins.
    pub login_delays: LoginDelays,
    /// Rate limits of requests.
    pub request_limits: RequestLimits,
    /// One permit for each request in progress.
    pub request_permits: Semaphore,
    /// Seals and opens the cursors of lists.
    pub cursors: Cursors,
    /// Derives the set-up token of a journal, so that all its processes have the same one.
    pub setup_tokens: Mac,
    /// Keyed digests of requests that may be sent again, and of passwords in them.
    pub fingerprints: Mac,
    /// The permits for imports.
    pub imports: Imports,
    /// One permit for each open event stream.
    pub event_streams: Arc<Semaphore>,
    /// The newest events, for those who follow the feed.
    pub recent_events: recent_events::RecentEvents,
    /// Documents of orders in memory, for those who read them again.
    pub document_cache: Arc<DocumentCache>,
    /// The provider of sign-ins by OpenID Connect.
    pub oidc: oidc::OidcProvider,
    /// Seals the cookies of journeys to that provider.
    pub journey_sealer: Sealer,
    /// Seals the secrets of second factors.
    pub totp_sealer: Sealer,
    /// Seals the secrets of webhook endpoints.
    pub webhook_sealer: Sealer,
    /// Counts the changes of webhook endpoints, for the task that delivers to them.
    pub webhook_changes: watch::Sender<u64>,
    /// The result of the latest readiness check.
    pub readiness: readiness::Readiness,
    /// The state of scheduled backups.
    pub backups: backups::Backups,
    /// The metrics.
    pub metrics: Metrics,
    /// Refusals that are not in the audit trail yet.
    pub refusals: RefusalBuffer,
    /// The only source of the current time.
    pub clock: Clock,
    /// The only source of identifiers.
    pub ids: Arc<Ids>,
    resolver: Resolver,
    proxies: Proxies,
    /// The token that creates the first administrator. Present only while there is no user.
    pub setup: Mutex<Option<SetupToken>>,
    /// The e-mail address that the log-in form of the console suggests. Set for demo data only.
    pub suggested_email: OnceLock<String>,
    draining: watch::Sender<bool>,
}

/// One permit for each import in progress. An import lasts as long as its client keeps sending, so customers, who may
/// only import orders of their own, have separate permits and cannot take those of the staff.
pub struct Imports {
    /// For callers who may create orders for anyone.
    pub for_anybody: Arc<Semaphore>,
    /// For callers who may create orders for themselves only.
    pub for_oneself: Arc<Semaphore>,
}

impl Default for Imports {
    fn default() -> Self {
        Self {
            for_anybody: Arc::new(Semaphore::new(IMPORT_PERMITS)),
            for_oneself: Arc::new(Semaphore::new(IMPORT_PERMITS)),
        }
    }
}

/// The set-up token as the server remembers it.
pub struct SetupToken {
    /// SHA-256 of the token.
    pub digest: secret::Digest,
    /// The first instant at which it is no longer valid.
    pub expires_at: Timestamp,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// The version of the bundled SQLite.
    pub fn sqlite_version() -> &'static str {
        crate::store::sqlite_version()
    }

    /// The time limit of a request; a year if the limit is turned off.
    pub fn time_limit(&self) -> Duration {
        or_if_zero(self.config.server.request_timeout, UNLIMITED)
    }

    /// The number of open event streams.
    pub fn open_event_streams(&self) -> usize {
        EVENT_STREAMS - self.event_streams.available_permits()
    }

    /// The size limit of a request body, in bytes.
    pub fn body_limit(&self) -> usize {
        match self.config.limits.body_bytes {
            0 => usize::MAX,
            bytes => bytes,
        }
    }

    /// A client for outbound requests to these addresses, through the proxies of the configuration.
    pub fn outbound_client(&self, addresses: Addresses) -> Client {
        Client::new(addresses).resolving_by(self.resolver.clone()).through(self.proxies.clone())
    }

    /// Begins the shutdown: new requests are refused from now on.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Whether the shutdown has begun.
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Resolves when the shutdown begins.
    pub async fn drained(&self) {
        // This cannot fail, because `self` owns the sender.
        let _ = self.draining.subscribe().wait_for(|draining| *draining).await;
    }
}
