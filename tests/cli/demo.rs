//! `orderd demo`: what it makes is whole, is the same for the same seed, and goes into an empty database only.

use crate::{
    server::{ADMIN, Server},
    support::Workplace,
};
use rusqlite::Connection;

const MAKE: &str = "demo --orders 400 --days 60 --until 2024-03-31T12:00:00Z --accounts 20 --db d.db --seed";

/// The last hashes of both chains, each of which is over everything before it, and how many orders there are.
fn chains(place: &Workplace) -> (Vec<u8>, Vec<u8>, i64) {
    let connection = Connection::open(place.path().join("d.db")).unwrap();
    let hashes = "SELECT (SELECT hash FROM events ORDER BY seq DESC LIMIT 1),
        (SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), (SELECT count(*) FROM orders)";
    connection.query_row(hashes, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
}

#[test]
fn the_same_seed_makes_the_same_orders_and_all_of_them_are_whole() {
    let made: Vec<_> = [1, 1, 2]
        .map(|seed| {
            let place = Workplace::new();
            let outcome = place.run(&format!("{MAKE} {seed}"));
            assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
            let roles: Vec<_> = outcome.out.lines().filter_map(|line| line.split(' ').nth(2)).collect();
            assert_eq!(roles, ["admin", "manager", "staff", "analyst", "customer"]);
            let verified = place.run("verify --db d.db");
            assert_eq!(verified.code, 0, "{}", verified.out);
            assert_eq!(place.run("user list --db d.db").out.lines().count(), 25);
            chains(&place)
        })
        .into();
    assert_eq!(made[0], made[1]);
    assert!(made[1].0 != made[2].0 && made[1].1 != made[2].1);
    assert!(made.iter().all(|(.., orders)| *orders == 400));
}

#[test]
fn its_orders_come_to_every_kind_of_end() {
    let place = Workplace::new();
    assert_eq!(place.run("demo --orders 1500 --db d.db").code, 0);
    let connection = Connection::open(place.path().join("d.db")).unwrap();
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
        "orders WHERE order_discount_amount > 0",
        "order_items WHERE discount_amount > 0",
        "orders WHERE user_id IS NULL",
        "(SELECT user_id FROM orders GROUP BY user_id HAVING count(*) > 1)",
    ] {
        assert!(count(what).unwrap() > 0, "{what}");
    }
}

#[test]
fn only_an_empty_database_that_nobody_serves_is_filled() {
    let place = Workplace::new();
    let server = Server::start(&place, &ADMIN, "");
    let beside = place.run("demo --orders 10 --db orders.db");
    assert_eq!((beside.code, beside.out.as_str()), (3, ""), "{}", beside.err);
    server.stop();
    let again = place.run("demo --orders 10 --db orders.db");
    assert_eq!((again.code, again.out.as_str()), (1, ""));
    assert_eq!(again.err, "orderd: orders.db: there is something in it; only an empty database is filled\n");
    let numbers = ["--days 0", "--orders 100000001", "--accounts 18446744073709551615"];
    for bad in ["--until tomorrow", "--until 9999-01-01T00:00:00Z"].iter().chain(&numbers) {
        assert_eq!(place.run(&format!("demo {bad} --db new.db")).code, 2, "{bad}");
    }
    assert!(!place.path().join("new.db").exists());
}
