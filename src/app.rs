//! The application: everything that requests share, built once, here.

pub mod access;
pub mod backups;
pub mod readiness;

use crate::{
    auth::{
        Cursors, Mac,
        access::AccessCache,
        password::{HashCost, PasswordHasher, PasswordRules},
        rate_limit::{LoginDelays, RequestLimits},
        secret,
        token::{KeyRing, Tokens},
    },
    config::{Config, Durability},
    domain::{
        id::Ids,
        time::{Clock, Timestamp},
    },
    error::{Error, Result},
    store::{Commits, OpenError, Options, Store, audit::RefusalBuffer},
    telemetry::metrics::Metrics,
};
use std::{
    fmt,
    num::NonZeroUsize,
    ops::Deref,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{Semaphore, watch};

/// A query in the lane of long ones may take this long where requests have no time limit.
const QUERY_BUDGET: Duration = Duration::from_secs(10);
/// Requests that are worked on at once: enough to fill the writer's transactions, few enough to be done soon.
const REQUEST_PERMITS: usize = 512;
/// Imports that go on at once. Two of them fill the writer's transactions, and each may need several times the 8 MiB of
/// lines that it works on, and 16 MiB for answers that wait for its client.
const IMPORTS: usize = 4;
/// A limit that is never reached.
const UNLIMITED: Duration = Duration::from_hours(24 * 365);

/// What every request shares. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The shared parts.
pub struct Parts {
    /// Every setting.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// Access tokens.
    pub tokens: Tokens,
    /// Password hashes.
    pub hasher: PasswordHasher,
    /// What a password has to be.
    pub password_rules: PasswordRules,
    /// Who may do what, in memory.
    pub access: AccessCache,
    /// Delays and limits of failed log-ins.
    pub login_delays: LoginDelays,
    /// Rate limits of requests.
    pub request_limits: RequestLimits,
    /// A permit for each request that is worked on.
    pub request_permits: Semaphore,
    /// Places in lists.
    pub cursors: Cursors,
    /// Digests of passwords in requests that may come again.
    pub fingerprints: Mac,
    /// A permit for each import that goes on, and for each of those who may import for themselves only.
    pub imports: Imports,
    /// Whether the parts work.
    pub readiness: readiness::Readiness,
    /// What is known of the scheduled backups.
    pub backups: backups::Backups,
    /// What is counted.
    pub metrics: Metrics,
    /// What was refused and is to be recorded.
    pub refusals: RefusalBuffer,
    /// Where the time comes from.
    pub clock: Clock,
    /// Where identifiers come from.
    pub ids: Arc<Ids>,
    /// The token that makes the first administrator, while there is none.
    pub setup: Mutex<Option<SetupToken>>,
    draining: watch::Sender<bool>,
}

/// A permit for each import that goes on. An import may last for as long as its client likes, so those who import for
/// themselves have permits of their own and cannot take those of the staff.
pub struct Imports {
    /// Of those who may make orders for anybody.
    pub for_anybody: Arc<Semaphore>,
    /// Of those who may make orders for themselves only.
    pub for_oneself: Arc<Semaphore>,
}

impl Default for Imports {
    fn default() -> Self {
        Self { for_anybody: Arc::new(Semaphore::new(IMPORTS)), for_oneself: Arc::new(Semaphore::new(IMPORTS)) }
    }
}

/// Digest of the set-up token, and when it stops being good.
pub struct SetupToken {
    /// SHA-256 of the token.
    pub digest: secret::Digest,
    /// It is good until then.
    pub expires_at: Timestamp,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What the application takes from its surroundings, so that tests can hold it in their hands.
pub struct Surroundings {
    /// Where the time comes from.
    pub clock: Clock,
    /// Where identifiers come from.
    pub ids: Ids,
    /// What hashing a password costs.
    pub hash_cost: HashCost,
    /// Threads that work at once.
    pub cores: NonZeroUsize,
}

impl Surroundings {
    /// The real ones.
    pub fn system() -> Result<Self> {
        Ok(Self {
            clock: Clock::system(),
            ids: Ids::seeded(secret::random_seed()?),
            hash_cost: HashCost::default(),
            cores: std::thread::available_parallelism().map_err(Error::internal)?,
        })
    }
}

/// Why the application could not be built.
#[derive(Debug)]
pub enum StartError {
    /// The database cannot be used.
    Database(OpenError),
    /// Something else: a line that names it.
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
    /// Opens the database and the signing keys, and remembers who may do what.
    pub fn open(config: Config, surroundings: Surroundings) -> Result<Self, StartError> {
        let Surroundings { clock, ids, hash_cost, cores } = surroundings;
        let ids = Arc::new(ids);
        let timeout = some_or(config.server.request_timeout, UNLIMITED);
        let store = Store::open(&Options {
            path: config.db.path.clone(),
            commits: match config.db.durability {
                Durability::Full => Commits::Synced,
                Durability::Normal => Commits::Written,
            },
            request_timeout: timeout,
            query_budget: some_or(config.server.request_timeout, QUERY_BUDGET),
            threads: cores.get(),
            clock: clock.clone(),
            ids: Arc::clone(&ids),
        })
        .map_err(StartError::Database)?;
        let ring = KeyRing::load_or_create(&config.signing_key_file(), clock.now())?;
        let app = Self(Arc::new(Parts {
            tokens: Tokens::new(&ring)?,
            cursors: Cursors::new(&ring),
            fingerprints: Mac::new(&ring, b"fingerprint"),
            backups: backups::Backups::default(),
            metrics: Metrics::new(clock.now()),
            refusals: RefusalBuffer::default(),
            hasher: PasswordHasher::new(hash_cost, all_but_one(cores))?,
            password_rules: PasswordRules { min_length: config.auth.password_min_length },
            access: AccessCache::new(access::load(&store, clock.now())?),
            login_delays: LoginDelays::new(config.limits.login_per_minute),
            request_limits: RequestLimits::new(config.limits.requests_per_minute),
            request_permits: Semaphore::new(REQUEST_PERMITS),
            imports: Imports::default(),
            readiness: readiness::Readiness::default(),
            config,
            store,
            clock,
            ids,
            setup: Mutex::new(None),
            draining: watch::Sender::new(false),
        }));
        Ok(app)
    }

    /// The version of the SQLite that is part of this program.
    pub fn sqlite_version() -> &'static str {
        crate::store::sqlite_version()
    }

    /// How long a request may take.
    pub fn time_limit(&self) -> Duration {
        some_or(self.config.server.request_timeout, UNLIMITED)
    }

    /// How many bytes a body may have.
    pub fn body_limit(&self) -> usize {
        match self.config.limits.body_bytes {
            0 => usize::MAX,
            bytes => bytes,
        }
    }

    /// Takes nothing new from now on.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Whether it takes nothing new any more.
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Resolves when it takes nothing new any more.
    pub async fn drained(&self) {
        // The sender lives as long as this application does.
        let _ = self.draining.subscribe().wait_for(|draining| *draining).await;
    }
}

/// A core stays free of hashing, so that a storm of log-ins leaves one to orders.
fn all_but_one(cores: NonZeroUsize) -> NonZeroUsize {
    NonZeroUsize::new(cores.get() - 1).unwrap_or(cores)
}

/// Zero turns a limit off.
fn some_or(duration: Duration, otherwise: Duration) -> Duration {
    if duration.is_zero() { otherwise } else { duration }
}
