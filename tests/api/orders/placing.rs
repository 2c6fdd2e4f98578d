//! `orders.list` by the time of placing and by the customer, and the search of text.

use super::list::ids;
use crate::support::{Client, Service, order_of, with};
use serde_json::json;
use std::time::Duration;

async fn found(who: &Client, query: &str) -> Vec<String> {
    let all = ids(&who.walk(&format!("/v1/orders?{query}")).await);
    for limit in [1, 2] {
        let again = who.walk(&format!("/v1/orders?{query}&limit={limit}")).await;
        assert_eq!(ids(&again), all, "{query}, {limit} at a time");
    }
    let counted = who.get(&format!("/v1/orders?{query}&count=true&limit=1")).await.ok();
    assert_eq!(counted["page"]["total"], all.len(), "{query}");
    all
}

#[tokio::test]
async fn orders_that_were_never_placed_come_last_both_ways() {
    let service = Service::start().await;
    let (staff, ada) = (service.staff().await, service.customer().await);
    let draft = || with(order_of(&[("tea", 1, 100)]), "draft", true);
    let mut made = vec![];
    for n in 0..6 {
        let body = if n % 3 == 2 { order_of(&[("tea", 1, 100)]) } else { draft() };
        made.push(ada.places(body).await.created().id());
        service.pass(Duration::from_mins(1));
    }
    // Made first, placed last; and a draft that is cancelled is never placed.
    ada.moves(&made[0], "place").await.ok();
    ada.moves(&made[1], "cancel").await.ok();
    let of = |numbers: &[usize]| numbers.iter().map(|&n| made[n].clone()).collect::<Vec<_>>();
    for who in [&staff, &ada] {
        for (query, expected) in [
            ("sort=-placed_at", of(&[0, 5, 2, 4, 3, 1])),
            ("sort=placed_at", of(&[2, 5, 0, 1, 3, 4])),
            ("sort=-placed_at&status=pending", of(&[0, 5, 2])),
            ("sort=placed_at&status=draft,cancelled", of(&[1, 3, 4])),
            ("sort=placed_at&sku=tea&total_min=100", of(&[2, 5, 0, 1, 3, 4])),
            ("placed_from=2026-06-15T12:05:00Z", of(&[5, 0])),
            ("placed_from=2026-06-15T12:05:00Z&sort=-placed_at", of(&[0, 5])),
            ("placed_to=2026-06-15T12:06:00Z&sort=placed_at", of(&[2, 5])),
            ("placed_from=2026-06-15T12:02:00Z&placed_to=2026-06-15T12:06:00.001Z&sort=-placed_at", of(&[0, 5, 2])),
            ("placed_from=2026-06-15T12:02:00.001Z&placed_to=2026-06-15T12:06:00Z&sort=placed_at", of(&[5])),
            ("placed_from=2027-01-01T00:00:00Z&sort=placed_at", of(&[])),
        ] {
            assert_eq!(found(who, query).await, expected, "{query}");
        }
    }
    staff
        .get("/v1/orders?placed_from=today&customer_email=")
        .await
        .status(400)
        .faults(&[("placed_from", "invalid_format"), ("customer_email", "too_short")]);
}

#[tokio::test]
async fn placing_orders_during_a_walk_repeats_and_misses_none() {
    let service = Service::start().await;
    let staff = service.staff().await;
    for sort in ["-placed_at", "placed_at"] {
        let mut stood = vec![];
        for n in 0..20 {
            let body = with(order_of(&[("tea", 1, 100)]), "draft", n % 2 == 0);
            stood.push(staff.places(body).await.created().id());
            service.pass(Duration::from_millis(10));
        }
        let (mut seen, mut path, mut turn) = (vec![], format!("/v1/orders?limit=3&sort={sort}"), 0);
        loop {
            let page = staff.get(&path).await.ok();
            seen.extend(ids(page["data"].as_array().unwrap()));
            // Between two pages drafts are placed, on both sides of the cursor, and orders are made.
            for at in [turn, 18 - turn] {
                staff.moves(&stood[at], "place").await.ok();
                service.pass(Duration::from_millis(10));
            }
            staff.places(order_of(&[("new", 1, 1)])).await.created();
            turn = (turn + 2) % 10;
            let Some(next) = page["page"]["next"].as_str() else { break };
            path = format!("/v1/orders?limit=3&sort={sort}&cursor={next}");
        }
        let whole = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), whole, "{sort}: some twice");
        for id in &stood {
            assert!(seen.contains(id), "{sort}: {id} was missed");
        }
    }
}

#[tokio::test]
async fn customers_are_found_by_address_name_and_telephone_number() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let made = async |customer, name: &str| {
        let mut body = with(order_of(&[("tea", 1, 100)]), "customer", customer);
        body["items"][0]["name"] = name.into();
        staff.places(body).await.created().id()
    };
    let first =
        made(json!({"name": "Ivan", "email": "Ivan@Example.com", "phone": "+33 6 12 34 56 78"}), "Straße").await;
    let second = made(json!({"name": "Иван", "email": "jose\u{301}@example.com"}), "İnşaat").await;
    let third = made(json!({"phone": "call after 5"}), "Cafe\u{301} cre\u{300}me").await;
    for (query, expected) in [
        ("customer_email=ivan%40EXAMPLE.com", vec![&first]),
        ("customer_email=JOS%C3%89%40example.com", vec![&second]),
        ("customer_email=van%40example.com", vec![]),
        ("q=STRASSE", vec![&first]),
        ("q=%D0%98%D0%92%D0%90%D0%9D", vec![&second]),
        ("q=in%C5%9Faat", vec![&second]),
        ("q=caf%C3%A9+cr%C3%A8me", vec![&third]),
        ("q=cafe", vec![]),
        ("q=%2B33+6+12", vec![&first]),
        ("q=33612345678", vec![&first]),
        ("q=06-12", vec![]),
        ("q=612/34", vec![&first]),
        ("q=AFTER+5", vec![&third]),
    ] {
        assert_eq!(found(&staff, query).await.iter().collect::<Vec<_>>(), expected, "{query}");
    }
}
