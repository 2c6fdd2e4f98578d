//! `orders.create`.

use crate::support::{Service, order_of, with};
use serde_json::{Value, json};

#[tokio::test]
async fn the_response_has_every_field_of_the_order() {
    let service = Service::start().await;
    let ada = service.customer().await;
    let body = json!({
        "currency": "EUR",
        "items": [
            {"sku": "TEA-250", "name": "Sencha 250 g", "quantity": 2, "unit_amount": 1250, "tax_rate": "8.875"},
            {"sku": "CUP", "name": "Cup", "quantity": 3, "unit_amount": 499, "discount_amount": 97, "tax_amount": 11}
        ],
        "fees": [{"name": "Shipping", "amount": 490, "tax_rate": "19.0"}, {"name": "Wrap", "amount": 10}],
        "order_discount_amount": 200,
        "external_ref": "web-1",
        "customer": {"name": "Ada", "email": "ada@example.com"},
        "note": "Ring twice",
        "metadata": {"b": "2", "a": "1"}
    });
    let answer = ada.places(body).await.created();
    let id = answer.id();
    assert_eq!(answer.header("location"), format!("/v1/orders/{id}"));
    assert_eq!((answer.header("etag"), answer.header("content-type")), ("\"1\"", "application/json"));
    let items = answer["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["id"].as_str().unwrap().starts_with("itm_")), "{answer}");
    let expected = json!({
        "id": id, "number": 1, "status": "pending", "payment_status": "unpaid", "currency": "EUR",
        "prices_include_tax": false, "user_id": ada.id, "external_ref": "web-1",
        "items": [
            {"id": items[0]["id"], "sku": "TEA-250", "name": "Sencha 250 g", "quantity": 2, "returned_quantity": 0,
             "unit_amount": 1250, "discount_amount": 0, "allocated_discount_amount": 128, "tax_rate": "8.875",
             "tax_amount": 211, "total_amount": 2583},
            {"id": items[1]["id"], "sku": "CUP", "name": "Cup", "quantity": 3, "returned_quantity": 0,
             "unit_amount": 499, "discount_amount": 97, "allocated_discount_amount": 72, "tax_rate": null,
             "tax_amount": 11, "total_amount": 1339}
        ],
        "fees": [
            {"name": "Shipping", "amount": 490, "tax_rate": "19", "tax_amount": 93, "total_amount": 583},
            {"name": "Wrap", "amount": 10, "tax_rate": null, "tax_amount": 0, "total_amount": 10}
        ],
        "subtotal_amount": 3997, "order_discount_amount": 200, "discount_amount": 297, "fee_amount": 500,
        "tax_amount": 315,
        "taxes": [
            {"tax_rate": "19", "net_amount": 490, "tax_amount": 93},
            {"tax_rate": "8.875", "net_amount": 2372, "tax_amount": 211},
            {"tax_rate": null, "net_amount": 1338, "tax_amount": 11}
        ],
        "total_amount": 4515, "paid_amount": 0, "refunded_amount": 0, "credited_amount": 0, "credited_tax_amount": 0,
        "balance_amount": 4515,
        "customer": {"name": "Ada", "email": "ada@example.com", "phone": null, "address": null},
        "note": "Ring twice", "metadata": {"a": "1", "b": "2"}, "version": 1,
        "allowed_transitions": ["confirm", "cancel"], "created_by": ada.id,
        "created_at": "2026-06-15T12:00:00.000Z", "updated_at": "2026-06-15T12:00:00.000Z",
        "placed_at": "2026-06-15T12:00:00.000Z", "confirmed_at": null, "fulfilled_at": null, "cancelled_at": null,
        "cancel_reason": null
    });
    assert_eq!(answer.json(), &expected);
    let (head, rest) = answer.text().split_once("\"items\":[").unwrap();
    let (_, rest) = rest.split_once("],\"subtotal_amount\"").unwrap();
    let order_alone = format!("{head}\"items\":[],\"fees\":[],\"subtotal_amount\"{rest}");
    let order_alone = order_alone.replacen("\"tax_amount\":93", "", 1);
    let members = "id number status payment_status currency prices_include_tax user_id external_ref items fees \
        subtotal_amount order_discount_amount discount_amount fee_amount tax_amount taxes total_amount paid_amount \
        refunded_amount credited_amount credited_tax_amount balance_amount customer note metadata version allowed_transitions created_by created_at updated_at placed_at \
        confirmed_at fulfilled_at cancelled_at cancel_reason";
    let places = members.split_whitespace().map(|member| order_alone.find(&format!("\"{member}\":")).unwrap());
    assert!(places.is_sorted(), "the members stand in the documented order: {answer}");
    assert_eq!(ada.get(answer.header("location")).await.ok().json(), &expected);
}

#[tokio::test]
async fn tax_is_rounded_half_away_from_zero_on_each_line() {
    let service = Service::start().await;
    let staff = service.staff().await;
    // 1 × 50 at 5 % is 2.5, which is 3; three such lines are 9, not 7.5 rounded.
    let line = json!({"sku": "a", "name": "a", "quantity": 1, "unit_amount": 50, "tax_rate": "5"});
    let order = staff.places(json!({"currency": "EUR", "items": [line, line, line]})).await.created();
    assert_eq!((order["tax_amount"].as_i64(), order["total_amount"].as_i64()), (Some(9), Some(159)));
    // The largest amounts stay exact.
    let most = (1_i64 << 53) - 1;
    let order = staff.places(order_of(&[("all", 1, most.unsigned_abs())])).await.created();
    assert_eq!(order["total_amount"], most);
    let two = staff.places(order_of(&[("all", 1, most.unsigned_abs()), ("more", 1, 1)])).await.status(422);
    two.problem("validation_failed").faults(&[("#/items", "too_large")]);
}

#[tokio::test]
async fn a_line_with_two_kinds_of_tax_is_refused() {
    let service = Service::start().await;
    let mut body = order_of(&[("tea", 1, 100)]);
    body["items"][0]["tax_rate"] = "5".into();
    body["items"][0]["tax_amount"] = 5.into();
    let answer = service.staff().await.places(body).await.status(422).problem("validation_failed");
    assert_eq!(answer["errors"].as_array().unwrap().len(), 1, "{answer}");
}

#[tokio::test]
async fn only_some_callers_may_order_for_another_user() {
    let service = Service::start().await;
    let (ada, other, staff) = (service.customer().await, service.other_customer().await, service.staff().await);
    let body = order_of(&[("tea", 1, 100)]);
    assert_eq!(ada.places(body.clone()).await.created()["user_id"], ada.id);
    assert_eq!(ada.places(with(body.clone(), "user_id", ada.id.clone())).await.created()["user_id"], ada.id);
    ada.places(with(body.clone(), "user_id", other.id.clone())).await.status(403).problem("forbidden");
    let behalf = staff.places(with(body.clone(), "user_id", ada.id.clone())).await.created();
    assert_eq!((&behalf["user_id"], &behalf["created_by"]), (&json!(ada.id), &json!(staff.id)));
    ada.get(behalf.header("location")).await.ok();
    for (user, code) in [
        ("usr_00000000000000000000000000", "unknown"),
        ("ord_00000000000000000000000000", "invalid_format"),
        ("ada", "invalid_format"),
    ] {
        let answer = staff.places(with(body.clone(), "user_id", user)).await.status(422);
        answer.problem("validation_failed").faults(&[("#/user_id", code)]);
    }
}

#[tokio::test]
async fn an_external_reference_is_unique_among_all_orders() {
    let service = Service::start().await;
    let (ada, other, staff) = (service.customer().await, service.other_customer().await, service.staff().await);
    let body = with(order_of(&[("tea", 1, 100)]), "external_ref", "web-7");
    let id = ada.places(body.clone()).await.created().id();
    for reader in [&ada, &staff] {
        let answer = reader.places(body.clone()).await.status(409).problem("duplicate_external_ref");
        assert_eq!(answer["existing_order_id"], id, "{answer}");
    }
    let answer = other.places(body.clone()).await.status(409).problem("duplicate_external_ref");
    assert_eq!(answer["existing_order_id"], Value::Null, "{answer}");
    // A failed request does not use up its key.
    other.post("/v1/orders", body.clone()).key("k").await.status(409);
    other.post("/v1/orders", with(body, "external_ref", "web-8")).key("k").await.created();
}

#[tokio::test]
async fn a_draft_has_no_number_and_numbers_have_no_gaps() {
    let service = Service::start().await;
    let ada = service.customer().await;
    let body = order_of(&[("tea", 1, 100)]);
    let draft = ada.places(with(body.clone(), "draft", true)).await.created();
    assert_eq!(
        (&draft["status"], &draft["number"], &draft["placed_at"]),
        (&json!("draft"), &json!(null), &json!(null))
    );
    assert_eq!(draft["allowed_transitions"], json!(["place", "cancel"]));
    assert_eq!(ada.places(with(body.clone(), "draft", false)).await.created()["number"], 1);
    ada.places(with(body.clone(), "user_id", "nobody")).await.status(422);
    assert_eq!(ada.places(body.clone()).await.created()["number"], 2);
    assert_eq!(ada.moves(&draft.id(), "place").await.ok()["number"], 3);
    service.reopen().await;
    assert_eq!(ada.places(body).await.created()["number"], 4);
}

#[tokio::test]
async fn an_order_by_telephone_belongs_to_nobody() {
    let service = Service::start().await;
    let (staff, ada) = (service.staff().await, service.customer().await);
    let body = order_of(&[("tea", 1, 1000)]);
    let of_nobody = with(body.clone(), "user_id", Value::Null);
    let order = staff.post("/v1/orders", of_nobody.clone()).key("phone").await.created();
    assert_eq!((&order["user_id"], &order["created_by"]), (&json!(null), &json!(staff.id)));
    assert_eq!(staff.places(body.clone()).await.created()["user_id"], staff.id, "left out, it is the caller's");
    staff.post("/v1/orders", body).key("phone").await.status(422).problem("idempotency_key_reused");
    assert_eq!(staff.get(&format!("/v1/orders?user_id={}", staff.id)).await.ok()["data"].as_array().unwrap().len(), 1);

    ada.get(&format!("/v1/orders/{}", order.id())).await.status(404).problem("not_found");
    assert_eq!(ada.places(of_nobody.clone()).await.created()["user_id"], ada.id, "customers only have their own");
    let given = staff.patch(&format!("/v1/orders/{}", order.id()), json!({"user_id": ada.id})).await.ok();
    assert_eq!(given["user_id"], ada.id);
    let draft = staff.places(with(of_nobody, "draft", true)).await.created();
    assert_eq!((&draft["user_id"], &draft["status"]), (&json!(null), &json!("draft")));
}
