//! The journal in PostgreSQL that the tests run with if `ORDERD_TEST_JOURNAL` names a server: each service has a
//! database of its own there.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio_postgres::{Client, Config, NoTls, config::Host};

/// A database of PostgreSQL, which is dropped with this.
pub struct TestJournal {
    /// Where it is.
    pub url: String,
    server: Config,
    name: String,
}

static MADE: AtomicU64 = AtomicU64::new(0);

impl TestJournal {
    /// A new database on the server of the environment; none if the environment names none.
    pub async fn from_environment() -> Option<Arc<Self>> {
        #[allow(clippy::disallowed_methods, reason = "whoever runs the tests decides about the server")]
        let server: Config = std::env::var("ORDERD_TEST_JOURNAL").ok()?.parse().unwrap();
        let name = format!("orderd_test_{}_{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        run(&server, &format!("CREATE DATABASE {name} STRATEGY file_copy")).await;
        let [Host::Tcp(host)] = server.get_hosts() else { panic!("the server must have one host") };
        let (port, user) = (server.get_ports().first().copied().unwrap_or(5432), server.get_user().unwrap());
        let password =
            server.get_password().map_or(String::new(), |text| format!(":{}", String::from_utf8_lossy(text)));
        let url = format!("postgres://{user}{password}@{host}:{port}/{name}");
        Some(Arc::new(Self { url, server, name }))
    }
}

impl TestJournal {
    async fn client(&self) -> Client {
        let (client, connection) = self.server.clone().dbname(&self.name).connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// The bytes of each entry.
    pub async fn sizes_of_entries(&self) -> Vec<i32> {
        let rows = self.client().await.query("SELECT length(body) FROM orderd.journal", &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The number of sessions that others have.
    pub async fn sessions(&self) -> i64 {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        self.client().await.query_one(sql, &[]).await.unwrap().get(0)
    }
}

async fn run(server: &Config, sql: &str) {
    let (client, connection) = server.connect(NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    let _ = connection.await;
}

impl Drop for TestJournal {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(&server, &format!("DROP DATABASE {name} WITH (FORCE)")));
        });
        // A database that stays does no harm.
        let _ = dropped.join();
    }
}
