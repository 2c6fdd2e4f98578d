//! A database for each test in the PostgreSQL that the environment names. It is dropped at the end.

use crate::oracle::say;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{NoTls, SimpleQueryMessage};

pub struct Database {
    /// What `--db` takes.
    pub url: String,
    server: String,
    name: String,
    runtime: Runtime,
}

impl Database {
    /// None if the environment names no server: the test is skipped.
    pub fn new() -> Option<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        #[allow(clippy::disallowed_methods, reason = "the tests are not the program")]
        let Ok(server) = std::env::var("ORDERD_TEST_JOURNAL") else {
            say(format_args!("skipped: ORDERD_TEST_JOURNAL names no PostgreSQL"));
            return None;
        };
        let name = format!("orderd_cli_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let (place, _) = server.rsplit_once('/').unwrap();
        let url = format!("{place}/{name}");
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let database = Self { url, server, name, runtime };
        database.run_at(&database.server, &format!("CREATE DATABASE {} STRATEGY file_copy", database.name));
        Some(database)
    }

    fn run_at(&self, url: &str, sql: &str) -> Vec<Option<String>> {
        self.runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
            tokio::spawn(connection);
            let found = client.simple_query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
            let first = |message| match message {
                SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
                _ => None,
            };
            found.into_iter().filter_map(first).collect()
        })
    }

    /// The first column of what a statement returns.
    pub fn run(&self, sql: &str) -> Vec<Option<String>> {
        self.run_at(&self.url, sql)
    }

    /// Changes a setting of every session that begins from now on.
    pub fn set(&self, setting: &str) {
        self.run(&format!("ALTER DATABASE {} SET {setting}", self.name));
    }

    /// The only value of a query.
    pub fn number(&self, sql: &str) -> i64 {
        self.run(sql).remove(0).unwrap().parse().unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.run_at(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}
