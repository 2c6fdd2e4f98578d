//! Files damaged outside of SQLite: every change is found when the file is opened, read or verified.

use crate::{
    support::{Service, order_of},
    upgrade::fixture,
};
use orderd::store::{Store, verify};
use rusqlite::{Connection, OpenFlags, config::DbConfig, types::Value};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The tables that are compared with other data, so that every changed value is found.
const COVERED: [&str; 8] =
    ["orders", "order_items", "order_credits", "transactions", "events", "audit", "rollups", "skus"];

fn copy_of_fixture() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.db");
    fs::copy(fixture("v1.db"), &path).unwrap();
    (folder, path)
}

/// The faults that are found in a file.
fn faults(path: &Path) -> Vec<String> {
    match Store::inspect(path, verify::all) {
        Err(e) => vec![e.to_string()],
        Ok(Err(e)) => vec![e.to_string()],
        Ok(Ok(checks)) => {
            checks.into_iter().filter_map(|check| Some(format!("{}: {}", check.name, check.fault?))).collect()
        }
    }
}

/// A connection that checks no triggers, constraints or references.
fn unchecked(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    connection.execute_batch("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF").unwrap();
    connection
}

/// The columns of a table, with their types.
fn columns(connection: &Connection, table: &str) -> Vec<(String, String)> {
    let mut statement = connection.prepare("SELECT name, type FROM pragma_table_info(?1)").unwrap();
    statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Whether a fault is reported for this table.
fn is_reported_for(table: &str, fault: &str) -> bool {
    let names: &[&str] = match table {
        "events" => &["event_chain: row ", "foreign_keys: row "],
        "audit" => &["audit_chain: row "],
        // An order's identifier is a part of the documents of its events, and stored with the order alone.
        "orders" => &["orders: row ", "order_", "foreign_keys: ", "event_chain: row "],
        "order_items" => &["order_items: order row ", "order_totals: order row ", "order_returns: order row "],
        "order_credits" => &["order_credits: order row ", "foreign_keys: "],
        "transactions" => &[
            "transactions: order row ",
            "transaction_rows: ",
            "order_payments: ",
            "credits_of_refunds: ",
            "order_credits: ",
            "order_returns: ",
            "foreign_keys: ",
        ],
        _ => &["sales_", "user_sales_", "status_sales_", "item_sales_", "tax_sales_"],
    };
    names.iter().any(|name| fault.starts_with(name))
}

#[test]
fn the_fixture_has_no_faults() {
    assert_eq!(faults(&copy_of_fixture().1), Vec::<String>::new());
}

#[test]
fn a_change_in_any_column_is_found() {
    let (folder, path) = copy_of_fixture();
    let mut tried = 0;
    for table in COVERED {
        for (column, kind) in columns(&Connection::open(&path).unwrap(), table) {
            let other = match kind.as_str() {
                "INTEGER" => format!("{column} + 1000003"),
                "TEXT" => format!("{column} || 'x'"),
                _ => "randomblob(16)".to_owned(),
            };
            let something = match kind.as_str() {
                "INTEGER" => "1",
                "TEXT" => "'x'",
                _ => "randomblob(16)",
            };
            for change in [
                format!("SET {column} = {other} WHERE {column} IS NOT NULL"),
                format!("SET {column} = NULL WHERE {column} IS NOT NULL"),
                format!("SET {column} = {something} WHERE {column} IS NULL"),
            ] {
                let damaged = folder.path().join("damaged.db");
                fs::copy(&path, &damaged).unwrap();
                let connection = unchecked(&damaged);
                let key = if ["orders", "transactions", "events", "audit"].contains(&table) { "seq" } else { "rank" };
                let one = match key {
                    "seq" => format!(
                        "UPDATE {table} {change} AND seq = (SELECT seq FROM {table} WHERE {} LIMIT 1 OFFSET 3)",
                        change.split(" WHERE ").nth(1).unwrap()
                    ),
                    _ => format!("UPDATE {table} {change}"),
                };
                // Some changes, such as NULL in a NOT NULL column, are impossible even without checks.
                let Ok(changed) = connection.execute(&one, []) else { continue };
                connection.close().unwrap();
                if changed > 0 {
                    tried += 1;
                    let found = faults(&damaged);
                    assert!(found.iter().any(|fault| is_reported_for(table, fault)), "{one}: {found:?}");
                }
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

/// Every row of a file, by table; none if the file cannot be read.
fn dump(path: &Path) -> Option<BTreeMap<String, Vec<Vec<Value>>>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let rows = |table: &str| {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).ok()?;
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| (0..columns).map(|i| row.get::<_, Value>(i)).collect()).ok()?;
        rows.collect::<rusqlite::Result<Vec<Vec<Value>>>>().ok()
    };
    COVERED.iter().map(|table| Some(((*table).to_owned(), rows(table)?))).collect()
}

#[test]
fn a_changed_byte_is_found_or_belongs_to_no_row() {
    let (folder, path) = copy_of_fixture();
    let (original, before) = (fs::read(&path).unwrap(), dump(&path).unwrap());
    let rounds: usize =
        std::env::var_os("ORDERD_SOAK").and_then(|n| n.to_str()?.parse().ok()).map_or(40, |n: usize| n * 100);
    let mut random = fastrand::Rng::with_seed(18);
    let (mut found, mut harmless) = (0, 0);
    for round in 0..rounds {
        let damaged = folder.path().join("damaged.db");
        let (at, bits) = (random.usize(..original.len()), random.u8(1..));
        let mut bytes = original.clone();
        bytes[at] ^= bits;
        fs::write(&damaged, bytes).unwrap();
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(folder.path().join(format!("damaged.db{suffix}")));
        }
        if faults(&damaged).is_empty() {
            assert_eq!(dump(&damaged).as_ref(), Some(&before), "round {round}: byte {at} with {bits:#x}");
            harmless += 1;
        } else {
            found += 1;
        }
    }
    // Pages have unused bytes; a change there is harmless.
    assert!(found > rounds / 4, "{found} found, {harmless} harmless");
}

/// A service in another year, and so with other identifiers.
async fn service_of_another_year() -> Service {
    let service = Service::start().await;
    service.at("2025-01-01T00:00:00Z");
    service
}

/// A service with 30 orders in its file and 10 more in the write-ahead log.
async fn service_with_log() -> Service {
    let service = service_of_another_year().await;
    let manager = service.manager().await;
    for _ in 0..30 {
        manager.places(order_of(&[("tea", 1, 1000)])).await.created();
    }
    service.reopen().await;
    for _ in 0..10 {
        manager.places(order_of(&[("cup", 1, 500)])).await.created();
    }
    service
}

fn wal(path: &Path) -> PathBuf {
    path.with_file_name(format!("{}-wal", path.file_name().unwrap().to_str().unwrap()))
}

#[tokio::test]
async fn the_log_of_another_file_is_refused_and_changes_nothing() {
    let (_folder, path) = copy_of_fixture();
    let before = fs::read(&path).unwrap();
    let other = service_with_log().await;
    let pages = fs::read(wal(&other.path())).unwrap();
    // After a VACUUM the whole file is in the log until a checkpoint.
    Connection::open(other.path()).unwrap().execute("VACUUM", []).unwrap();
    let whole = fs::read(wal(&other.path())).unwrap();
    // The whole file would replace this one, and some pages would be mixed into it.
    for (log, reason) in [(whole, "the write-ahead log beside it belongs to another"), (pages, "")] {
        fs::write(wal(&path), log).unwrap();
        let found = faults(&path);
        assert!(found.iter().any(|fault| fault.contains(reason)), "{found:?}");
        assert_eq!(fs::read(&path).unwrap(), before);
        fs::remove_file(wal(&path)).unwrap();
        let _ = fs::remove_file(path.with_file_name("orders.db-shm"));
    }
    assert_eq!(faults(&path), Vec::<String>::new());
}

#[tokio::test]
async fn a_truncated_log_yields_the_commits_before_the_cut() {
    let service = service_with_log().await;
    let (file, log) = (fs::read(service.path()).unwrap(), fs::read(wal(&service.path())).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut last = i64::MAX;
    for percent in [97, 60, 30, 3] {
        let path = folder.path().join(format!("cut-{percent}.db"));
        fs::write(&path, &file).unwrap();
        fs::write(wal(&path), &log[..log.len() * percent / 100]).unwrap();
        assert_eq!(faults(&path), Vec::<String>::new(), "{percent} %");
        let connection = Connection::open(&path).unwrap();
        let orders = connection.query_row("SELECT count(*) FROM orders", [], |row| row.get(0)).unwrap();
        assert!((30..=40).contains(&orders) && orders <= last, "{orders}");
        last = orders;
    }
    assert_eq!(last, 30);
}

/// Changes that add an order in euros to a rollup of this width and take it out again, in more bytes than make a fold
/// due.
fn long_changes_without_effect(width: usize) -> Vec<u8> {
    let entry = |orders: u8| [&[0][..], b"EUR", &[1, orders], &vec![0; width - 1], &[0]].concat();
    [entry(2), entry(1)].concat().repeat(70 * 1024 / 12)
}

#[tokio::test]
async fn orders_are_accepted_while_a_rollup_is_damaged() {
    for (damage, left) in [("", 0), ("UPDATE rollups SET sums = x'ff' WHERE rollup = 'users' AND span = 86400", 2)] {
        let service = Service::start().await;
        let manager = service.manager().await;
        manager.places(order_of(&[("tea", 1, 1000)])).await.created();
        service.stop().await;
        let file = Connection::open(service.path()).unwrap();
        file.execute_batch(damage).unwrap();
        let log = "INSERT INTO rollup_log (seq, sales, users, statuses, items, taxes)
                   SELECT max(seq) + 1, ?1, x'', x'', x'', x'' FROM rollup_folds";
        file.execute(log, [long_changes_without_effect(10)]).unwrap();
        service.open();
        manager.places(order_of(&[("tea", 1, 1000)])).await.created();
        let logged: i64 = file.query_row("SELECT count(*) FROM rollup_log", [], |row| row.get(0)).unwrap();
        assert_eq!(logged, left, "the log is folded into the rollups that are not damaged");
        // Reports on intact rollups are correct, and those on a damaged one fail.
        let days = "from=2026-06-01&to=2026-06-30&currency=EUR&basis=booked";
        let daily = manager.get(&format!("/v1/analytics/daily?{days}")).await.ok();
        assert_eq!(daily["data"][14]["gross_amount"], 2000);
        let users = manager.get(&format!("/v1/analytics/revenue-by-user?{days}")).await;
        let damaged = if left == 0 {
            users.ok();
            0
        } else {
            users.status(500);
            1
        };
        // The service stops in an orderly way with an order in the log, and verification names the damage.
        manager.places(order_of(&[("tea", 1, 1000)])).await.created();
        service.stop().await;
        let found = faults(&service.path());
        assert_eq!(found.iter().filter(|fault| fault.starts_with("user_sales_day: cannot be read")).count(), damaged);
        service.open();
        manager.places(order_of(&[("tea", 1, 1000)])).await.created();
    }
}
