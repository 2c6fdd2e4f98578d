//! Orders that come from another system: their numbers, statuses, times and transactions, and the figures of those
//! days.

use super::{answers, import, order, results};
use crate::support::{Client, Service, with};
use orderd::store::{Store, verify};
use serde_json::{Value, json};

/// An order of 1,000 that was placed on 5 January 2024.
fn placed(reference: &str) -> Value {
    with(order(reference, 1000), "placed_at", "2024-01-05T10:00:00Z")
}

fn merged(mut line: Value, more: Value) -> Value {
    line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    line
}

async fn import_lines(who: &Client, lines: &[Value]) -> Vec<Value> {
    let body: Vec<_> = lines.iter().map(|line| format!("{line}\n")).collect();
    answers(&import(who, body.concat()).await.ok())
}

/// The only line of an import, which fails: the code of its problem and its faults.
async fn failed(who: &Client, line: Value) -> (String, Vec<(String, String)>) {
    let answer = import_lines(who, &[line]).await.remove(0);
    assert_eq!(answer["result"], "failed", "{answer}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let faults = answer["problem"]["errors"].as_array().into_iter().flatten();
    (text(&answer["problem"]["code"]), faults.map(|fault| (text(&fault["pointer"]), text(&fault["code"]))).collect())
}

fn refused(code: &str, faults: &[(&str, &str)]) -> (String, Vec<(String, String)>) {
    (code.to_owned(), faults.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect())
}

/// Every check of the file, after the service was stopped.
async fn is_sound(service: &Service) {
    let report = service.admin().await.get("/v1/analytics/reconcile").await.ok();
    assert_eq!(report["ok"], true, "{report}");
    service.stop().await;
    let checks = Store::inspect(&service.path(), verify::all).unwrap().unwrap();
    let faults: Vec<_> = checks.iter().filter_map(|check| Some((check.name, check.fault.as_deref()?))).collect();
    assert!(faults.is_empty(), "{faults:?}");
}

#[tokio::test]
async fn an_order_keeps_its_number_status_times_and_money() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let line = merged(
        placed("old-1"),
        json!({
            "number": 4711, "status": "fulfilled", "confirmed_at": "2024-01-06T00:00:00Z", "user_id": null,
            "items": [{"id": "a", "sku": "tea", "name": "Tea", "quantity": 4, "unit_amount": 250}],
            "transactions": [
                {"id": "p", "kind": "payment", "amount": 1000, "provider": "bank", "provider_ref": "b-1",
                    "occurred_at": "2024-01-05T10:00:00Z"},
                {"kind": "payment", "amount": 70, "status": "failed", "occurred_at": "2024-01-05T11:00:00Z"},
                {"kind": "payment", "amount": 30, "occurred_at": "2024-01-05T12:00:00Z", "status": "reversed",
                    "reversed_at": "2024-01-08T00:00:00Z"},
                {"kind": "refund", "amount": 250, "items": [{"item_id": "a", "quantity": 1}], "payment_id": "p",
                    "reason": "Broken", "occurred_at": "2024-02-01T00:00:00Z"},
                {"kind": "refund", "amount": 100, "status": "pending", "occurred_at": "2024-02-02T00:00:00Z"}
            ],
        }),
    );
    let created = import_lines(&manager, &[line]).await.remove(0);
    assert_eq!(created["result"], "created", "{created}");
    let order = manager.get("/v1/orders/number/4711").await.ok();
    for (member, expected) in [
        ("id", created["id"].clone()),
        ("external_ref", json!("old-1")),
        ("status", json!("fulfilled")),
        ("payment_status", json!("partially_refunded")),
        ("user_id", json!(null)),
        ("placed_at", json!("2024-01-05T10:00:00.000Z")),
        ("confirmed_at", json!("2024-01-06T00:00:00.000Z")),
        ("fulfilled_at", json!("2024-01-06T00:00:00.000Z")),
        ("created_at", json!("2026-06-15T12:00:00.000Z")),
        ("updated_at", json!("2026-06-15T12:00:00.000Z")),
        ("paid_amount", json!(1000)),
        ("refunded_amount", json!(250)),
        ("credited_amount", json!(250)),
        ("balance_amount", json!(0)),
        ("version", json!(6)),
    ] {
        assert_eq!(order[member], expected, "{member}: {order}");
    }
    assert_eq!(order["items"][0]["returned_quantity"], 1);
    let id = order.id();
    let events = manager.walk(&format!("/v1/orders/{id}/events")).await;
    let seen: Vec<_> = events.iter().map(|event| (event["type"].as_str().unwrap(), &event["occurred_at"])).collect();
    let at = &order["created_at"];
    let (paid, refunded) = ("payment.recorded", "refund.recorded");
    assert_eq!(seen, ["order.created", paid, paid, paid, refunded, refunded].map(|kind| (kind, at)));
    assert_eq!(
        (&events[0]["data"]["paid_amount"], &events[4]["data"]["order"]["credited_amount"]),
        (&json!(0), &json!(250))
    );
    let transactions = manager.walk(&format!("/v1/orders/{id}/transactions")).await;
    assert_eq!(transactions[1]["payment_id"], transactions[4]["id"]);
    assert_eq!(transactions[1]["items"][0]["item_id"], order["items"][0]["id"]);
    let audit = service.admin().await.walk("/v1/audit?action=orders.import").await;
    assert_eq!((&audit[0]["target"], &audit[0]["changes"]["paid_amount"]), (&json!(id), &json!(1000)));
    // The pending refund goes on as any other.
    let pending = format!("/v1/transactions/{}", transactions[0]["id"].as_str().unwrap());
    manager.patch(&pending, json!({"status": "succeeded"})).await.ok();
    is_sound(&service).await;
}

