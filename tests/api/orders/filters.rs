//! `orders.list`: each filter, each sort, and counting.

use super::list::ids;
use crate::support::{Client, Service, order_of, with};
use axum::http::Method;
use serde_json::{Value, json};
use std::{ops::RangeInclusive, time::Duration};

/// Creates fifteen orders, a minute apart, that differ in every property that can be filtered.
async fn fill(service: &Service) -> Vec<Value> {
    let staff = service.staff().await;
    let mut made = vec![];
    for n in 0..15_u64 {
        let sku = ["tea", "cup", "pot"][usize::try_from(n % 3).unwrap()];
        let mut body = order_of(&[(sku, 1, 100 * (n % 5 + 1)), ("bag", 1, 1)]);
        body["currency"] = json!(if n % 2 == 0 { "EUR" } else { "JPY" });
        body["external_ref"] = json!(format!("Shop-{n}"));
        body["items"][0]["name"] = json!(if n == 4 { "Grüner Tee" } else { "Something" });
        body["customer"] =
            json!({"name": if n == 6 { "Müller & \"Söhne\"" } else { "Guest" }, "email": format!("g{n}@example.com")});
        body["metadata"] = json!({"colour": if n < 7 { "red" } else { "blue" }, "odd \"key\" é": (n % 2).to_string()});
        made.push(staff.places(body).await.created().json().clone());
        service.pass(Duration::from_mins(1));
    }
    made
}

