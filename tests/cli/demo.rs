//! `orderd demo`: its orders verify, are the same for the same seed, and are only written to an empty database.

use crate::{
    server::{ADMIN, Server},
    support::TestDir,
};
use rusqlite::Connection;

const MAKE: &str = "demo --orders 400 --days 60 --until 2024-03-31T12:00:00Z --accounts 20 --db d.db --seed";

/// The last hash of the event chain and of the audit chain, which cover everything before them, and the number of orders.
fn chains(dir: &TestDir) -> (Vec<u8>, Vec<u8>, i64) {
    let connection = Connection::open(dir.path().join("d.db")).unwrap();
    let hashes = "SELECT (SELECT hash FROM events ORDER BY seq DESC LIMIT 1),
        (SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), (SELECT count(*) FROM orders)";
    connection.query_row(hashes, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
}

#[test]
fn the_same_seed_makes_the_same_orders_and_they_verify() {
    let made: Vec<_> = [1, 1, 2]
        .map(|seed| {
            let dir = TestDir::new();
            let outcome = dir.run(&format!("{MAKE} {seed}"));
            assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
            let roles: Vec<_> = outcome.out.lines().filter_map(|line| line.split(' ').nth(2)).collect();
            assert_eq!(roles, ["admin", "manager", "staff", "analyst", "customer"]);
            let verified = dir.run("verify --db d.db");
            assert_eq!(verified.code, 0, "{}", verified.out);
            assert_eq!(dir.run("user list --db d.db").out.lines().count(), 25);
            chains(&dir)
        })
        .into();
    assert_eq!(made[0], made[1]);
    assert!(made[1].0 != made[2].0 && made[1].1 != made[2].1);
    assert!(made.iter().all(|(.., orders)| *orders == 400));
}

#[test]
fn demo_orders_reach_every_final_state() {
    let dir = TestDir::new();
    assert_eq!(dir.run("demo --orders 1500 --db d.db").code, 0);
    let connection = Connection::open(dir.path().join("d.db")).unwrap();
    let count =
        |what: &str| connection.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get::<_, i64>(0));
    for what in [
        "orders WHERE status = 'cancelled' AND payment_status = 'unpaid'",
        "orders WHERE status = 'cancelled' AND payment_status = 'refunded'",
        "orders WHERE status = 'fulfilled' AND payment_status = 'paid'",
        "orders WHERE status = 'fulfilled' AND payment_status = 'partially_paid'",
        "orders WHERE status = 'fulfilled' AND payment_status = 'partially_refunded'",
        "orders WHERE status = 'fulfilled' AND payment_status = 'refunded'",
        "orders WHERE currency = 'JPY' AND tax_amount > 0",
        "orders WHERE currency = 'EUR' AND prices_include_tax AND fees LIKE '%tax_rate%'",
        "orders WHERE currency = 'USD' AND NOT prices_include_tax",
        "order_items WHERE returned_quantity BETWEEN 1 AND quantity - 1",
        "transactions WHERE kind = 'refund' AND items IS NOT NULL AND credit_amount = amount",
        "transactions WHERE kind = 'refund' AND items IS NULL AND credit_amount = amount",
        "transactions WHERE reason = 'Chargeback' AND credit_amount = 0",
        "transactions WHERE kind = 'payment' AND status = 'reversed'",
        "transactions WHERE kind = 'refund' AND status = 'reversed'",
        "orders WHERE order_discount_amount > 0",
        "order_items WHERE discount_amount > 0",
        "orders WHERE user_id IS NULL",
        "(SELECT user_id FROM orders GROUP BY user_id HAVING count(*) > 1)",
    ] {
        assert!(count(what).unwrap() > 0, "{what}");
    }
}

#[test]
fn the_demo_fills_only_an_empty_database_without_a_server() {
    let dir = TestDir::new();
    let server = Server::start(&dir, &ADMIN, "");
    let beside = dir.run("demo --orders 10 --db orders.db");
    assert_eq!((beside.code, beside.out.as_str()), (3, ""), "{}", beside.err);
    server.stop();
    let again = dir.run("demo --orders 10 --db orders.db");
    assert_eq!((again.code, again.out.as_str()), (1, ""));
    assert_eq!(again.err, "orderd: orders.db: is not empty; the demo fills only an empty database\n");
    let server = Server::start(&dir, &ADMIN, "--demo");
    let log = server.log();
    assert!(log.contains("--demo is ignored") && !log.contains("the clock is behind"), "{log}");
    server.stop();
    let numbers = ["--days 0", "--orders 100000001", "--accounts 18446744073709551615"];
    for bad in ["--until tomorrow", "--until 9999-01-01T00:00:00Z"].iter().chain(&numbers) {
        assert_eq!(dir.run(&format!("demo {bad} --db new.db")).code, 2, "{bad}");
    }
    assert!(!dir.path().join("new.db").exists());
}
