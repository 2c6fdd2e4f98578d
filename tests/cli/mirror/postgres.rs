//! The PostgreSQL of the tests, with a schema of its own for each test, and the comparison of a mirror with its
//! database.

use crate::{
    oracle::say,
    support::{TestDir, bare},
};
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use serde_json::Value;
use std::{
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A schema in the server that the environment names. It is dropped at the end.
pub struct Postgres {
    pub url: String,
    pub schema: String,
    runtime: Runtime,
}

#[allow(clippy::disallowed_methods, reason = "the tests are not the program")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Postgres {
    /// None if the environment names no server: the test is skipped.
    pub fn new() -> Option<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let Some(url) = variable("ORDERD_TEST_POSTGRES") else {
            say(format_args!("skipped: ORDERD_TEST_POSTGRES names no PostgreSQL"));
            return None;
        };
        let schema = format!("t{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        Some(Self { url, schema, runtime: Builder::new_current_thread().enable_all().build().unwrap() })
    }

    /// The flags of `orderd mirror`.
    pub fn target(&self) -> String {
        format!("--to {} --schema {}", self.url, self.schema)
    }

    fn split(&self) -> (&str, &str, &str) {
        let (before, host) = self.url.rsplit_once('@').unwrap();
        let (user, password) = before.rsplit_once(':').unwrap();
        (user, password, host)
    }

    pub fn url_with_password(&self, password: &str) -> String {
        let (user, _, host) = self.split();
        format!("{user}:{password}@{host}")
    }

    /// The URL without its password, and the password.
    pub fn url_without_password(&self) -> (String, String) {
        let (user, password, host) = self.split();
        (format!("{user}@{host}"), password.to_owned())
    }

    /// The URL with another name for the same host.
    pub fn url_at(&self, host: &str) -> String {
        let (user, password, rest) = self.split();
        let rest = &rest[rest.find([':', '/']).unwrap()..];
        format!("{user}:{password}@{host}{rest}")
    }

    async fn connect(&self) -> Client {
        // A server that was restarted may not be ready yet.
        for attempt in 0.. {
            match tokio_postgres::connect(&self.url, NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    return client;
                }
                Err(e) => assert!(attempt < 200, "{e:?}"),
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        unreachable!()
    }

    /// The rows of a query as text. `{s}` stands for the schema.
    pub fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.try_rows(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"))
    }

    fn try_rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
        let sql = sql.replace("{s}", &self.schema);
        let found = self.runtime.block_on(async { self.connect().await.simple_query(&sql).await })?;
        let rows = found.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// The first column of a query.
    pub fn column(&self, sql: &str) -> Vec<String> {
        self.rows(sql).into_iter().filter_map(|mut row| row.remove(0)).collect()
    }

    pub fn text(&self, sql: &str) -> String {
        self.rows(sql).remove(0).remove(0).unwrap_or_default()
    }

    pub fn number(&self, sql: &str) -> i64 {
        self.text(sql).parse().unwrap()
    }

    /// How far the mirror is; none before it has tables.
    pub fn seq(&self) -> Option<i64> {
        let rows = self.try_rows("SELECT seq FROM {s}.mirror").ok()?;
        rows.first()?.first()?.as_ref()?.parse().ok()
    }

    /// Ends the sessions of all mirrors.
    pub fn end_sessions(&self) {
        self.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orderd mirror'");
    }

    /// Restarts the server by the command in `ORDERD_TEST_POSTGRES_RESTART`, if there is one.
    pub fn restart() -> bool {
        let Some(command) = variable("ORDERD_TEST_POSTGRES_RESTART") else { return false };
        let status = bare(Command::new("sh").args(["-c", &command])).status().unwrap();
        assert!(status.success(), "{command}: {status}");
        true
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A test that has failed already says why.
        let _ = self.try_rows("DROP SCHEMA IF EXISTS {s} CASCADE");
    }
}

fn open(dir: &TestDir) -> Connection {
    Connection::open_with_flags(dir.path().join("orders.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// The views of the database and the tables of the mirror that show the same, with the column that identifies a row.
const SAME: [(&str, &str, &str); 4] = [
    ("v_orders", "v_orders", "id"),
    ("v_order_items", "v_order_items", "id"),
    ("v_transactions", "v_transactions", "id"),
    ("v_events", "events", "seq"),
];

/// The mirror has exactly the rows of the database. The views in the file are other statements than the mirror's.
#[track_caller]
pub fn assert_equal(dir: &TestDir, postgres: &Postgres) {
    let connection = open(dir);
    for (view, table, key) in SAME {
        let of_mirror = columns_of(postgres, table);
        let statement = connection.prepare(&format!("SELECT * FROM {view}")).unwrap();
        let names: Vec<_> = statement.column_names().into_iter().map(str::to_owned).collect();
        let both: Vec<_> = names.into_iter().filter(|name| of_mirror.contains(name)).collect();
        assert!(both.len() + 1 >= of_mirror.len().min(9), "{view} and {table} share few columns: {both:?}");
        let expected = rows_of_file(&connection, &format!("SELECT {} FROM {view} ORDER BY {key}", both.join(", ")));
        let shown = |name: &String| match name.as_str() {
            name if name.ends_with("_at") => {
                format!("to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
            }
            name => name.to_owned(),
        };
        let shown: Vec<_> = both.iter().map(shown).collect();
        let order = if key == "id" { "id COLLATE \"C\"" } else { key };
        let found = postgres.rows(&format!("SELECT {} FROM {{s}}.{table} ORDER BY {order}", shown.join(", ")));
        assert_eq!(found.len(), expected.len(), "rows of {table}");
        for (found, expected) in found.iter().zip(&expected) {
            for ((found, expected), name) in found.iter().zip(expected).zip(&both) {
                assert!(is_same(found.as_deref(), expected.as_deref()), "{table}.{name}: {found:?}, not {expected:?}");
            }
        }
    }
    let fees = "SELECT count(*), coalesce(sum(value ->> 'total_amount'), 0), coalesce(sum(value ->> 'tax_amount'), 0)
         FROM orders, json_each(fees)";
    let mirrored = "SELECT count(*), coalesce(sum(total_amount), 0), coalesce(sum(tax_amount), 0) FROM {s}.order_fees";
    assert_eq!(postgres.rows(mirrored), rows_of_file(&connection, fees));
    let owners = "SELECT coalesce(content ->> 'email', ''), coalesce(content ->> 'name', ''), status FROM (
           SELECT iif(content GLOB '{*', content, '{}') AS content, status
           FROM users u JOIN personal p ON p.seq = u.personal_seq WHERE u.id IN (SELECT user_id FROM orders)) ORDER BY 1";
    let mirrored = "SELECT coalesce(email, ''), coalesce(name, ''), status FROM {s}.customers
         ORDER BY coalesce(email, '') COLLATE \"C\"";
    assert_eq!(postgres.rows(mirrored), rows_of_file(&connection, owners));
}

fn columns_of(postgres: &Postgres, table: &str) -> Vec<String> {
    let sql = format!(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = '{{s}}' AND table_name = '{table}'"
    );
    postgres.column(&sql)
}

fn rows_of_file(connection: &Connection, sql: &str) -> Vec<Vec<Option<String>>> {
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let text = |value: ValueRef<'_>| match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(text) => Some(String::from_utf8(text.to_vec()).unwrap()),
        ValueRef::Blob(_) => panic!("a view has no bytes"),
    };
    let read = |row: &rusqlite::Row<'_>| Ok((0..columns).map(|i| text(row.get_ref(i).unwrap())).collect());
    statement.query_map([], read).unwrap().map(Result::unwrap).collect()
}

/// Whether two texts show the same number, switch, JSON or text.
fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one == other };
    let number = |text: &str| match text {
        "t" => Some(1.0),
        "f" => Some(0.0),
        _ => text.parse::<f64>().ok(),
    };
    let document = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    one == other
        || matches!((number(one), number(other)), (Some(a), Some(b)) if (a - b).abs() < 1e-6)
        || matches!((document(one), document(other)), (Some(a), Some(b)) if a == b)
}

/// The tables of the mirror that have this text anywhere.
pub fn texts_with(postgres: &Postgres, text: &str) -> Vec<String> {
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = '{s}' ORDER BY 1";
    let has = |table: &String| {
        postgres.number(&format!("SELECT count(*) FROM {{s}}.{table} t WHERE t::text LIKE '%{text}%'")) > 0
    };
    postgres.column(tables).into_iter().filter(has).collect()
}
