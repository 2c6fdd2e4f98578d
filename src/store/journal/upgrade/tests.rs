//! Steps that are made up, since there is only one version of the schema yet. These tests need a PostgreSQL server,
//! which `ORDERD_TEST_JOURNAL` names; without one they say that they are skipped.

use super::*;
use crate::{
    domain::{
        id::Ids,
        permission::{Permission, PermissionSet},
        time::Clock,
    },
    store::{
        Commits, Options, Store, WriteTx,
        audit::{self, NewEntry},
        journal::{Connect, join::join},
        migrate::tests::TWO,
        roles::{self, Role},
        schema::SCHEMA_VERSION,
        with_suffix,
    },
};
use rusqlite::types::Value;
use std::{
    collections::BTreeMap,
    io::Write,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, split},
    net::{TcpListener, TcpStream},
};
use tokio_postgres::{Config, NoTls, config::Host};

/// A database of PostgreSQL with an empty journal, and a folder for copies of it.
struct Place {
    server: Config,
    name: String,
    folder: tempfile::TempDir,
}

async fn execute_in(server: &Config, sql: &str) {
    let (client, connection) = server.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

impl Place {
    async fn new(name: &str) -> Option<Self> {
        #[allow(clippy::disallowed_methods, reason = "whoever runs the tests decides about the server")]
        let Ok(url) = std::env::var("ORDERD_TEST_JOURNAL") else {
            // Not captured, unlike what `println!` says.
            writeln!(std::io::stderr(), "skipped: ORDERD_TEST_JOURNAL names no PostgreSQL").unwrap();
            return None;
        };
        let (server, name): (Config, _) = (url.parse().unwrap(), format!("orderd_step_{}_{name}", std::process::id()));
        execute_in(&server, &format!("CREATE DATABASE {name}")).await;
        Some(Self { server, name, folder: tempfile::tempdir().unwrap() })
    }

    /// A place whose journal has one entry, of a server that has stopped.
    async fn begun(name: &str) -> Option<Self> {
        let place = Self::new(name).await?;
        let store = place.store("first");
        write(&store, "one").await;
        store.close().await;
        Some(place)
    }

    /// Connects to the port of this machine, or to the server.
    fn connect(&self, port: Option<u16>) -> Connect {
        let mut server = self.server.clone();
        server.dbname(&self.name);
        let server = port.map_or(server.clone(), |port| {
            let mut near = Config::new();
            near.host("127.0.0.1").port(port).user(server.get_user().unwrap()).dbname(&self.name);
            if let Some(password) = server.get_password() {
                near.password(password);
            }
            near
        });
        Arc::new(move |_| {
            let server = server.clone();
            Box::pin(async move {
                let (client, connection) = server.connect(NoTls).await.map_err(|e| e.to_string())?;
                tokio::spawn(connection);
                Ok(client)
            })
        })
    }

    fn options(&self) -> JournalOptions {
        let clock = Clock::system();
        JournalOptions { connect: self.connect(None), writer: [7; 16], clock, older_schema: OlderSchema::Upgraded }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A store on the journal, with this file.
    fn store(&self, name: &str) -> Store {
        let options = Options {
            path: self.path(name),
            commits: Commits::Written,
            request_timeout: Duration::from_secs(10),
            query_budget: Duration::from_secs(10),
            threads: 1,
            first_number: 1,
            clock: Clock::system(),
            ids: Arc::new(Ids::seeded(1)),
            journal: Some(self.options()),
        };
        Store::open(&options).unwrap()
    }

    /// Joins with this file, and upgrades it and the journal.
    fn upgrade(&self, name: &str, options: &JournalOptions, migrations: &[Migration]) -> Result<(), OpenError> {
        let path = self.path(name);
        join(&path, options, Commits::Written).unwrap();
        let mut connection = Connection::open(&path).unwrap();
        let from = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        upgrade(&path, &mut connection, from, options, migrations)
    }

    fn version(&self, name: &str) -> i64 {
        let connection = Connection::open(self.path(name)).unwrap();
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    /// The rows of every table but the mark of the log, which is random.
    fn rows(&self, name: &str) -> BTreeMap<String, Vec<Vec<Value>>> {
        let connection = Connection::open(self.path(name)).unwrap();
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'log_mark'";
        let mut tables = connection.prepare(sql).unwrap();
        let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let rows = |table: String| {
            let mut select = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = select.column_count();
            let found = select.query_map([], |row| (0..columns).map(|column| row.get(column)).collect()).unwrap();
            let found = found.map(Result::unwrap).collect();
            (table, found)
        };
        tables.into_iter().map(rows).collect()
    }

    /// The schema of each entry, and how many statements it has.
    async fn entries(&self) -> Vec<(i64, usize)> {
        let session = Session::connect(&self.connect(None)).await.unwrap_or_else(|fault| panic!("{fault}"));
        let page = session.after(0).await.unwrap_or_else(|fault| panic!("{fault}"));
        let entries = page.entries.iter().map(|stored| Entry::decode(&stored.body).unwrap());
        entries.map(|entry| (entry.schema, entry.statements.count)).collect()
    }

    async fn drop(self) {
        execute_in(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

/// Writes a role and an entry of the audit trail.
async fn write(store: &Store, role: &'static str) {
    let work = move |tx: &WriteTx<'_>| {
        roles::put(tx, &Role { name: role.to_owned(), permissions: PermissionSet::of(&[Permission::OrdersRead]) })?;
        audit::append(tx, NewEntry::of("ada", role)).map(drop)
    };
    store.write("test", work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_file_takes_a_step_at_the_same_entry_and_servers_of_the_version_before_end() {
    let Some(place) = Place::new("same").await else { return };
    // Three files at three places of the journal: at its beginning, after two entries, and at its end.
    let first = place.store("first");
    let beginning = place.store("beginning");
    beginning.close().await;
    drop(beginning);
    std::fs::copy(place.path("beginning"), place.path("kept")).unwrap();
    write(&first, "one").await;
    write(&first, "two").await;
    let middle = place.store("middle");
    middle.close().await;
    drop(middle);
    write(&first, "three").await;
    let running = place.store("running");
    first.close().await;
    drop(first);

    let written = place.entries().await;
    assert_eq!(written.iter().map(|(schema, _)| *schema).collect::<Vec<_>>(), [SCHEMA_VERSION; 3]);
    place.upgrade("first", &place.options(), TWO).unwrap();
    let steps = place.entries().await.split_off(written.len());
    assert_eq!(steps, [(2, 0), (3, 0)]);
    assert!(with_suffix(&place.path("first"), ".pre-v2.db").exists());

    // What only reads follows the steps that are there.
    let reading = JournalOptions { older_schema: OlderSchema::Refused, ..place.options() };
    for name in ["kept", "middle", "new"] {
        place.upgrade(name, &reading, TWO).unwrap();
        assert_eq!((place.version(name), place.rows(name)), (3, place.rows("first")), "{name}");
        assert!(!with_suffix(&place.path(name), ".pre-v2.db").exists());
    }
    assert_eq!(place.rows("first")["roles"].len(), 3 + place.rows("beginning")["roles"].len());
    assert_eq!(place.entries().await.len(), written.len() + steps.len(), "no step is taken twice");

    for _ in 0..500 {
        if running.has_failed() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(running.has_failed());
    place.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_fails_or_is_refused_changes_neither_the_file_nor_the_journal() {
    let Some(place) = Place::new("fails").await else { return };
    let store = place.store("first");
    write(&store, "one").await;
    let broken = Migration {
        to: 2,
        sql: "DELETE FROM users; INSERT INTO nowhere VALUES (1);",
        sha256: "1a04cfc470a1dda11205f00bfb8e521784eca29f009ed128d9f791c37b83e509",
    };
    let error = place.upgrade("second", &place.options(), &[broken]).unwrap_err().to_string();
    assert!(error.contains("the upgrade to schema 2 failed: no such table"), "{error}");
    let refusing = JournalOptions { older_schema: OlderSchema::Refused, ..place.options() };
    let refused = place.upgrade("second", &refusing, TWO).unwrap_err();
    assert!(matches!(refused, OpenError::Older(_, SCHEMA_VERSION)), "{refused}");
    assert_eq!((place.version("second"), place.entries().await.len()), (SCHEMA_VERSION, 1));
    // The turn is free, and the server goes on.
    write(&store, "two").await;
    store.close().await;
    drop(store);
    drop(place.store("second"));
    place.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_that_start_at_once_take_each_step_once() {
    let Some(place) = Place::begun("once").await else { return };
    std::thread::scope(|scope| {
        for name in ["first", "second", "third"] {
            scope.spawn(|| place.upgrade(name, &place.options(), TWO).unwrap());
        }
    });
    assert_eq!(place.entries().await.split_off(1), [(2, 0), (3, 0)]);
    for name in ["second", "third"] {
        assert_eq!(place.rows(name), place.rows("first"));
    }
    place.drop().await;
}

/// What becomes of the first commit on a connection through a proxy, whose answer is lost.
#[derive(Clone, Copy)]
enum Commit {
    Arrives,
    IsLost,
}

/// Starts a proxy that cuts the connection at the first commit. Returns its port, and how many commits it has cut off.
async fn cutting(server: &Config, commit: Commit) -> (u16, Arc<AtomicUsize>) {
    let [Host::Tcp(host)] = server.get_hosts() else { panic!("the server must have one host") };
    let server = (host.clone(), server.get_ports().first().copied().unwrap_or(5432));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, cuts) = (listener.local_addr().unwrap().port(), Arc::<AtomicUsize>::default());
    let count = Arc::clone(&cuts);
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let (server, count) = (TcpStream::connect(&server).await.unwrap(), Arc::clone(&count));
            tokio::spawn(forward(client, server, commit, count));
        }
    });
    (port, cuts)
}

async fn forward(client: TcpStream, server: TcpStream, commit: Commit, cuts: Arc<AtomicUsize>) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (split(client), split(server));
    let back = tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
        let sent = &buffer[..read];
        let commits = sent.windows(6).any(|word| word == b"COMMIT");
        if commits && cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |cut| (cut == 0).then_some(1)).is_ok() {
            back.abort();
            if let Commit::Arrives = commit {
                to_server.write_all(sent).await.unwrap();
            }
            return;
        }
        to_server.write_all(sent).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_step_whose_answer_is_lost_is_taken_once() {
    for (name, commit) in [("arrives", Commit::Arrives), ("is_lost", Commit::IsLost)] {
        let Some(place) = Place::begun(name).await else { return };
        let (port, cuts) = cutting(&place.server, commit).await;
        let options = JournalOptions { connect: place.connect(Some(port)), ..place.options() };
        place.upgrade("first", &options, TWO).unwrap();
        assert_eq!(cuts.load(Ordering::SeqCst), 1);
        assert_eq!(place.entries().await.split_off(1), [(2, 0), (3, 0)], "{name}");
        place.upgrade("second", &place.options(), TWO).unwrap();
        assert_eq!(place.rows("second"), place.rows("first"), "{name}");
        place.drop().await;
    }
}