#[tokio::test]
async fn figures_count_at_the_times_of_the_history() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let refund = json!({"kind": "refund", "amount": 400, "occurred_at": "2024-01-07T10:00:00Z"});
    let late = json!({"kind": "refund", "amount": 600, "occurred_at": "2024-01-09T10:00:00Z"});
    let payment = json!({"kind": "payment", "amount": 1000, "occurred_at": "2024-01-05T10:00:00Z"});
    let cancelled = json!({"status": "cancelled", "cancelled_at": "2024-01-08T10:00:00Z", "cancel_reason": "Flood",
        "transactions": [payment, refund, late]});
    // Newest first, as an export has them.
    let lines = [merged(placed("b"), cancelled), with(order("a", 500), "placed_at", "2023-12-31T10:00:00Z")];
    let created = import_lines(&manager, &lines).await;
    assert_eq!(results(&created), [(1, "created", ""), (2, "created", "")]);
    let daily = async |basis: &str, member: &str| -> Vec<i64> {
        let path = format!("/v1/analytics/daily?from=2023-12-31&to=2024-01-09&currency=EUR&basis={basis}");
        let days = manager.get(&path).await.ok();
        days["data"].as_array().unwrap().iter().map(|day| day[member].as_i64().unwrap()).collect()
    };
    assert_eq!(daily("cash", "gross_amount").await, [0, 0, 0, 0, 0, 1000, 0, 0, 0, 0]);
    assert_eq!(daily("cash", "refunded_amount").await, [0, 0, 0, 0, 0, 0, 0, 400, 0, 600]);
    assert_eq!(daily("booked", "gross_amount").await, [500, 0, 0, 0, 0, 1000, 0, 0, 0, 0]);
    assert_eq!(daily("booked", "credited_amount").await, [0, 0, 0, 0, 0, 0, 0, 400, 0, 0]);
    // What came after the cancellation credits nothing.
    assert_eq!(daily("booked", "cancelled_amount").await, [0, 0, 0, 0, 0, 0, 0, 0, 600, 0]);
    let today = manager.get("/v1/analytics/daily?from=2026-06-15&to=2026-06-15&basis=booked").await.ok();
    assert_eq!(today["data"], json!([]), "{today}");
    is_sound(&service).await;
}

