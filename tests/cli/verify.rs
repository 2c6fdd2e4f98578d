//! `orderd verify`: passes a good file and finds a changed value in each kind of row. SQLite's own integrity check
//! finds none of these.

use crate::{server::Server, support::TestDir};
use rusqlite::Connection;

const CHECKS: [&str; 45] = [
    "sqlite",
    "schema",
    "foreign_keys",
    "audit_chain",
    "event_chain",
    "personal_data",
    "orders",
    "order_items",
    "transactions",
    "order_versions",
    "orders_of_users",
    "order_numbers",
    "order_number_jumps",
    "placed_in_order",
    "order_statuses",
    "order_times",
    "refunds_of_orders",
    "credits_of_refunds",
    "refunds_of_payments",
    "refunds_name_payments",
    "transaction_rows",
    "sales_32_days",
    "sales_day",
    "sales_hour",
    "sales_quarter_hour",
    "user_sales_32_days",
    "user_sales_day",
    "user_sales_hour",
    "user_sales_quarter_hour",
    "status_sales_32_days",
    "status_sales_day",
    "status_sales_hour",
    "status_sales_quarter_hour",
    "item_sales_32_days",
    "item_sales_day",
    "item_sales_hour",
    "item_sales_quarter_hour",
    "tax_sales_32_days",
    "tax_sales_day",
    "tax_sales_hour",
    "tax_sales_quarter_hour",
    "order_totals",
    "order_credits",
    "order_payments",
    "order_returns",
];

/// Opens a copy of the fixture of version 1, which has orders in every state.
fn released(dir: &TestDir, name: &str) -> Connection {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1.db");
    std::fs::copy(fixture, dir.path().join(name)).unwrap();
    Connection::open(dir.path().join(name)).unwrap()
}

/// Runs `verify` after `damage` was done with all constraints off.
fn verify_damaged(damage: &str) -> (i32, String) {
    let dir = TestDir::new();
    let connection = released(&dir, "d.db");
    connection.execute_batch(&format!("PRAGMA ignore_check_constraints = ON; {damage}")).unwrap();
    connection.close().unwrap();
    let outcome = dir.run("verify --db d.db");
    (outcome.code, outcome.out)
}

