//! `orders.update`: the rules of a merge patch, and which fields can be changed in which status.

use crate::support::{Answer, Client, Service, order_of, with};
use serde_json::{Value, json};

async fn order() -> (Service, Client, String) {
    let service = Service::start().await;
    let ada = service.customer().await;
    let body = with(order_of(&[("tea", 2, 1250)]), "metadata", json!({"a": "1", "b": "2"}));
    let body = with(with(body, "note", "Ring"), "customer", json!({"name": "Ada", "phone": "1"}));
    let id = ada.places(with(body, "external_ref", "r1")).await.created().id();
    (service, ada, id)
}

async fn patch(who: &Client, id: &str, body: Value) -> Answer {
    who.patch(&format!("/v1/orders/{id}"), body).await
}

#[tokio::test]
async fn absent_fields_stay_null_clears_and_objects_merge() {
    let (service, ada, id) = order().await;
    service.pass(std::time::Duration::from_secs(5));
    let body = json!({"metadata": {"b": null, "c": "3"}, "customer": {"name": "Ada L.", "phone": null}});
    let changed = patch(&ada, &id, body).await.ok();
    assert_eq!(changed["metadata"], json!({"a": "1", "c": "3"}));
    assert_eq!(changed["customer"], json!({"name": "Ada L.", "email": null, "phone": null, "address": null}));
    assert_eq!((&changed["note"], &changed["external_ref"]), (&json!("Ring"), &json!("r1")));
    assert_eq!((&changed["version"], changed.header("etag")), (&json!(2), "\"2\""));
    assert_eq!(changed["updated_at"], "2026-06-15T12:00:05.000Z");
    let cleared = json!({"metadata": null, "customer": null, "note": null, "external_ref": null});
    let changed = patch(&ada, &id, cleared).await.ok();
    assert_eq!((&changed["metadata"], &changed["customer"]), (&json!({}), &Value::Null));
    assert_eq!((&changed["note"], &changed["external_ref"]), (&Value::Null, &Value::Null));
    assert_eq!(ada.get(&format!("/v1/orders/{id}")).await.ok().text(), changed.text());
    ada.get("/v1/orders/ref/r1").await.status(404);
}

#[tokio::test]
async fn items_and_fees_are_replaced_and_totals_recomputed() {
    let (_service, ada, id) = order().await;
    let items = json!([{"sku": "cup", "name": "Cup", "quantity": 1, "unit_amount": 300, "tax_rate": "10"}]);
    let body = json!({"items": items, "fees": [{"name": "Gift", "amount": 50}], "order_discount_amount": 100});
    let changed = patch(&ada, &id, body).await.ok();
    let totals = ["subtotal_amount", "discount_amount", "fee_amount", "tax_amount", "total_amount", "balance_amount"];
    assert_eq!(totals.map(|field| changed[field].as_i64().unwrap()), [300, 100, 50, 20, 270, 270]);
    assert_eq!(changed["items"].as_array().unwrap().len(), 1);
    let changed = patch(&ada, &id, json!({"fees": null, "order_discount_amount": null})).await.ok();
    assert_eq!(totals.map(|field| changed[field].as_i64().unwrap()), [300, 0, 0, 30, 330, 330]);
    let null = json!({"prices_include_tax": null});
    for body in [json!({"items": null}), json!({"items": []}), json!({"order_discount_amount": 331}), null] {
        patch(&ada, &id, body).await.status(422).problem("validation_failed");
    }
}

#[tokio::test]
async fn a_patch_without_changes_records_no_event() {
    let (_service, ada, id) = order().await;
    for body in [json!({}), json!({"note": "Ring"}), json!({"metadata": {}}), json!({"metadata": {"z": null}})] {
        let answer = patch(&ada, &id, body.clone()).await.ok();
        assert_eq!((&answer["version"], answer.header("etag")), (&json!(1), "\"1\""), "{body}");
    }
    assert_eq!(ada.walk(&format!("/v1/orders/{id}/events")).await.len(), 1);
}

