//! The service under test: the real application on a real file in a folder of its own, with a clock and identifiers
//! that the test controls.

use super::{
    client::{Call, Client},
    elsewhere::Elsewhere,
    journal::TestJournal,
    statements,
};
use axum::Router;
use orderd::{
    api,
    app::{App, Surroundings},
    auth::password::HashCost,
    config::{self, Flag, Proxies, Sources},
    domain::{
        id::Ids,
        time::{Clock, Timestamp},
    },
    outbound::Resolver,
    service::sessions,
    store::journal::OlderSchema,
};
use rusqlite::Connection;
use serde_json::json;
use std::{
    collections::{BTreeSet, HashMap},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Arc, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::Mutex;

/// The time at which every test starts.
pub const START: &str = "2026-06-15T12:00:00.000Z";
/// The password of all users in tests.
pub const PASSWORD: &str = "a long and private phrase";
/// Settings of all tests: access tokens outlive the days by which tests move the clock, there is no rate limit, and
/// commits are not synced.
const SETTINGS: &[(&str, &str)] =
    &[("auth.access_ttl", "30d"), ("limits.requests_per_minute", "0"), ("db.durability", "normal")];

/// A running service. Its clients keep working after [`Service::reopen`].
pub struct Service {
    shared: Arc<Shared>,
    people: Mutex<HashMap<String, Client>>,
    settings: Vec<(String, String)>,
    resolver: Resolver,
    /// The set-up token of a service that runs elsewhere.
    setup_token: Option<String>,
}

/// What answers the requests.
struct Running {
    /// None if it runs elsewhere.
    app: Option<App>,
    router: Router,
}

/// The state that a service shares with its clients.
pub(super) struct Shared {
    // Dropped before the journal, whose database cannot be dropped while it is connected to.
    running: RwLock<Option<Running>>,
    folder: TempDir,
    /// The journal that the service is on, if the tests run with one.
    journal: Option<Arc<TestJournal>>,
    time: Arc<AtomicI64>,
    starts: AtomicU64,
    pub(super) keys: AtomicU64,
    outcomes: std::sync::Mutex<BTreeSet<Outcome>>,
}

/// How one request ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// The operation. None if the path is not an operation.
    pub operation: Option<&'static str>,
    pub status: u16,
    /// The code of the problem, if the response was one.
    pub problem: Option<String>,
}

impl Shared {
    /// `starts` is the seed of the first identifiers.
    fn new(time: Arc<AtomicI64>, journal: Option<Arc<TestJournal>>, starts: u64) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            journal,
            running: RwLock::default(),
            time,
            starts: AtomicU64::new(starts),
            keys: AtomicU64::new(0),
            outcomes: std::sync::Mutex::default(),
        }
    }

    /// The router of the running service.
    pub(super) fn router(&self) -> Router {
        self.running.read().unwrap().as_ref().expect("the service is stopped").router.clone()
    }

    pub(super) fn record(&self, outcome: Outcome) {
        self.outcomes.lock().unwrap().insert(outcome);
    }
}