#[tokio::test]
async fn a_report_names_items_as_they_were_called_last() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let sold = |reference: &str, name: &str, at: &str| {
        let mut line = with(order(reference, 100), "placed_at", at);
        line["items"][0]["name"] = name.into();
        line
    };
    manager.places(order("before", 100)).await.created();
    let lines = [
        sold("3", "Third", "2024-03-01T00:00:00Z"),
        sold("1", "First", "2024-01-01T00:00:00Z"),
        sold("2", "Second", "2024-02-01T00:00:00Z"),
    ];
    import_lines(&manager, &lines).await;
    let name = async |from: &str, to: &str| {
        let top = manager.get(&format!("/v1/analytics/top-items?from={from}&to={to}")).await.ok();
        top["data"][0]["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(name("2024-01-01", "2024-12-31").await, "Third");
    assert_eq!(name("2024-01-01", "2024-02-15").await, "Second");
    assert_eq!(name("2024-01-01", "2026-12-31").await, "tea");
}

#[tokio::test]
async fn numbers_go_on_after_the_highest_and_gaps_stay() {
    let service = Service::with(&[("orders.first_number", "1000")]).await;
    let manager = service.manager().await;
    let number = async |body: Value| manager.places(body).await.created()["number"].clone();
    assert_eq!(number(order("first", 1)).await, 1000);
    let numbered = |reference: &str, number: u64| with(placed(reference), "number", number);
    let found = import_lines(
        &manager,
        &[
            numbered("a", 1003),
            numbered("b", 7),
            numbered("c", 8),
            numbered("d", 1003),
            numbered("a", 999_999),
            merged(numbered("x", 1004), json!({"external_ref": null})),
            merged(numbered("x", 7), json!({"external_ref": null, "currency": "nonsense"})),
        ],
    )
    .await;
    let expected = [
        (1, "created", ""),
        (2, "created", ""),
        (3, "created", ""),
        (4, "failed", "duplicate_number"),
        (5, "exists", ""),
        (6, "created", ""),
        (7, "exists", ""),
    ];
    assert_eq!(results(&found), expected);
    assert_eq!(found[3]["problem"]["existing_order_id"], found[0]["id"]);
    assert_eq!(found[3]["problem"]["errors"][0]["pointer"], "#/number");
    assert_eq!(found[6]["id"], found[1]["id"]);
    assert_eq!(number(order("next", 1)).await, 1005);
    service.reopen().await;
    assert_eq!(number(order("after", 1)).await, 1006);
    // A draft takes its number when it is placed.
    let draft = manager.places(with(order("draft", 1), "draft", true)).await.created();
    assert_eq!(manager.moves(&draft.id(), "place").await.ok()["number"], 1007);
    service.stop().await;
    service.open_with(&[("orders.first_number", "5000")]);
    assert_eq!(number(order("series", 1)).await, 5000);
    assert_eq!(number(order("and on", 1)).await, 5001);
    is_sound(&service).await;
}

#[tokio::test]
async fn a_line_that_cannot_be_names_every_fault() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let transaction = |more: Value| {
        let base = json!({"kind": "payment", "amount": 1000, "occurred_at": "2024-01-05T10:00:00Z"});
        json!([merged(base, more)])
    };
    let invalid = "validation_failed";
    for (more, expected) in [
        (
            json!({"placed_at": "2026-06-15T12:00:00.001Z", "confirmed_at": "2024-01-01T00:00:00Z", "cancel_reason": "x",
                "number": 0, "colour": "red", "transactions": [{"kind": "gift", "amount": -1}]}),
            refused(
                invalid,
                &[
                    ("#/number", "too_small"),
                    ("#/transactions/0/occurred_at", "required"),
                    ("#/transactions/0/amount", "too_small"),
                    ("#/transactions/0/kind", "invalid_value"),
                    ("#/colour", "unknown_field"),
                ],
            ),
        ),
        (
            json!({"placed_at": "2026-06-15T12:00:00.001Z", "confirmed_at": "2024-01-01T00:00:00Z", "cancel_reason": "x",
                "items": [{"id": "i", "sku": "a", "name": "a", "quantity": 1, "unit_amount": 1},
                    {"id": "i", "sku": "a", "name": "a", "quantity": 1, "unit_amount": 1, "discount_amount": 9}],
                "transactions": transaction(json!({"payment_id": "none", "credit_amount": 1, "items": [
                    {"item_id": "x", "quantity": 1}], "reversed_at": "2024-01-06T00:00:00Z"}))}),
            refused(
                invalid,
                &[
                    ("#/items/1/discount_amount", "too_large"),
                    ("#/items/1/id", "duplicate"),
                    ("#/transactions/0/items/0/item_id", "unknown"),
                    ("#/transactions/0/payment_id", "unknown"),
                    ("#/placed_at", "out_of_range"),
                    ("#/confirmed_at", "unexpected"),
                    ("#/cancel_reason", "unexpected"),
                    ("#/transactions/0/reversed_at", "unexpected"),
                    ("#/transactions/0/credit_amount", "unexpected"),
                ],
            ),
        ),
        (json!({"draft": true, "status": "pending"}), refused(invalid, &[("#/draft", "conflict")])),
        (
            json!({"total_amount": 999, "tax_amount": 1}),
            refused("total_differs", &[("#/total_amount", "total_differs"), ("#/tax_amount", "total_differs")]),
        ),
        (
            json!({"transactions": transaction(json!({"kind": "refund"}))}),
            refused("refund_exceeds_paid", &[("#/transactions/0/amount", "too_large")]),
        ),
        (
            json!({"status": "cancelled", "placed_at": null, "transactions": transaction(json!({}))}),
            refused("order_not_placed", &[("#/transactions", "unexpected")]),
        ),
        (
            json!({"status": "cancelled", "cancelled_at": "2024-01-06T00:00:00Z", "transactions": [
                {"kind": "payment", "amount": 1000, "occurred_at": "2024-01-05T10:00:00Z"},
                {"kind": "refund", "amount": 10, "credit_amount": 10, "occurred_at": "2024-01-06T00:00:00.001Z"}]}),
            refused("credit_exceeds_total", &[("#/transactions/1/credit_amount", "too_large")]),
        ),
        (
            json!({"transactions": [
                {"kind": "payment", "amount": 1, "provider": "p", "provider_ref": "1", "occurred_at": "2024-01-05T10:00:00Z"},
                {"kind": "payment", "amount": 2, "provider": "p", "provider_ref": "1", "occurred_at": "2024-01-05T10:00:00Z"}]}),
            refused("duplicate_transaction", &[("#/transactions/1/provider_ref", "duplicate")]),
        ),
    ] {
        let (code, mut faults) = failed(&manager, merged(placed("x"), more.clone())).await;
        let (expected_code, mut expected) = expected;
        faults.sort();
        expected.sort();
        assert_eq!((code, faults), (expected_code, expected), "{more}");
    }
    assert_eq!(manager.get("/v1/orders?count=true").await.ok()["page"]["total"], 0);
    // Both amounts are named.
    let answer = import_lines(&manager, &[with(placed("x"), "total_amount", 999)]).await.remove(0);
    let detail = answer["problem"]["detail"].as_str().unwrap();
    assert!(detail.contains("999") && detail.contains("1000"), "{detail}");
}

