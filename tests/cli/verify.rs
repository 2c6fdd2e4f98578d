//! `orderd verify`: silent about a good file, and finds a changed value in each kind of row. SQLite's own check sees none
//! of these.

use crate::{server::Server, support::Workplace};
use rusqlite::Connection;

const CHECKS: [&str; 11] = [
    "sqlite",
    "foreign_keys",
    "audit_chain",
    "event_chain",
    "order_totals",
    "order_payments",
    "order_versions",
    "order_numbers",
    "placed_in_order",
    "figures",
    "item_sales",
];

/// What verifying says of a file that holds a demo, after `damage` was done to it by somebody who is past every rule.
fn damaged(file: &std::path::Path, damage: &str) -> (i32, String) {
    let place = Workplace::new();
    std::fs::copy(file, place.path().join("d.db")).unwrap();
    let connection = Connection::open(place.path().join("d.db")).unwrap();
    connection.execute_batch(&format!("PRAGMA ignore_check_constraints = ON; {damage}")).unwrap();
    connection.close().unwrap();
    let outcome = place.run("verify --db d.db");
    (outcome.code, outcome.out)
}

#[test]
fn a_good_file_is_good_and_every_damage_is_found() {
    let place = Workplace::new();
    let server = Server::start(&place, &[], "--demo");
    let beside = place.run("verify --db orders.db --json");
    let document: serde_json::Value = serde_json::from_str(&beside.out).unwrap();
    assert_eq!((beside.code, &document["ok"]), (0, &true.into()), "beside a running server: {}", beside.out);
    server.stop();
    let file = place.path().join("orders.db");
    let good = place.run("verify --db orders.db");
    let lines: Vec<_> = CHECKS.iter().map(|name| format!("ok {name}")).collect();
    assert_eq!((good.code, good.out.lines().collect::<Vec<_>>()), (0, lines.iter().map(String::as_str).collect()));
    for (damage, check) in [
        ("DROP TRIGGER audit_is_not_changed; UPDATE audit SET actor = 'usr_x' WHERE seq = 2", "audit_chain: row 2 "),
        ("DROP TRIGGER audit_is_not_deleted; DELETE FROM audit WHERE seq = 3", "audit_chain: row 3 "),
        ("DROP TRIGGER events_are_not_changed; UPDATE events SET data = '{}' WHERE seq = 77", "event_chain: row 77 "),
        (
            "UPDATE order_items SET quantity = quantity + 1 WHERE order_seq = 5 AND line = 0",
            "order_totals: order row 5,",
        ),
        ("UPDATE orders SET paid_amount = paid_amount + 1 WHERE seq = 9", "order_payments: order row 9,"),
        ("UPDATE orders SET version = 99 WHERE seq = 11", "order_versions: order row 11, stored 99,"),
        ("UPDATE orders SET number = 20000 WHERE seq = 12", "order_numbers: order row 20000,"),
        (
            "UPDATE sales SET booked_amount = booked_amount + 1 WHERE span = 86400 AND currency = 'EUR'",
            "figures: currency EUR,",
        ),
        ("UPDATE orders SET placed_at = 0 WHERE number = 900", "placed_in_order: order number 900, stored 0,"),
        (
            "UPDATE item_sales SET quantity = quantity + 1 WHERE sku = 'TEA-GYO-100'",
            "item_sales: day, SKU and currency 20",
        ),
        ("DELETE FROM item_sales WHERE sku = 'TEA-GYO-100'", "item_sales: day, SKU and currency 20"),
    ] {
        let (code, said) = damaged(&file, damage);
        assert_eq!(code, 3, "{damage}: {said}");
        assert!(said.contains(&format!("FAULT {check}")), "{damage}: {said}");
    }
}

#[test]
fn what_is_no_database_is_refused() {
    let place = Workplace::new();
    place.write("text.db", &"no database ".repeat(1000));
    assert_eq!(place.run("verify --db text.db").code, 3);
    assert_eq!(place.run("verify --db missing.db").code, 1);
}