/// Damage, and the first fault that is named.
const DAMAGES: &[(&str, &str)] = &[
    ("DROP TRIGGER audit_is_not_changed; UPDATE audit SET actor = 'usr_x' WHERE seq = 2", "audit_chain: row 2 "),
    ("DROP TRIGGER audit_is_not_deleted; DELETE FROM audit WHERE seq = 3", "audit_chain: row 3 "),
    (
        "DROP TRIGGER events_are_not_changed; UPDATE events SET data = data || 'x' WHERE seq = 77",
        "event_chain: row 77 ",
    ),
    ("UPDATE order_items SET quantity = quantity + 1 WHERE order_seq = 5 AND line = 0", "order_totals: order row 5,"),
    (
        "UPDATE orders SET external_ref = 'x' WHERE seq = 4",
        "orders: row 4, column external_ref, stored \"x\", recomputed null",
    ),
    ("UPDATE orders SET personal_seq = 1 WHERE seq = 4", "orders: row 4, column personal_seq, stored 1,"),
    (
        "DROP TRIGGER personal_data_is_only_erased; UPDATE personal SET content = upper(content) WHERE seq = 9",
        "personal_data: row 9 is not as it was written",
    ),
    (
        "DROP TRIGGER personal_data_is_only_erased; UPDATE personal SET (salt, digest, content) =
           (SELECT salt, digest, content FROM personal WHERE seq = (SELECT min(personal_seq) FROM orders))
         WHERE seq = (SELECT max(personal_seq) FROM orders)",
        "event_chain: row ",
    ),
    (
        "DROP TRIGGER personal_data_is_not_deleted; PRAGMA foreign_keys = OFF;
         DELETE FROM personal WHERE seq = (SELECT max(personal_seq) FROM orders)",
        "event_chain: row ",
    ),
    (
        "UPDATE personal SET salt = zeroblob(16), content = printf('%*s', length(CAST(content AS BLOB)), '')
           WHERE seq = (SELECT max(seq) FROM personal)",
        "personal_data: row ",
    ),
    ("DROP INDEX orders_by_update", "schema: orders_by_update, stored nothing,"),
    ("DELETE FROM orders_of_users WHERE order_seq = 4", "orders_of_users: order row 4, stored 0, recomputed 1"),
    ("INSERT INTO orders_of_users VALUES (0, 3, 99999)", "orders_of_users: order row 99999, stored 1, recomputed 0"),
    ("UPDATE orders SET paid_amount = paid_amount + 1 WHERE seq = 9", "order_payments: order row 9,"),
    ("UPDATE orders SET version = 99 WHERE seq = 11", "order_versions: order row 11, stored 99,"),
    ("UPDATE orders SET number = 20000 WHERE seq = 12", "order_numbers: order row 13, stored 12, recomputed 11"),
    ("UPDATE rollups SET sums = x'' WHERE rollup = 'sales' AND span = 86400", "sales_day: span 86400, bucket "),
    (
        "UPDATE rollups SET key = key + 1 WHERE rollup = 'statuses' AND span = 900",
        "status_sales_quarter_hour: cannot be read",
    ),
    (
        "UPDATE rollups SET sums = substr(sums, 2) WHERE rollup = 'users' AND span = 3600",
        "user_sales_hour: cannot be read",
    ),
    ("UPDATE orders SET placed_at = placed_at + 1e12 WHERE number = 9", "placed_in_order: order number 10, "),
    ("UPDATE orders SET placed_at = 0 WHERE seq = 9", "orders: row 9, column placed_at, stored \"1970-01-01"),
    ("INSERT INTO order_number_jumps VALUES (99999)", "order_number_jumps: order number 99999, stored 99999,"),
    ("UPDATE skus SET sku = 'x' WHERE seq = 1", "item_sales_32_days: span 2764800, bucket "),
    ("DELETE FROM rollups WHERE rollup = 'items' AND span = 3600", "item_sales_hour: span 3600, bucket "),
    ("DELETE FROM rollups WHERE rollup = 'taxes' AND span = 900", "tax_sales_quarter_hour: span 900, bucket "),
    ("UPDATE order_credits SET reserved_tax_amount = 1 WHERE order_seq = 6", "order_credits: order row 6, "),
    ("UPDATE order_items SET returned_quantity = 1 WHERE order_seq = 4 AND line = 0", "order_returns: order row 4, "),
    ("UPDATE orders SET credited_tax_amount = 1 WHERE seq = 9", "order_payments: order row 9,"),
    (
        "DROP TRIGGER resolved_transactions_stay; UPDATE transactions SET credit_taxes = '[[null,7,1]]' WHERE seq = 1",
        "credits_of_refunds: transaction row 1,",
    ),
];

#[test]
fn a_good_file_passes_and_every_damage_is_found() {
    let dir = TestDir::new();
    released(&dir, "orders.db").close().unwrap();
    let server = Server::start(&dir, &[], "");
    let beside = dir.run("verify --db orders.db --json");
    let document: serde_json::Value = serde_json::from_str(&beside.out).unwrap();
    assert_eq!((beside.code, &document["ok"]), (0, &true.into()), "beside a running server: {}", beside.out);
    server.stop();
    let good = dir.run("verify --db orders.db");
    let lines: Vec<_> = CHECKS.iter().map(|name| format!("ok {name}")).collect();
    assert_eq!((good.code, good.out.lines().collect::<Vec<_>>()), (0, lines.iter().map(String::as_str).collect()));
    for (damage, check) in DAMAGES {
        let (code, output) = verify_damaged(damage);
        assert_eq!(code, 3, "{damage}: {output}");
        assert!(output.contains(&format!("FAULT {check}")), "{damage}: {output}");
    }
}

