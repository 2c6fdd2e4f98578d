//! `orders.list`: filters and pages.

use crate::support::{Answer, Client, Service, order_of, with};
use serde_json::{Value, json};

async fn place(who: &Client, count: usize) -> Vec<String> {
    let mut ids = vec![];
    for _ in 0..count {
        ids.push(who.places(order_of(&[("tea", 1, 100)])).await.created().id());
    }
    ids
}

pub(super) fn ids(orders: &[Value]) -> Vec<String> {
    orders.iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect()
}

fn reversed(mut ids: Vec<String>) -> Vec<String> {
    ids.reverse();
    ids
}

fn next(page: &Answer) -> &str {
    page["page"]["next"].as_str().unwrap()
}

#[tokio::test]
async fn pages_are_newest_first_and_link_to_the_next() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let placed = place(&staff, 5).await;
    let page = staff.get("/v1/orders?limit=2&status=pending").await.ok();
    assert_eq!(ids(page["data"].as_array().unwrap()), [placed[4].clone(), placed[3].clone()]);
    assert_eq!((&page["page"]["limit"], &page["page"]["has_more"]), (&json!(2), &json!(true)));
    let link = format!("</v1/orders?limit=2&status=pending&cursor={}>; rel=\"next\"", next(&page));
    assert_eq!(page.header("link"), link);
    let second = staff.get(link.trim_start_matches('<').split('>').next().unwrap()).await.ok();
    assert_eq!(ids(second["data"].as_array().unwrap()), [placed[2].clone(), placed[1].clone()]);
    let link = second.header("link");
    assert_eq!(link.matches("cursor=").count(), 1, "{link}");
    let last = staff.get(link.trim_start_matches('<').split('>').next().unwrap()).await.ok();
    assert_eq!(ids(last["data"].as_array().unwrap()), [placed[0].clone()]);
    assert_eq!(last["page"], json!({"limit": 2, "has_more": false, "next": null}));
    assert_eq!(last.maybe_header("link"), None);
    // An order is the same in the list as alone.
    assert_eq!(last["data"][0], *staff.get(&format!("/v1/orders/{}", placed[0])).await.ok().json());
}

#[tokio::test]
async fn a_page_with_the_last_entry_has_no_next_page() {
    let service = Service::start().await;
    let staff = service.staff().await;
    place(&staff, 2).await;
    let page = staff.get("/v1/orders?limit=2").await.ok();
    assert_eq!(page["page"]["has_more"], false);
    let empty = service.other_customer().await.get("/v1/orders").await.ok();
    assert_eq!(empty.json(), &json!({"data": [], "page": {"limit": 50, "has_more": false, "next": null}}));
}

#[tokio::test]
async fn filters_take_several_values_and_combine() {
    let service = Service::start().await;
    let (staff, ada) = (service.staff().await, service.customer().await);
    let placed = place(&staff, 6).await;
    let hers = place(&ada, 2).await;
    let draft = staff.places(with(order_of(&[("tea", 1, 100)]), "draft", true)).await.created().id();
    staff.moves(&placed[0], "cancel").await.ok();
    staff.moves(&placed[1], "confirm").await.ok();
    staff.moves(&hers[0], "confirm").await.ok();
    staff.pays(&placed[1], json!({"amount": 100})).await.created();
    staff.pays(&placed[2], json!({"amount": 50})).await.created();
    let found = async |query: &str| {
        let all = ids(&staff.walk(&format!("/v1/orders?{query}")).await);
        // Every page size gives the same list.
        assert_eq!(ids(&staff.walk(&format!("/v1/orders?{query}&limit=1")).await), all, "{query}");
        all
    };
    assert_eq!(found("status=cancelled").await, [placed[0].clone()]);
    assert_eq!(found("status=draft,cancelled").await, [draft.clone(), placed[0].clone()]);
    assert_eq!(found("status=confirmed").await, [hers[0].clone(), placed[1].clone()]);
    assert_eq!(found("payment_status=paid,partially_paid").await, [placed[2].clone(), placed[1].clone()]);
    assert_eq!(found("status=pending&payment_status=partially_paid").await, [placed[2].clone()]);
    assert_eq!(found("status=cancelled&payment_status=paid").await, Vec::<String>::new());
    assert_eq!(found(&format!("user_id={}", ada.id)).await, reversed(hers.clone()));
    assert_eq!(found(&format!("user_id={}&status=pending", ada.id)).await, [hers[1].clone()]);
    assert_eq!(found("user_id=usr_00000000000000000000000000").await, Vec::<String>::new());
    assert_eq!(found("").await.len(), 9);
}

