//! Builds the application: opens the database and the signing keys, and loads the access cache.

use super::{
    App, EVENT_STREAMS, Imports, Parts, access, backups::Backups, journal, oidc::OidcProvider, readiness::Readiness,
    recent_events::RecentEvents,
};
use crate::{
    auth::{
        Cursors, Mac, Sealer,
        access::AccessCache,
        password::{HashCost, PasswordHasher, PasswordRules},
        rate_limit::{LoginDelays, RequestLimits},
        secret,
        token::{KeyRing, Tokens},
    },
    config::{Config, Durability, Proxies},
    domain::{access::Fact, digest::hex, id::Ids, time::Clock},
    error::{Error, Result},
    outbound::{Addresses, Client, Resolver},
    store::{
        Commits, OpenError, Options, Store,
        audit::RefusalBuffer,
        journal::{JournalOptions, OlderSchema},
    },
    telemetry::metrics::Metrics,
};
use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use tokio::sync::{Semaphore, watch};

/// Requests in progress at the same time: enough to fill the transactions of the writer, few enough that each ends
/// soon.
const REQUEST_PERMITS: usize = 512;
/// The time limit of a long query if requests have no time limit.
const QUERY_BUDGET: Duration = Duration::from_secs(10);
/// Stands for a limit that is turned off.
pub(super) const UNLIMITED: Duration = Duration::from_hours(24 * 365);

/// What the application takes from its surroundings. Tests replace it to get the same results every time.
pub struct Surroundings {
    /// The only source of the current time.
    pub clock: Clock,
    /// The only source of identifiers.
    pub ids: Ids,
    /// The cost of hashing a password.
    pub hash_cost: HashCost,
    /// Threads that run at the same time.
    pub cores: NonZeroUsize,
    /// The only source of the addresses of host names.
    pub resolver: Resolver,
    /// The proxies that outbound requests go through.
    pub proxies: Proxies,
    /// What is done if the journal has an older schema than this program.
    pub older_schema: OlderSchema,
}

impl Surroundings {
    /// The real clock, random identifiers, the cores and the resolver of this machine, and no proxies. A journal with
    /// an older schema is refused.
    pub fn system() -> Result<Self> {
        Ok(Self {
            clock: Clock::system(),
            ids: Ids::seeded(secret::random_seed()?),
            hash_cost: HashCost::default(),
            cores: std::thread::available_parallelism().map_err(Error::internal)?,
            resolver: Resolver::system(),
            proxies: Proxies::default(),
            older_schema: OlderSchema::Refused,
        })
    }
}

/// Why the application could not be built.
#[derive(Debug)]
pub enum StartError {
    /// The database cannot be opened.
    Database(OpenError),
    /// Any other reason, as one line for the operator.
    Other(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(e) => e.fmt(f),
            Self::Other(e) => f.write_str(e),
        }
    }
}

impl From<Error> for StartError {
    fn from(e: Error) -> Self {
        Self::Other(e.cause().map_or_else(|| e.to_string(), ToString::to_string))
    }
}

impl App {
    /// Opens the database and the signing keys, and loads the access cache.
    pub fn open(config: Config, surroundings: Surroundings) -> Result<Self, StartError> {
        let Surroundings { clock, ids, hash_cost, cores, resolver, proxies, older_schema } = surroundings;
        let ids = Arc::new(ids);
        let timeout = or_if_zero(config.server.request_timeout, UNLIMITED);
        let journal = journal::of(&config)?.map(|journal| JournalOptions { older_schema, ..journal });
        let process = journal.as_ref().map(|journal| journal.writer);
        let store = Store::open(&Options {
            path: config.db.path.clone(),
            commits: match config.db.durability {
                Durability::Full => Commits::Synced,
                Durability::Normal => Commits::Written,
            },
            request_timeout: timeout,
            query_budget: or_if_zero(config.server.request_timeout, QUERY_BUDGET),
            threads: cores.get(),
            first_number: config.orders.first_number,
            clock: clock.clone(),
            ids: Arc::clone(&ids),
            journal,
        })
        .map_err(StartError::Database)?;
        let unreadable = |e| StartError::Database(OpenError::unreadable(store.path(), &e));
        let access = access::load(&store, clock.now()).map_err(unreadable)?;
        let ring = KeyRing::load_or_create(&config.signing_key_file(), clock.now())?;
        // Rotating the keys does not change this.
        store.enlist(&hex(&ring.derive_sealing(b"members of a journal")[..8]))?;
        let app = Self(Arc::new(Parts {
            tokens: Tokens::new(&ring)?,
            cursors: Cursors::new(&ring),
            setup_tokens: Mac::for_stored_digests(&ring, b"set-up token"),
            fingerprints: Mac::for_stored_digests(&ring, b"fingerprint"),
            backups: Backups::default(),
            metrics: Metrics::new(clock.now()),
            refusals: RefusalBuffer::default(),
            hasher: PasswordHasher::new(hash_cost, all_but_one(cores))?,
            password_rules: PasswordRules { min_length: config.auth.password_min_length },
            access: AccessCache::new(access, (&config.auth).into()),
            login_delays: LoginDelays::new(
                // This key does not change when signing keys are rotated: all processes on a journal make the same
                // digests.
                Mac::for_stored_digests(&ring, b"log-in delays"),
                config.limits.login_per_minute,
                process,
            ),
            request_limits: RequestLimits::new(config.limits.requests_per_minute),
            request_permits: Semaphore::new(REQUEST_PERMITS),
            imports: Imports::default(),
            event_streams: Arc::new(Semaphore::new(EVENT_STREAMS)),
            oidc: OidcProvider::new(
                // The operator names the provider, so it may be at a private address.
                Client::new(Addresses::Any).resolving_by(resolver.clone()).through(proxies.clone()),
            ),
            journey_sealer: Sealer::new(&ring, b"oidc journey")?,
            totp_sealer: Sealer::new(&ring, b"second factor")?,
            webhook_sealer: Sealer::new(&ring, b"webhook")?,
            webhook_changes: watch::Sender::new(0),
            recent_events: RecentEvents::default(),
            document_cache: Arc::default(),
            readiness: Readiness::default(),
            config,
            store,
            clock,
            ids,
            resolver,
            proxies,
            setup: Mutex::new(None),
            suggested_email: OnceLock::new(),
            draining: watch::Sender::new(false),
        }));
        app.learn();
        Ok(app)
    }

    /// Updates what is kept in memory after each transaction.
    fn learn(&self) {
        let app = Arc::downgrade(&self.0);
        self.store.listen(move |fact| {
            // Nobody reads the memory of an application that is gone.
            let Some(app) = app.upgrade() else { return };
            match fact {
                Fact::DocumentsErased => {
                    app.recent_events.forget();
                    app.document_cache.forget();
                }
                Fact::WebhooksChanged => app.webhook_changes.send_modify(|changes| *changes += 1),
                fact @ (Fact::LogInFailed(..) | Fact::LogInSucceeded(..)) => app.login_delays.learn(fact),
                fact => app.access.apply(fact),
            }
        });
    }
}

/// The cores that may hash passwords. One is left free, so that many log-ins at once do not stop orders.
fn all_but_one(cores: NonZeroUsize) -> NonZeroUsize {
    NonZeroUsize::new(cores.get() - 1).unwrap_or(cores)
}

/// The duration, or `otherwise` if it is zero, which turns a limit off.
pub(super) fn or_if_zero(duration: Duration, otherwise: Duration) -> Duration {
    if duration.is_zero() { otherwise } else { duration }
}