#[test]
fn rollups_are_rebuilt_only_from_rows_without_faults() {
    let dir = TestDir::new();
    let connection = released(&dir, "d.db");
    let damage =
        "DELETE FROM rollups WHERE rollup = 'sales' AND span = 900 OR rollup IN ('users', 'taxes'); DELETE FROM skus;
        UPDATE rollups SET sums = substr(sums, 3) WHERE rollup = 'statuses'";
    connection.execute_batch(damage).unwrap();
    connection.close().unwrap();
    assert_eq!(dir.run("verify --db d.db").code, 3);
    let rebuilt = dir.run("verify --db d.db --rebuild");
    assert_eq!(rebuilt.code, 0, "{rebuilt:?}");
    let mended: Vec<_> =
        rebuilt.out.lines().filter_map(|line| line.strip_prefix("REBUILT ")?.split(':').next()).collect();
    assert_eq!(
        mended,
        [
            "sales_quarter_hour",
            "user_sales_32_days",
            "user_sales_day",
            "user_sales_hour",
            "user_sales_quarter_hour",
            "status_sales_32_days",
            "status_sales_day",
            "status_sales_hour",
            "status_sales_quarter_hour",
            "item_sales_32_days",
            "item_sales_day",
            "item_sales_hour",
            "item_sales_quarter_hour",
            "tax_sales_32_days",
            "tax_sales_day",
            "tax_sales_hour",
            "tax_sales_quarter_hour"
        ]
    );
    let good = dir.run("verify --db d.db");
    assert_eq!((good.code, good.out.lines().filter(|line| line.starts_with("ok ")).count()), (0, CHECKS.len()));

    let connection = released(&dir, "e.db");
    connection.execute_batch("DELETE FROM rollups; UPDATE orders SET external_ref = 'x' WHERE seq = 4").unwrap();
    connection.close().unwrap();
    let refused = dir.run("verify --db e.db --rebuild --json");
    let document: serde_json::Value = serde_json::from_str(&refused.out).unwrap();
    assert_eq!((refused.code, &document["checks"][0]["name"]), (3, &"orders".into()), "{refused:?}");
    let figures = Connection::open(dir.path().join("e.db")).unwrap();
    let left: i64 = figures.query_row("SELECT count(*) FROM rollups", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0, "nothing was rebuilt");
}

#[test]
fn nothing_is_rebuilt_under_a_running_server() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &[], "");
    let refused = dir.run("verify --db orders.db --rebuild");
    assert_eq!((refused.code, refused.out.as_str()), (3, ""), "{refused:?}");
    server.stop();
    assert_eq!(dir.run("verify --db orders.db --rebuild").code, 0);
    assert_eq!(dir.run("verify --db none.db --rebuild").code, 1);
    assert!(!dir.path().join("none.db").exists());
}

#[test]
fn a_file_of_a_newer_version_is_refused_and_not_changed() {
    let dir = TestDir::new();
    let connection = released(&dir, "newer.db");
    connection.pragma_update(None, "user_version", 99).unwrap();
    connection.close().unwrap();
    let before = std::fs::read(dir.path().join("newer.db")).unwrap();
    for command in ["verify", "verify --rebuild", "serve --listen 127.0.0.1:0"] {
        let refused = dir.run(&format!("{command} --db newer.db"));
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.err.contains("newer.db: schema 99 is newer than this program's"), "{refused:?}");
    }
    assert_eq!(std::fs::read(dir.path().join("newer.db")).unwrap(), before);
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let dir = TestDir::new();
    dir.write("text.db", &"no database ".repeat(1000));
    assert_eq!(dir.run("verify --db text.db").code, 3);
    assert_eq!(dir.run("verify --db missing.db").code, 1);
}

#[test]
fn a_file_with_zeroed_pages_is_unfit_for_every_command() {
    let dir = TestDir::new();
    released(&dir, "good.db");
    let good = std::fs::read(dir.path().join("good.db")).unwrap();
    for offset in 1..4 {
        let mut damaged = good.clone();
        damaged.chunks_mut(4096).skip(offset).step_by(4).for_each(|page| page.fill(0));
        std::fs::write(dir.path().join("damaged.db"), &damaged).unwrap();
        for command in ["serve --listen 127.0.0.1:0", "verify", "backup --out copy.db"] {
            let outcome = dir.run(&format!("{command} --db damaged.db"));
            assert_eq!(outcome.code, 3, "{command}, page {offset} and every fourth: {outcome:?}");
            assert!(outcome.err.contains("orderd: damaged.db: "), "{command}, {offset}: {outcome:?}");
        }
        assert!(!dir.path().join("copy.db").exists());
        for side in ["damaged.db-wal", "damaged.db-shm"] {
            let _ = std::fs::remove_file(dir.path().join(side));
        }
    }
}
