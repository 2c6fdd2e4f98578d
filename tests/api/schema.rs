//! The schema alone: the database refuses invalid rows even if the program were to write them.

use crate::support::{Service, order_of, with};
use rusqlite::{Connection, params};
use serde_json::json;

/// A service with an order and a payment of 1000, and a separate connection to its database.
async fn service_and_connection() -> (Service, Connection) {
    let service = Service::start().await;
    let manager = service.manager().await;
    let body = with(order_of(&[("tea", 1, 1000)]), "external_ref", "r1");
    let order = manager.post("/v1/orders", body).key("k1").await.created().id();
    manager.pays(&order, json!({"amount": 1000, "provider": "bank", "provider_ref": "p1"})).await.created();
    let connection = Connection::open(service.path()).unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    (service, connection)
}

#[tokio::test]
async fn named_constraints_refuse_invalid_rows() {
    let (_service, connection) = service_and_connection().await;
    for (sql, constraint) in [
        ("UPDATE orders SET refunded_amount = 1001", "refunds_never_exceed_payments"),
        ("UPDATE orders SET refunded_amount = -1", "refunds_never_exceed_payments"),
        ("UPDATE orders SET total_amount = 999", "total_is_the_sum_of_its_parts"),
        (
            "UPDATE orders SET subtotal_amount = 9007199254740992, total_amount = 9007199254740992",
            "total_is_an_exact_json_number",
        ),
        ("UPDATE orders SET status = 'lost'", "order_status_is_known"),
        ("UPDATE orders SET payment_status = 'lost'", "payment_status_is_known"),
        ("UPDATE orders SET status = 'draft'", "drafts_are_not_placed"),
        ("UPDATE orders SET number = NULL", "placed_orders_have_numbers"),
        ("UPDATE orders SET number = NULL, placed_at = NULL", "live_orders_are_placed"),
        ("UPDATE orders SET status = 'cancelled'", "cancelled_orders_have_a_time"),
        ("UPDATE orders SET currency = 'EURO'", "currency_has_three_letters"),
        ("UPDATE orders SET id = x'00'", "order_id_is_a_uuid"),
        ("UPDATE order_items SET quantity = 0, total_amount = 0", "quantity_is_positive"),
        ("UPDATE order_items SET total_amount = 1", "line_total_is_the_sum_of_its_parts"),
        ("UPDATE users SET status = 'gone'", "user_status_is_known"),
        ("UPDATE idempotency_keys SET event_seq = NULL", "the_response_has_one_body_or_none"),
        ("UPDATE idempotency_keys SET outcome = 'erased', resource = NULL", "the_response_has_one_body_or_none"),
        ("UPDATE idempotency_keys SET outcome = 'lost'", "request_outcome_is_known"),
        ("UPDATE idempotency_keys SET resource = NULL", "a_created_resource_is_named"),
    ] {
        let refused = connection.execute(sql, []).expect_err(sql).to_string();
        assert!(refused.contains(constraint), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn numbers_and_references_are_unique() {
    let (service, connection) = service_and_connection().await;
    let manager = service.manager().await;
    manager.places(order_of(&[("tea", 1, 1000)])).await.created();
    for (sql, index) in [
        ("UPDATE orders SET number = 1", "orders.number"),
        ("UPDATE orders SET external_ref = 'r1'", "orders.external_ref"),
        ("UPDATE users SET email_digest = x'00'", "users.email_digest"),
        (
            "INSERT INTO transactions SELECT seq + 1, randomblob(16), order_seq, kind, status, amount, credit_amount,
               credit_tax_amount, credit_taxes, items, provider, provider_ref, payment_seq, personal_seq, occurred_at,
               recorded_at, reversed_at FROM transactions",
            "transactions.provider_ref",
        ),
    ] {
        let refused = connection.execute(sql, []).expect_err(sql).to_string();
        assert!(refused.contains("UNIQUE") && refused.contains(index), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn history_cannot_be_changed() {
    let (_service, connection) = service_and_connection().await;
    for (sql, said) in [
        ("UPDATE events SET data = '{}'", "events are append-only"),
        ("DELETE FROM events", "events are append-only"),
        ("UPDATE audit SET actor = 'nobody'", "audit is append-only"),
        ("DELETE FROM audit", "audit is append-only"),
        ("UPDATE personal SET content = '{}'", "it can only be erased"),
        ("UPDATE personal SET content = ' ', salt = zeroblob(16)", "it can only be erased"),
        ("DELETE FROM personal", "personal data is erased in place"),
        ("DELETE FROM transactions", "transactions are never deleted"),
        ("UPDATE transactions SET status = 'pending'", "a resolved transaction does not change"),
        ("UPDATE transactions SET amount = 1", "a resolved transaction does not change"),
    ] {
        let refused = connection.execute(sql, []).expect_err(sql).to_string();
        assert!(refused.contains(said), "{sql}: {refused}");
    }
    let orphan =
        connection.execute("UPDATE order_items SET order_seq = 77", []).expect_err("no such order").to_string();
    assert!(orphan.contains("FOREIGN KEY"), "{orphan}");
}

#[tokio::test]
async fn every_table_is_strict_and_the_file_is_marked_as_ours() {
    let (_service, connection) = service_and_connection().await;
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("PRAGMA application_id"), 0x6f72_6464);
    assert!(number("PRAGMA user_version") >= 1);
    let lax = "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict
               AND name NOT LIKE 'sqlite%'";
    assert_eq!(number(lax), 0);
    let text = connection.execute("UPDATE orders SET version = ?1", params!["two"]).expect_err("text in an integer");
    assert!(text.to_string().contains("cannot store TEXT"), "{text}");
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn the_database_and_its_side_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let (service, _connection) = service_and_connection().await;
    let mut names = vec![];
    for entry in std::fs::read_dir(service.folder()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["orders.db", "orders.db-shm", "orders.db-wal", "orders.db.key", "orders.db.lock"]);
}