#[tokio::test]
async fn a_confirmed_order_is_edited_by_staff_only_and_a_fulfilled_one_by_nobody() {
    let (service, ada, id) = order().await;
    let staff = service.staff().await;
    staff.moves(&id, "confirm").await.ok();
    let edited = patch(&staff, &id, json!({"order_discount_amount": 1})).await.ok();
    assert_eq!((&edited["status"], &edited["order_discount_amount"]), (&json!("confirmed"), &json!(1)));
    patch(&staff, &id, json!({"order_discount_amount": null})).await.ok();
    let items = order_of(&[("cup", 1, 300)])["items"].clone();
    for body in [
        json!({"items": items}),
        json!({"fees": [{"name": "Gift", "amount": 1}], "note": "a"}),
        json!({"order_discount_amount": 1}),
        json!({"external_ref": "r2"}),
        json!({"external_ref": null}),
        json!({"prices_include_tax": true}),
    ] {
        let answer = patch(&ada, &id, body.clone()).await;
        assert_eq!(answer.code(), 409, "{body}: {answer}");
        answer.problem("order_frozen");
    }
    // A frozen field may be sent again with its current value.
    let same = json!({"fees": null, "order_discount_amount": 0, "external_ref": "r1", "note": "Ring"});
    assert_eq!(patch(&ada, &id, same).await.ok()["version"], 4);
    let body = json!({"note": "b", "metadata": {"x": "y"}, "customer": {"email": "a@b.c"}});
    assert_eq!(patch(&ada, &id, body).await.ok()["version"], 5);
    staff.moves(&id, "fulfil").await.ok();
    patch(&staff, &id, json!({"order_discount_amount": 1})).await.status(409).problem("order_frozen");
    patch(&staff, &id, json!({"note": "gone"})).await.ok();
}

#[tokio::test]
async fn an_order_of_nobody_is_given_to_a_user_once() {
    let service = Service::start().await;
    let (staff, ada, bob) = (service.staff().await, service.customer().await, service.other_customer().await);
    let guest = service.program(&["orders:create"]).await.places(order_of(&[("tea", 1, 1)])).await.created().id();
    patch(&ada, &guest, json!({"user_id": ada.id})).await.status(404).problem("not_found");
    patch(&staff, &guest, json!({"user_id": null})).await.status(422).problem("validation_failed");
    let unknown = patch(&staff, &guest, json!({"user_id": "usr_01h455vb4pex5vsknk084sn02q"})).await.status(422);
    unknown.problem("validation_failed").faults(&[("#/user_id", "unknown")]);
    staff.moves(&guest, "confirm").await.ok();
    let given = patch(&staff, &guest, json!({"user_id": ada.id})).await.ok();
    assert_eq!((&given["user_id"], &given["version"]), (&json!(ada.id), &json!(3)));
    assert_eq!(ada.get(&format!("/v1/orders/{guest}")).await.ok()["user_id"], ada.id);
    assert_eq!(patch(&ada, &guest, json!({"user_id": ada.id})).await.ok()["version"], 3, "no change");
    patch(&staff, &guest, json!({"user_id": bob.id})).await.status(409).problem("order_frozen");
    patch(&ada, &guest, json!({"user_id": bob.id})).await.status(403).problem("forbidden");
}

#[tokio::test]
async fn bounds_apply_to_the_merged_order() {
    let (service, ada, id) = order().await;
    let more: serde_json::Map<_, _> = (0..49).map(|i| (format!("k{i}"), json!("v"))).collect();
    let answer = patch(&ada, &id, json!({"metadata": more})).await.status(422);
    answer.problem("validation_failed").faults(&[("#/metadata", "too_many")]);
    let other = service.other_customer().await;
    other.places(with(order_of(&[("tea", 1, 1)]), "external_ref", "taken")).await.created();
    patch(&ada, &id, json!({"external_ref": "taken"})).await.status(409).problem("duplicate_external_ref");
    patch(&ada, &id, json!({"external_ref": "r1"})).await.ok();
    patch(&other, &id, json!({"note": "mine"})).await.status(404).problem("not_found");
    patch(&service.analyst().await, &id, json!({"note": "mine"})).await.status(403).problem("forbidden");
}