async fn numbers(who: &Client, query: &str) -> Vec<i64> {
    let all = who.walk(&format!("/v1/orders?{query}")).await;
    for limit in [1, 4] {
        let again = who.walk(&format!("/v1/orders?{query}&limit={limit}")).await;
        assert_eq!(ids(&again), ids(&all), "{query}, {limit} at a time");
    }
    let counted = who.get(&format!("/v1/orders?{query}&count=true&limit=1")).await.ok();
    assert_eq!(counted["page"]["total"], all.len(), "{query}");
    all.iter().map(|order| order["number"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn each_filter_finds_the_matching_orders() {
    let service = Service::start().await;
    let staff = service.staff().await;
    fill(&service).await;
    for (query, expected) in [
        ("currency=JPY&created_to=2026-06-15T12:04:00Z", vec![4, 2]),
        ("external_ref=Shop-3", vec![4]),
        ("external_ref=shop-3", vec![]),
        ("sku=tea", vec![13, 10, 7, 4, 1]),
        ("sku=te", vec![]),
        ("sku=tea&currency=EUR", vec![13, 7, 1]),
        ("total_min=501", vec![15, 10, 5]),
        ("total_min=201&total_max=301", vec![13, 12, 8, 7, 3, 2]),
        ("created_from=2026-06-15T12:12:00Z", vec![15, 14, 13]),
        ("created_from=2026-06-15T12:01:00Z&created_to=2026-06-15T12:03:00Z", vec![3, 2]),
        ("created_from=2026-06-15T12:00:00.001Z&created_to=2026-06-15T12:01:00.001Z", vec![2]),
        ("created_from=2027-01-01T00:00:00Z", vec![]),
        ("created_to=2026-06-15T12:00:00Z", vec![]),
        ("created_from=2026-06-15T12:05:00Z&created_to=2026-06-15T12:03:00Z", vec![]),
        ("updated_from=2026-06-15T12:13:00Z", vec![15, 14]),
        ("metadata.colour=red&sku=cup", vec![5, 2]),
        ("metadata.colour=red&metadata.odd%20%22key%22%20%C3%A9=1", vec![6, 4, 2]),
        ("metadata.colour=Red", vec![]),
        ("metadata.size=red", vec![]),
        ("q=GR%C3%9CNER", vec![5]),
        ("q=m%C3%BCller", vec![7]),
        ("q=%22s%C3%96HNE", vec![7]),
        ("q=SHOP-1", vec![15, 14, 13, 12, 11, 2]),
        ("q=G3%40EXAMPLE", vec![4]),
        ("q=12", vec![13, 12]),
        ("q=%25", vec![]),
        ("q=_omething", vec![]),
        ("sku=bag&status=pending&payment_status=unpaid&sort=created_at&total_max=101", vec![1, 6, 11]),
    ] {
        assert_eq!(numbers(&staff, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn each_sort_breaks_ties_by_creation() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let made = fill(&service).await;
    for n in [2, 9, 4] {
        staff.moves(made[n]["id"].as_str().unwrap(), "confirm").await.ok();
        service.pass(Duration::from_mins(1));
    }
    for (query, expected) in [
        ("sort=created_at&total_max=201", vec![1, 2, 6, 7, 11, 12]),
        ("sort=-created_at&total_max=201", vec![12, 11, 7, 6, 2, 1]),
        ("sort=total_amount", vec![1, 6, 11, 2, 7, 12, 3, 8, 13, 4, 9, 14, 5, 10, 15]),
        ("sort=-total_amount&currency=EUR", vec![15, 5, 9, 13, 3, 7, 11, 1]),
        ("sort=-updated_at&limit=100", vec![5, 10, 3, 15, 14, 13, 12, 11, 9, 8, 7, 6, 4, 2, 1]),
        ("sort=updated_at&updated_from=2026-06-15T12:13:00Z", vec![14, 15, 3, 10, 5]),
        ("sort=updated_at&status=confirmed", vec![3, 10, 5]),
        ("sort=-updated_at&sku=tea&created_to=2026-06-15T12:09:00Z", vec![7, 4, 1]),
    ] {
        let query = query.replace("&limit=100", "");
        assert_eq!(numbers(&staff, &query).await, expected, "{query}");
    }
    // The orders of one customer, in every order.
    let ada = service.customer().await;
    for amount in [3, 1, 2] {
        ada.places(order_of(&[("tea", 1, amount)])).await.created();
    }
    assert_eq!(numbers(&ada, "sort=-total_amount").await, [16, 18, 17]);
    assert_eq!(numbers(&ada, "sort=updated_at").await, [16, 17, 18]);
    assert_eq!(numbers(&ada, "sort=total_amount&status=pending,draft").await, [17, 18, 16]);
}

#[tokio::test]
async fn paging_while_the_sort_key_changes_repeats_and_misses_no_order() {
    let service = Service::start().await;
    let staff = service.staff().await;
    for sort in ["updated_at", "-updated_at", "total_amount", "-total_amount", "created_at"] {
        let mut stood = vec![];
        for n in 0..20 {
            let body = with(order_of(&[("tea", 1, 100 + n % 7)]), "note", sort);
            stood.push(staff.places(body).await.created().id());
            service.pass(Duration::from_millis(10));
        }
        let (mut seen, mut path, mut turn) = (vec![], format!("/v1/orders?limit=3&sort={sort}"), 0);
        loop {
            let page = staff.get(&path).await.ok();
            seen.extend(ids(page["data"].as_array().unwrap()));
            // Between two pages, orders before and after the cursor change their sort key.
            for at in [turn, 19 - turn, (turn * 7) % 20] {
                let price = json!({"items": order_of(&[("tea", 1, (u64::try_from(at).unwrap() * 37) % 200)])["items"]});
                staff.patch(&format!("/v1/orders/{}", stood[at]), price).await.ok();
                service.pass(Duration::from_millis(10));
            }
            staff.places(order_of(&[("new", 1, 103)])).await.created();
            turn = (turn + 1) % 10;
            let Some(next) = page["page"]["next"].as_str() else { break };
            path = format!("/v1/orders?limit=3&sort={sort}&cursor={next}");
        }
        assert_each_once(seen, &stood, sort);
    }
}

#[tokio::test]
async fn totals_are_in_order_across_blocks_of_orders_and_while_orders_move() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let total = |n: u64| n * 7_919 % 23;
    let line = |n| with(order_of(&[("tea", 1, total(n))]), "external_ref", n.to_string()).to_string();
    let lines: Vec<_> = (0..2_500).map(line).collect();
    staff.call(Method::POST, "/v1/orders/import").body("application/x-ndjson", lines.join("\n")).await.ok();
    let all = staff.walk("/v1/orders?sort=created_at&limit=200").await;
    assert_eq!(all.len(), 2_500);
    let sorted = |orders: &[Value], range: RangeInclusive<i64>| {
        let kept = orders.iter().filter(|order| range.contains(&order["total_amount"].as_i64().unwrap()));
        let mut kept: Vec<_> = kept.map(|order| (order["total_amount"].as_i64(), order["number"].as_i64())).collect();
        kept.sort_unstable();
        kept
    };
    let found = |orders: &[Value]| -> Vec<_> {
        orders.iter().map(|order| (order["total_amount"].as_i64(), order["number"].as_i64())).collect()
    };
    for (bounds, range) in [("", 0..=22), ("&total_min=3&total_max=7", 3..=7), ("&total_max=0", 0..=0)] {
        let mut expected = sorted(&all, range);
        let path = |sort: &str| format!("/v1/orders?sort={sort}{bounds}&limit=200");
        assert_eq!(found(&staff.walk(&path("total_amount")).await), expected, "{bounds}");
        expected.reverse();
        assert_eq!(found(&staff.walk(&path("-total_amount")).await), expected, "{bounds}");
    }
    for sort in ["total_amount", "-total_amount"] {
        let stood = ids(&all);
        let (mut seen, mut path) = (vec![], format!("/v1/orders?limit=200&sort={sort}"));
        for turn in 0.. {
            let page = staff.get(&path).await.ok();
            seen.extend(ids(page["data"].as_array().unwrap()));
            // In each block, one order goes to the other end of the list.
            for at in [turn, 1_100 + turn, 2_400 + turn] {
                let price = json!({"items": order_of(&[("tea", 1, 22 - total(at))])["items"]});
                staff.patch(&format!("/v1/orders/{}", stood[usize::try_from(at).unwrap()]), price).await.ok();
                service.pass(Duration::from_millis(10));
            }
            let Some(next) = page["page"]["next"].as_str() else { break };
            path = format!("/v1/orders?limit=200&sort={sort}&cursor={next}");
        }
        assert_each_once(seen, &stood, sort);
    }
}

/// Asserts that a walk through the pages saw no order twice, and that it saw every order of `stood`, which existed when
/// the walk began.
pub(super) fn assert_each_once(mut seen: Vec<String>, stood: &[String], sort: &str) {
    seen.sort();
    let all = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), all, "{sort}: some twice");
    for id in stood {
        assert!(seen.contains(id), "{sort}: {id} was missed");
    }
}

#[tokio::test]
async fn a_cursor_is_bound_to_its_filters_and_sort() {
    let service = Service::start().await;
    let staff = service.staff().await;
    fill(&service).await;
    let page = staff.get("/v1/orders?limit=1&sku=tea&status=pending,draft").await.ok();
    let cursor = page["page"]["next"].as_str().unwrap();
    // The same list with its filters written differently.
    staff.get(&format!("/v1/orders?limit=2&count=true&status=draft,pending,draft&sku=tea&cursor={cursor}")).await.ok();
    for other in ["sku=cup", "sku=tea&sort=created_at", "sku=tea&q=x", "sku=tea&total_min=1", "sku=tea&metadata.a=b"] {
        let path = format!("/v1/orders?{other}&status=pending,draft&cursor={cursor}");
        staff.get(&path).await.status(400).problem("invalid_cursor");
    }
}

#[tokio::test]
async fn invalid_filters_are_refused_by_name() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let query = "currency=ABC&total_min=-1&created_from=yesterday&sort=name&q=&count=1&user_id=usr_1&metadata.=a";
    staff.get(&format!("/v1/orders?{query}")).await.status(400).problem("invalid_parameter").faults(&[
        ("currency", "unknown"),
        ("total_min", "too_small"),
        ("created_from", "invalid_format"),
        ("sort", "invalid_value"),
        ("q", "too_short"),
        ("count", "wrong_type"),
        ("user_id", "invalid_format"),
        ("metadata.", "unknown_parameter"),
    ]);
    // A value that does not parse is refused; it never means "no filter".
    for (parameter, value, code) in [
        ("created_from", "2026-02-30T00:00:00Z", "invalid_format"),
        ("created_to", "2026-02-28T24:00:00Z", "invalid_format"),
        ("updated_from", "2026-02-28", "invalid_format"),
        ("user_id", "ord_01h455vb4pex5vsknk084sn02q", "invalid_format"),
        ("user_id", "usr_81h455vb4pex5vsknk084sn02q", "invalid_format"),
        ("user_id", "usr_01H455VB4PEX5VSKNK084SN02Q", "invalid_format"),
        ("currency", "EUX", "unknown"),
        ("total_max", "9007199254740992", "too_large"),
        ("payment_status", "paid,owed", "invalid_value"),
    ] {
        let answer = staff.get(&format!("/v1/orders?{parameter}={value}")).await.status(400);
        answer.problem("invalid_parameter").faults(&[(parameter, code)]);
    }
    let many: Vec<_> = (0..51).map(|n| format!("metadata.k{n}=v")).collect();
    staff.get(&format!("/v1/orders?{}", many.join("&"))).await.status(400).problem("invalid_parameter");
    staff.get(&format!("/v1/orders?{}", many[..50].join("&"))).await.ok();
}