impl Service {
    /// Starts a service with an empty database.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts a service with an empty database and these settings, such as `("auth.access_ttl", "15m")`.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::resolving(settings, Resolver::system()).await
    }

    /// Starts a service with an empty database and these settings that resolves names in this way.
    pub async fn resolving(settings: &[(&str, &str)], resolver: Resolver) -> Self {
        statements::listen();
        let time = Arc::new(AtomicI64::new(Timestamp::parse(START).unwrap().millis()));
        let shared = Arc::new(Shared::new(time, TestJournal::from_environment().await, 0));
        let settings = SETTINGS.iter().chain(settings).map(|&(key, value)| (key.to_owned(), value.to_owned()));
        let service =
            Self { shared, people: Mutex::default(), settings: settings.collect(), resolver, setup_token: None };
        service.open();
        service
    }

    /// A service that runs elsewhere, at an address such as `127.0.0.1:8080`, and has this set-up token. The clock of
    /// this one has nothing to do with it.
    pub fn elsewhere(address: &str, setup_token: &str) -> (Self, Arc<Elsewhere>) {
        let (there, shared) = (Elsewhere::new(address), Arc::new(Shared::new(Arc::default(), None, 0)));
        *shared.running.write().unwrap() = Some(Running { app: None, router: there.router() });
        let (settings, resolver) = (vec![], Resolver::system());
        let service =
            Self { shared, people: Mutex::default(), settings, resolver, setup_token: Some(setup_token.to_owned()) };
        (service, there)
    }

    /// The journal that the service is on, if the tests run with one.
    pub fn journal(&self) -> Option<&TestJournal> {
        self.shared.journal.as_deref()
    }

    /// Starts another service on the same journal, with the same keys and the same clock; none without a journal.
    pub fn beside(&self) -> Option<Self> {
        let journal = Arc::clone(self.shared.journal.as_ref()?);
        let shared = Arc::new(Shared::new(Arc::clone(&self.shared.time), Some(journal), 1_000));
        let (settings, resolver) = (self.settings.clone(), self.resolver.clone());
        let service = Self { shared, people: Mutex::default(), settings, resolver, setup_token: None };
        std::fs::copy(self.key_path(), service.key_path()).unwrap();
        service.open();
        Some(service)
    }

    /// The same request, sent to this service.
    pub fn redirected(&self, call: Call) -> Call {
        call.to(Arc::clone(&self.shared))
    }

    /// Stops the service and starts it again on the same file.
    pub async fn reopen(&self) {
        self.stop().await;
        self.open();
    }

    /// Finishes accepted work and closes the file.
    pub async fn stop(&self) {
        let running = self.shared.running.write().unwrap().take();
        let Running { app, router } = running.expect("the service is stopped already");
        let app = app.expect("it runs elsewhere");
        app.store.close().await;
        drop((app, router));
    }

    /// Starts again after [`Service::stop`].
    pub fn open(&self) {
        self.open_with(&[]);
    }

    /// Starts again after [`Service::stop`], with further settings. A file that a test has put there is no copy of a
    /// journal, and is opened without one.
    pub fn open_with(&self, more: &[(&str, &str)]) {
        let db_path = self.path().display().to_string();
        let db = match &self.shared.journal {
            Some(journal) if !is_plain_file(&self.path()) => {
                vec![("db.url", journal.url.as_str()), ("db.copy", db_path.as_str())]
            }
            _ => vec![("db.path", db_path.as_str())],
        };
        let settings = self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let settings = settings.chain(more.iter().copied());
        let flags = settings.chain(db).map(|(key, value)| Flag::new("--set", key, value));
        let loaded = config::load(Sources { file: None, environment: vec![], flags: flags.collect() }).unwrap();
        let time = Arc::clone(&self.shared.time);
        let surroundings = Surroundings {
            clock: Clock::from_fn(move || Timestamp::from_millis(time.load(Ordering::Relaxed))),
            // Identifiers are the same in every run of a test, and differ between starts.
            ids: Ids::seeded(self.shared.starts.fetch_add(1, Ordering::Relaxed)),
            hash_cost: HashCost { memory_kib: 8, passes: 1 },
            cores: NonZeroUsize::new(2).unwrap(),
            resolver: self.resolver.clone(),
            proxies: Proxies::default(),
            older_schema: OlderSchema::Upgraded,
        };
        let app = App::open(loaded.config, surroundings).unwrap_or_else(|e| panic!("{e}"));
        let router = api::router(app.clone());
        *self.shared.running.write().unwrap() = Some(Running { app: Some(app), router });
    }

    /// The application. Drop it before [`Service::reopen`].
    pub fn app(&self) -> App {
        let running = self.shared.running.read().unwrap();
        running.as_ref().expect("the service is stopped").app.clone().expect("it runs elsewhere")
    }

    /// The path of the database file.
    pub fn path(&self) -> PathBuf {
        self.folder().join("orders.db")
    }

    /// The path of the file with its keys.
    pub fn key_path(&self) -> PathBuf {
        self.folder().join("orders.db.key")
    }

    /// The folder of the service.
    pub fn folder(&self) -> &Path {
        self.shared.folder.path()
    }

    /// The time of the clock.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.shared.time.load(Ordering::Relaxed))
    }

    /// Sets the clock to this time, such as `2026-06-15T12:00:00Z`.
    pub fn at(&self, time: &str) {
        let time = Timestamp::parse(time).expect("a time");
        self.shared.time.store(time.millis(), Ordering::Relaxed);
    }

    /// Moves the clock forward.
    pub fn pass(&self, time: Duration) {
        self.shared.time.store(self.now().plus(time).millis(), Ordering::Relaxed);
    }

    /// How the requests to this service have ended, each kind of outcome once.
    pub fn outcomes(&self) -> BTreeSet<Outcome> {
        self.shared.outcomes.lock().unwrap().clone()
    }

    /// A client without credentials.
    pub fn anonymous(&self) -> Client {
        Client::anonymous(Arc::clone(&self.shared))
    }

    /// The first administrator, created with the set-up token.
    pub async fn admin(&self) -> Client {
        let mut people = self.people.lock().await;
        if let Some(admin) = people.get("admin") {
            return admin.clone();
        }
        let token = match &self.setup_token {
            Some(token) => token.clone(),
            None => sessions::offer_setup(&self.app()).await.unwrap().expect("no user yet").reveal().to_owned(),
        };
        let body = json!({"token": token, "email": "admin@example.com", "name": "admin", "password": PASSWORD});
        self.anonymous().post("/v1/setup", body).await.created();
        let admin = self.anonymous().log_in("admin@example.com", PASSWORD).await;
        people.insert("admin".to_owned(), admin.clone());
        admin
    }

    /// A manager.
    pub async fn manager(&self) -> Client {
        self.person("manager", "manager").await
    }

    /// A member of the staff.
    pub async fn staff(&self) -> Client {
        self.person("staff", "staff").await
    }

    /// An analyst.
    pub async fn analyst(&self) -> Client {
        self.person("analyst", "analyst").await
    }

    /// A customer.
    pub async fn customer(&self) -> Client {
        self.person("customer", "customer").await
    }

    /// Another customer.
    pub async fn other_customer(&self) -> Client {
        self.person("other", "customer").await
    }

    /// A program with an API key of the administrator's that has these permissions.
    pub async fn program(&self, permissions: &[&str]) -> Client {
        let body = json!({"name": "program", "permissions": permissions});
        let key = self.admin().await.post("/v1/api-keys", body).await.created();
        self.anonymous().bearing(key["secret"].as_str().expect("a secret"))
    }

    /// The user `<name>@example.com` with this role. The administrator creates it on first use.
    pub async fn person(&self, name: &str, role: &str) -> Client {
        let admin = self.admin().await;
        let mut people = self.people.lock().await;
        if let Some(person) = people.get(name) {
            return person.clone();
        }
        let email = format!("{name}@example.com");
        let body = json!({"email": email, "name": name, "role": role, "password": PASSWORD});
        admin.post("/v1/users", body).await.created();
        let person = self.anonymous().log_in(&email, PASSWORD).await;
        people.insert(name.to_owned(), person.clone());
        person
    }
}

/// Whether there is a database that is not the copy of a journal.
fn is_plain_file(path: &Path) -> bool {
    let table = "SELECT count(*) = 0 FROM sqlite_schema WHERE name = 'journal_position'";
    path.exists() && Connection::open(path).unwrap().query_row(table, [], |row| row.get(0)).unwrap()
}