#[tokio::test]
async fn if_match_makes_a_change_conditional() {
    let (_service, ada, id) = order().await;
    let path = format!("/v1/orders/{id}");
    ada.patch(&path, json!({"note": "a"})).if_match(1).await.ok();
    let answer = ada.patch(&path, json!({"note": "b"})).if_match(1).await.status(412).problem("version_mismatch");
    assert_eq!(answer["current_version"], 2);
    ada.patch(&path, json!({"note": "b"})).header("if-match", "\"1\", \"2\"").await.ok();
    ada.patch(&path, json!({"note": "c"})).header("if-match", "*").await.ok();
    for tag in ["\"x\"", "\"04\"", "W/\"3\"", "\"\""] {
        ada.patch(&path, json!({"note": "d"})).header("if-match", tag).await.status(412);
    }
    // A proxy that compresses responses weakens the tag.
    assert_eq!(ada.patch(&path, json!({"note": "d"})).header("if-match", "W/\"4\"").await.ok()["version"], 5);
}

#[tokio::test]
async fn a_malformed_if_match_is_refused_and_the_right_form_is_shown() {
    let (_service, ada, id) = order().await;
    let path = format!("/v1/orders/{id}");
    for malformed in ["1", "", "\"1", "1\"", "\"1\" \"2\"", "w/\"1\"", "\"1\", 2", "*, \"1\"", "ä"] {
        let answer = ada.patch(&path, json!({"note": "a"})).header("if-match", malformed).await.status(400);
        let answer = answer.problem("invalid_header").faults(&[("If-Match", "invalid_format")]);
        assert!(answer["detail"].as_str().unwrap().contains("\"3\", \"4\""), "{malformed}: {answer}");
        let action = format!("{path}/confirm");
        ada.post(&action, json!({})).header("if-match", malformed).await.status(403);
    }
    assert_eq!(ada.get(&path).await.ok()["version"], 1);
    let call = ada.patch(&path, json!({"note": "a"})).header("if-match", "\"1\"").header("if-match", "2");
    call.await.status(400).problem("invalid_header");
}

#[tokio::test]
async fn if_match_can_be_required_by_configuration() {
    let service = Service::with(&[("idempotency.require_if_match", "true")]).await;
    let staff = service.staff().await;
    let id = staff.places(order_of(&[("tea", 1, 100)])).await.created().id();
    patch(&staff, &id, json!({"note": "a"})).await.status(428).problem("if_match_required");
    staff.moves(&id, "confirm").await.status(428).problem("if_match_required");
    staff.patch(&format!("/v1/orders/{id}"), json!({"note": "a"})).if_match(1).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_concurrent_changes_to_one_version_one_succeeds() {
    let (_service, staff, id) = order().await;
    for version in 1..20 {
        let change = |note: &str| {
            let call = staff.patch(&format!("/v1/orders/{id}"), json!({"note": format!("{note} {version}")}));
            tokio::spawn(call.if_match(version).into_future())
        };
        let (one, other) = (change("one"), change("other"));
        let answers = [one.await.unwrap(), other.await.unwrap()];
        let mut codes = answers.each_ref().map(crate::support::Answer::code);
        codes.sort_unstable();
        assert_eq!(codes, [200, 412], "{}", answers[0]);
        let lost = answers.iter().find(|answer| answer.code() == 412).unwrap();
        assert_eq!((&lost["code"], &lost["current_version"]), (&json!("version_mismatch"), &json!(version + 1)));
    }
}

#[tokio::test]
async fn sending_the_same_items_again_is_no_change() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let items = json!([
        {"sku": "a", "name": "A", "quantity": 1, "unit_amount": 100},
        {"sku": "b", "name": "B", "quantity": 2, "unit_amount": 100, "tax_rate": "19"},
        {"sku": "c", "name": "C", "quantity": 3, "unit_amount": 100, "tax_amount": 5, "discount_amount": 0},
    ]);
    let placed = staff.places(json!({"currency": "EUR", "items": items})).await.created();
    let again = staff.patch(&format!("/v1/orders/{}", placed.id()), json!({"items": items})).await.ok();
    assert_eq!(again.json(), placed.json());
}