#[tokio::test]
async fn customers_see_only_their_own_orders() {
    let service = Service::start().await;
    let (staff, ada, other) = (service.staff().await, service.customer().await, service.other_customer().await);
    let (hers, _) = (place(&ada, 3).await, place(&staff, 3).await);
    assert_eq!(ids(&ada.walk("/v1/orders?limit=2").await), reversed(hers));
    assert!(other.walk("/v1/orders").await.is_empty());
    assert!(ada.walk(&format!("/v1/orders?user_id={}", staff.id)).await.is_empty());
    assert!(ada.walk(&format!("/v1/orders?user_id={}&status=pending", staff.id)).await.is_empty());
}

#[tokio::test]
async fn a_cursor_belongs_to_its_list_and_cannot_be_forged() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let placed = place(&staff, 3).await;
    let page = staff.get("/v1/orders?limit=1&status=pending").await.ok();
    let cursor = next(&page).to_owned();
    // Another page size continues the same list.
    staff.get(&format!("/v1/orders?limit=2&status=pending&cursor={cursor}")).await.ok();
    let mut bent = cursor.clone();
    bent.replace_range(1..2, if &cursor[1..2] == "A" { "B" } else { "A" });
    for query in [
        format!("status=confirmed&cursor={cursor}"),
        format!("status=pending,confirmed&cursor={cursor}"),
        format!("cursor={cursor}"),
        format!("status=pending&cursor={bent}"),
        format!("status=pending&cursor={}", &cursor[1..]),
        "status=pending&cursor=AAAA".to_owned(),
        "status=pending&cursor=%C3%A4".to_owned(),
    ] {
        let answer = staff.get(&format!("/v1/orders?{query}")).await;
        assert_eq!(answer.code(), 400, "{query}: {answer}");
        answer.problem("invalid_cursor");
    }
    let path = format!("/v1/orders/{}/events?cursor={cursor}", placed[0]);
    staff.get(&path).await.status(400).problem("invalid_cursor");
    // It is still valid after a restart.
    service.reopen().await;
    staff.get(&format!("/v1/orders?status=pending&cursor={cursor}")).await.ok();
}

#[tokio::test]
async fn paging_during_writes_repeats_and_misses_no_order() {
    let service = Service::start().await;
    let staff = service.staff().await;
    let placed = place(&staff, 40).await;
    for query in ["limit=7", "limit=7&status=pending,confirmed"] {
        let (mut seen, mut path) = (vec![], format!("/v1/orders?{query}"));
        let mut turn = 0;
        loop {
            let page = staff.get(&path).await.ok();
            seen.extend(ids(page["data"].as_array().unwrap()));
            // Between two pages, orders are created, and orders before and after the cursor change.
            place(&staff, 3).await;
            turn += 1;
            staff.moves(&placed[turn], "confirm").await.ok();
            staff.moves(&placed[39 - turn], "confirm").await.ok();
            if page["page"]["has_more"] == false {
                break;
            }
            path = format!("/v1/orders?{query}&cursor={}", next(&page));
        }
        let stood: Vec<_> = seen.iter().filter(|id| placed.contains(id)).cloned().collect();
        assert_eq!(stood, reversed(placed.clone()), "{query}");
        let mut once = seen.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), seen.len(), "{query}");
    }
}