#[tokio::test]
async fn history_needs_the_permissions_for_all_that_it_can_contain() {
    let service = Service::start().await;
    let (staff, customer) = (service.staff().await, service.customer().await);
    for line in [with(placed("x"), "number", 7), with(order("x", 1), "user_id", Value::Null)] {
        assert_eq!(failed(&staff, line.clone()).await.0, "forbidden", "{line}");
        assert_eq!(failed(&customer, line).await.0, "forbidden");
    }
    let answer = import_lines(&staff, &[placed("x")]).await.remove(0);
    assert_eq!(answer["problem"]["detail"], "To import orders with their history, refunds:write is needed.");
    // What the server makes needs none, and is passed over.
    let made = merged(order("x", 100), json!({"id": "ord_x", "version": 9, "total_amount": 100, "taxes": "anything"}));
    assert_eq!(import_lines(&customer, &[made]).await[0]["result"], "created");
    let till = service.program(&["orders:create", "orders:transition", "payments:write", "refunds:write"]).await;
    let found = import_lines(&till, &[placed("y"), placed("x")]).await;
    // The key may not read orders.
    assert_eq!(results(&found), [(1, "created", ""), (2, "exists", "")]);
    assert_eq!(found[1].get("id"), None);
}

#[tokio::test]
async fn an_import_that_is_no_ndjson_ends_at_once() {
    let service = Service::start().await;
    let staff = service.staff().await;
    for body in ["[\n{}\n]", "{\n  \"currency\": \"EUR\"\n}", "external_ref,currency\na,EUR\n", "\n\u{feff}\n7"] {
        let answer = import(&staff, body).await.status(422).problem("not_ndjson");
        assert!(answer["detail"].as_str().unwrap().contains("one order on each line"), "{answer}");
    }
    let marked = format!("\u{feff}{}\r\n{}\r\n", order("m1", 1), order("m2", 1));
    assert_eq!(results(&answers(&import(&staff, marked).await.ok())), [(1, "created", ""), (2, "created", "")]);
}
