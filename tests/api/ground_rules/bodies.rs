//! Request bodies: their media type, size, syntax and fields.

use crate::support::{Client, Service, order_of, with};
use serde_json::{Value, json};

const JSON: &str = "application/json";

async fn customer() -> (Service, Client) {
    let service = Service::start().await;
    let customer = service.customer().await;
    (service, customer)
}

/// Nested arrays of this many levels.
fn nested(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

/// A valid order, padded to this many bytes.
fn of_size(bytes: usize) -> String {
    let body = order_of(&[("tea", 1, 100)]).to_string();
    body.clone() + &" ".repeat(bytes - body.len())
}

#[tokio::test]
async fn only_json_bodies_are_accepted() {
    let (_service, ada) = customer().await;
    let body = order_of(&[("tea", 1, 100)]).to_string();
    for (i, media_type) in [JSON, "application/json; charset=utf-8", "Application/JSON"].iter().enumerate() {
        let call = ada.post("/v1/orders", json!({})).body(media_type, body.clone());
        call.key(&format!("k{i}")).await.created();
    }
    for media_type in ["text/plain", "application/xml", "application/merge-patch+json", "application/jsonx", ""] {
        let call = ada.post("/v1/orders", json!({})).body(media_type, body.clone());
        call.fresh_key().await.status(415).problem("unsupported_media_type");
    }
    let call = ada.post("/v1/orders", json!({})).without("content-type");
    call.fresh_key().await.status(415).problem("unsupported_media_type");
}

#[tokio::test]
async fn only_patches_may_be_merge_patches() {
    let (_service, ada) = customer().await;
    let order = ada.places(order_of(&[("tea", 1, 100)])).await.created();
    let path = format!("/v1/orders/{}", order.id());
    for media_type in [JSON, "application/merge-patch+json"] {
        ada.patch(&path, json!({})).body(media_type, r#"{"note": "a"}"#).await.ok();
    }
    let call = ada.patch(&path, json!({})).body("application/json-patch+json", "[]");
    call.await.status(415).problem("unsupported_media_type");
}

#[tokio::test]
async fn encoded_bodies_are_refused() {
    let (_service, ada) = customer().await;
    for encoding in ["gzip", "br", "identity"] {
        let call = ada.post("/v1/orders", order_of(&[("tea", 1, 100)])).header("content-encoding", encoding);
        let refused = call.fresh_key().await.status(415).problem("unsupported_media_type");
        assert!(refused["detail"].as_str().unwrap().contains("without compression"), "{}", refused["detail"]);
    }
}

#[tokio::test]
async fn a_body_has_at_most_a_mebibyte() {
    const MIB: usize = 1 << 20;
    let (service, ada) = customer().await;
    let send = |text: String| ada.post("/v1/orders", json!({})).body(JSON, text).fresh_key();
    send(of_size(MIB)).await.created();
    send(of_size(MIB + 1)).await.status(413).problem("body_too_large");
    // A declared length is checked before the body is read.
    let call = send("{}".to_owned()).header("content-length", &(MIB + 1).to_string());
    call.await.status(413).problem("body_too_large");
    let small = Service::with(&[("limits.body_bytes", "200")]).await;
    let call = small.staff().await.post("/v1/orders", json!({})).body(JSON, of_size(201));
    let answer = call.fresh_key().await.status(413).problem("body_too_large");
    assert_eq!(answer["limit_bytes"], 200);
    drop(service);
}

#[tokio::test]
async fn ambiguous_json_is_refused() {
    let (_service, ada) = customer().await;
    let bad: &[&[u8]] = &[
        b"",
        b" ",
        b"{",
        b"{}{}",
        b"{'a': 1}",
        b"{\"currency\": \"EUR\",}",
        b"NaN",
        b"{\"note\": \"\xff\"}",
        b"{\"currency\": \"EUR\", \"currency\": \"USD\"}",
        b"{\"metadata\": {\"a\": \"1\", \"\\u0061\": \"2\"}}",
        b"{\"note\": \"\\u0000\"}",
        b"{\"metadata\": {\"a\\u0000b\": \"1\"}}",
        b"{\"note\": \"\\ud800\"}",
        b"{\"note\": \"\\udc00\\ud800\"}",
        b"\xef\xbb\xbf{}",
        b"{\"note\": \"a\nb\"}",
        b"{\"quantity\": 01}",
    ];
    for text in bad {
        let answer = ada.post("/v1/orders", json!({})).body(JSON, text.to_vec()).fresh_key().await;
        assert_eq!(answer.code(), 400, "{}: {answer}", String::from_utf8_lossy(text));
        answer.problem("invalid_json");
    }
}

#[tokio::test]
async fn a_document_has_at_most_32_levels() {
    let (_service, ada) = customer().await;
    let send = |text: String| ada.post("/v1/orders", json!({})).body(JSON, text).fresh_key();
    send(nested(32)).await.status(422).problem("validation_failed");
    send(nested(33)).await.status(400).problem("invalid_json");
    send(format!(r#"{{"note": {}}}"#, nested(31))).await.status(422).problem("validation_failed");
    send(format!(r#"{{"note": {}}}"#, nested(32))).await.status(400).problem("invalid_json");
    send(nested(100_000)).await.status(400).problem("invalid_json");
}

#[tokio::test]
async fn the_top_level_is_an_object() {
    let (_service, ada) = customer().await;
    for text in ["[]", "null", "1", "\"a\"", "true"] {
        let answer = ada.post("/v1/orders", json!({})).body(JSON, text).fresh_key().await;
        answer.status(422).problem("validation_failed").faults(&[("#", "wrong_type")]);
    }
}

#[tokio::test]
async fn all_faults_are_reported_together() {
    let (_service, ada) = customer().await;
    let body = json!({
        "currency": "eur",
        "items": [
            {"sku": "", "name": "Sencha", "quantity": 0, "unit_amount": -1, "total_amount": 5},
            {"sku": "a", "name": 7, "quantity": "1", "unit_amount": 19.99, "tax_rate": "8.87500"},
            "tea"
        ],
        "fees": {},
        "order_discount_amount": 9_007_199_254_740_992_i64,
        "customer": {"name": "n".repeat(256), "age": 30},
        "metadata": {"colour": 1, "a/b~c": "x".repeat(501)},
        "note": "n".repeat(5001),
        "draft": "yes",
        "id": "ord_1",
        "status": "pending"
    });
    ada.places(body).await.status(422).problem("validation_failed").faults(&[
        ("#/currency", "invalid_format"),
        ("#/items/0/sku", "too_short"),
        ("#/items/0/quantity", "too_small"),
        ("#/items/0/unit_amount", "too_small"),
        ("#/items/0/total_amount", "unknown_field"),
        ("#/items/1/name", "wrong_type"),
        ("#/items/1/quantity", "wrong_type"),
        ("#/items/1/unit_amount", "wrong_type"),
        ("#/items/1/tax_rate", "invalid_format"),
        ("#/items/2", "wrong_type"),
        ("#/fees", "wrong_type"),
        ("#/order_discount_amount", "too_large"),
        ("#/customer/name", "too_long"),
        ("#/customer/age", "unknown_field"),
        ("#/metadata/colour", "wrong_type"),
        ("#/metadata/a~1b~0c", "too_long"),
        ("#/note", "too_long"),
        ("#/draft", "wrong_type"),
        ("#/id", "unknown_field"),
        ("#/status", "unknown_field"),
    ]);
    ada.places(json!({})).await.status(422).faults(&[("#/currency", "required"), ("#/items", "required")]);
}

#[tokio::test]
async fn read_only_fields_are_refused() {
    let (_service, ada) = customer().await;
    let body = order_of(&[("tea", 1, 100)]);
    for field in ["number", "payment_status", "total_amount", "version", "created_at", "allowed_transitions"] {
        let pointer = format!("#/{field}");
        let answer = ada.places(with(body.clone(), field, Value::Null)).await.status(422);
        answer.problem("validation_failed").faults(&[(&pointer, "unknown_field")]);
    }
    let order = ada.places(body).await.created();
    let patch = ada.patch(&format!("/v1/orders/{}", order.id()), json!({"status": "cancelled", "currency": "USD"}));
    patch.await.status(422).faults(&[("#/status", "unknown_field"), ("#/currency", "unknown_field")]);
}

#[tokio::test]
async fn an_integer_may_be_written_with_a_zero_fraction() {
    let (_service, ada) = customer().await;
    let priced = |amount: &str| {
        let body = r#"{"currency":"EUR","items":[{"sku":"a","name":"a","quantity":1.0,"unit_amount":AMOUNT}]}"#;
        ada.post("/v1/orders", json!({})).body(JSON, body.replace("AMOUNT", amount)).fresh_key()
    };
    for (written, meant) in [("1999.0", 1999_i64), ("1e3", 1000), ("9007199254740991.0", (1 << 53) - 1), ("-0.0", 0)] {
        let order = priced(written).await.created();
        assert_eq!(order["items"][0]["unit_amount"], meant, "{written}");
        assert!(order.text().contains(&format!("\"unit_amount\":{meant},")), "{written}: {order}");
    }
    for refused in ["19.99", "1e-1", "9007199254740992", "9007199254740992.0", "1e300", "1e999", "\"1999\"", "true"] {
        let answer = priced(refused).await;
        let expected = if refused == "1e999" { 400 } else { 422 };
        assert_eq!(answer.code(), expected, "{refused}: {answer}");
    }
}

#[tokio::test]
async fn amounts_are_minor_units_of_known_currencies() {
    let (_service, ada) = customer().await;
    for currency in ["EUR", "JPY", "KWD", "USD"] {
        let order = ada.places(with(order_of(&[("tea", 3, 1250)]), "currency", currency)).await.created();
        assert_eq!(order["total_amount"], 3750, "{currency}");
    }
    for currency in ["EUX", "ZZZ", "AAA"] {
        let answer = ada.places(with(order_of(&[("tea", 1, 1)]), "currency", currency)).await;
        assert_eq!(answer.code(), 422, "{currency}: {answer}");
        answer.problem("validation_failed").faults(&[("#/currency", "unknown")]);
    }
}

#[tokio::test]
async fn lengths_are_counted_in_characters() {
    let (_service, ada) = customer().await;
    let body = order_of(&[("tea", 1, 100)]);
    ada.places(with(body.clone(), "note", "🍵".repeat(5000))).await.created();
    ada.places(with(body, "note", "🍵".repeat(5001))).await.status(422).faults(&[("#/note", "too_long")]);
}

#[tokio::test]
async fn values_within_the_bounds_pass_and_values_beyond_them_fail() {
    let (_service, ada) = customer().await;
    let base = order_of(&[("tea", 1, 100)]);
    let item = |member: &str, value: Value| {
        let mut body = base.clone();
        body["items"][0][member] = value;
        body
    };
    let entries = |n: usize| (0..n).map(|i| (format!("k{i}"), json!("v"))).collect::<serde_json::Map<_, _>>();
    let items = |n: usize| vec![base["items"][0].clone(); n];
    let max = (1_i64 << 53) - 1;
    let good = [
        with(base.clone(), "items", items(500)),
        with(base.clone(), "external_ref", "r".repeat(255)),
        with(base.clone(), "metadata", entries(50)),
        with(base.clone(), "metadata", json!({"k".repeat(40): "v".repeat(500)})),
        with(base.clone(), "customer", json!({"address": "a".repeat(1000), "email": "e".repeat(255)})),
        item("sku", "s".repeat(64).into()),
        item("name", "n".repeat(255).into()),
        item("quantity", 1_000_000.into()),
        item("unit_amount", max.into()),
        item("tax_rate", "100".into()),
        item("tax_rate", "0".into()),
        item("tax_rate", "8.8755".into()),
        item("discount_amount", 100.into()),
    ];
    for body in good {
        ada.places(body).await.created();
    }
    let bad = [
        (with(base.clone(), "items", json!([])), "#/items", "too_few"),
        (with(base.clone(), "items", items(501)), "#/items", "too_many"),
        (with(base.clone(), "external_ref", ""), "#/external_ref", "too_short"),
        (with(base.clone(), "external_ref", "r".repeat(256)), "#/external_ref", "too_long"),
        (with(base.clone(), "metadata", entries(51)), "#/metadata", "too_many"),
        (with(base.clone(), "fees", json!([{"name": "a", "amount": -1}])), "#/fees/0/amount", "too_small"),
        (with(base.clone(), "order_discount_amount", 101), "#/order_discount_amount", "too_large"),
        (with(base.clone(), "customer", json!({"address": "a".repeat(1001)})), "#/customer/address", "too_long"),
        (item("sku", "s".repeat(65).into()), "#/items/0/sku", "too_long"),
        (item("name", "n".repeat(256).into()), "#/items/0/name", "too_long"),
        (item("quantity", 1_000_001.into()), "#/items/0/quantity", "too_large"),
        (item("unit_amount", (max + 1).into()), "#/items/0/unit_amount", "too_large"),
        (item("tax_rate", "100.1".into()), "#/items/0/tax_rate", "invalid_format"),
        (item("tax_rate", "-1".into()), "#/items/0/tax_rate", "invalid_format"),
        (item("tax_rate", 8.875.into()), "#/items/0/tax_rate", "wrong_type"),
        (item("discount_amount", 101.into()), "#/items/0/discount_amount", "too_large"),
    ];
    for (body, pointer, code) in bad {
        ada.places(body).await.status(422).problem("validation_failed").faults(&[(pointer, code)]);
    }
}

#[tokio::test]
async fn actions_without_required_fields_take_an_empty_body() {
    let (service, ada) = customer().await;
    let staff = service.staff().await;
    let id = ada.places(order_of(&[("tea", 1, 100)])).await.created().id();
    let confirm = format!("/v1/orders/{id}/confirm");
    staff.post(&confirm, json!({"why": 1})).await.status(422).faults(&[("#/why", "unknown_field")]);
    staff.post(&confirm, json!({})).body("text/plain", "{}").await.status(415);
    assert_eq!(staff.moves(&id, "confirm").await.ok()["status"], "confirmed");
    staff.post(&format!("/v1/orders/{id}/fulfil"), json!({})).await.ok();
}
