//! Reports, compared with numbers computed by hand.

mod credits;
mod exact;
mod forms;

use crate::support::{Client, Service, order_of, with};
use serde_json::{Value, json};

/// Three days of trade. Every expected number below is computed from them by hand.
///
/// | day | what |
/// |---|---|
/// | 16 June | ada places A: 1000 EUR + tax 100; pays all of it; staff place B: 500 EUR; staff place J: 3000 JPY |
/// | 17 June | ada places C: 2001 EUR; pays 1500 |
/// | 18 June | A: 400 refunded, of which 36 are tax; C cancelled, nothing refunded; a draft, which no report includes |
async fn three_days() -> (Service, Client) {
    let service = Service::start().await;
    let (ada, staff, manager) = (service.customer().await, service.staff().await, service.manager().await);
    let mut body = order_of(&[("tea", 1, 1000)]);
    body["items"][0]["tax_amount"] = 100.into();
    service.at("2026-06-16T00:00:00.000Z");
    let a = ada.places(body).await.created().id();
    manager.pays(&a, json!({"amount": 1100})).await.created();
    staff.places(order_of(&[("cup", 1, 500)])).await.created();
    service.at("2026-06-16T23:59:59.999Z");
    staff.places(with(order_of(&[("tea", 3, 1000)]), "currency", "JPY")).await.created();
    service.at("2026-06-17T00:00:00.000Z");
    let c = ada.places(order_of(&[("pot", 1, 2001)])).await.created().id();
    manager.pays(&c, json!({"amount": 1500})).await.created();
    service.at("2026-06-18T12:00:00.000Z");
    manager.refunds(&a, json!({"amount": 400})).await.created();
    manager.post(&format!("/v1/orders/{c}/cancel"), json!({"refund": "none"})).await.ok();
    ada.places(with(order_of(&[("tea", 9, 9)]), "draft", true)).await.created();
    let analyst = service.analyst().await;
    (service, analyst)
}

/// The numbers of a daily row.
const FIGURES: [&str; 12] = [
    "orders_placed",
    "orders_cancelled",
    "gross_amount",
    "refunded_amount",
    "credited_amount",
    "cancelled_amount",
    "net_amount",
    "tax_amount",
    "credited_tax_amount",
    "cancelled_tax_amount",
    "net_tax_amount",
    "average_order_amount",
];

async fn daily(who: &Client, query: &str) -> Vec<(String, [i64; 12])> {
    let report = who.get(&format!("/v1/analytics/daily?{query}")).await.ok();
    let row = |row: &Value| {
        let label = format!("{} {}", row["date"].as_str().unwrap(), row["currency"].as_str().unwrap());
        (label, FIGURES.map(|figure| row[figure].as_i64().unwrap()))
    };
    report["data"].as_array().unwrap().iter().map(row).collect()
}

fn rows(rows: &[(&str, [i64; 12])]) -> Vec<(String, [i64; 12])> {
    rows.iter().map(|(label, figures)| ((*label).to_owned(), *figures)).collect()
}

#[tokio::test]
async fn the_daily_summary_on_the_cash_basis() {
    let (_service, analyst) = three_days().await;
    let expected = [
        ("2026-06-15 EUR", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("2026-06-15 JPY", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("2026-06-16 EUR", [2, 0, 1100, 0, 0, 0, 1100, 100, 0, 0, 100, 800]),
        ("2026-06-16 JPY", [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3000]),
        ("2026-06-17 EUR", [1, 0, 1500, 0, 0, 0, 1500, 0, 0, 0, 0, 2001]),
        ("2026-06-17 JPY", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("2026-06-18 EUR", [0, 1, 0, 400, 0, 0, -400, 0, 36, 0, -36, 0]),
        ("2026-06-18 JPY", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ];
    assert_eq!(daily(&analyst, "from=2026-06-15&to=2026-06-18").await, rows(&expected));
    assert_eq!(daily(&analyst, "from=2026-06-15&to=2026-06-18&basis=cash&tz=UTC").await, rows(&expected));
}

#[tokio::test]
async fn the_daily_summary_on_the_booked_basis() {
    let (_service, analyst) = three_days().await;
    let found = daily(&analyst, "from=2026-06-16&to=2026-06-18&basis=booked&currency=EUR").await;
    let expected = [
        ("2026-06-16 EUR", [2, 0, 1600, 0, 0, 0, 1600, 100, 0, 0, 100, 800]),
        ("2026-06-17 EUR", [1, 0, 2001, 0, 0, 0, 2001, 0, 0, 0, 0, 2001]),
        ("2026-06-18 EUR", [0, 1, 0, 0, 400, 2001, -2401, 0, 36, 0, -36, 0]),
    ];
    assert_eq!(found, rows(&expected));
    let other = daily(&analyst, "from=2026-06-18&to=2026-06-18&basis=booked&currency=KWD").await;
    assert_eq!(other, rows(&[("2026-06-18 KWD", [0; 12])]));
    assert!(daily(&analyst, "from=2026-06-01&to=2026-06-02").await.is_empty(), "no currency has data on these days");
}

#[tokio::test]
async fn the_average_is_rounded_half_away_from_zero() {
    let service = Service::start().await;
    let (staff, analyst) = (service.staff().await, service.analyst().await);
    for amount in [100, 101] {
        staff.places(order_of(&[("tea", 1, amount)])).await.created();
    }
    let found = daily(&analyst, "from=2026-06-15&to=2026-06-15").await;
    assert_eq!(found[0].1[11], 101);
}

#[tokio::test]
async fn a_refund_today_changes_no_earlier_day() {
    let (service, analyst) = three_days().await;
    let manager = service.manager().await;
    let earlier = "from=2026-06-01&to=2026-06-17";
    let before = (daily(&analyst, earlier).await, daily(&analyst, &format!("{earlier}&basis=booked")).await);
    let order = manager.get("/v1/orders/number/1").await.ok().id();
    manager.refunds(&order, json!({"amount": 700})).await.created();
    assert_eq!(daily(&analyst, earlier).await, before.0);
    assert_eq!(daily(&analyst, &format!("{earlier}&basis=booked")).await, before.1);
    assert_eq!(daily(&analyst, "from=2026-06-18&to=2026-06-18").await[0].1[3], 1100);
}

#[tokio::test]
async fn money_counts_on_the_day_it_moved_even_if_recorded_later() {
    let (service, analyst) = three_days().await;
    let manager = service.manager().await;
    let order = manager.get("/v1/orders/number/2").await.ok().id();
    let body = json!({"amount": 500, "status": "pending", "occurred_at": "2026-06-10T08:00:00Z"});
    let pending = manager.pays(&order, body).await.created().id();
    assert!(daily(&analyst, "from=2026-06-10&to=2026-06-10").await.is_empty(), "pending money does not count");
    manager.patch(&format!("/v1/transactions/{pending}"), json!({"status": "succeeded"})).await.ok();
    let found = daily(&analyst, "from=2026-06-10&to=2026-06-10").await;
    assert_eq!(found, rows(&[("2026-06-10 EUR", [0, 0, 500, 0, 0, 0, 500, 0, 0, 0, 0, 0])]));
}

#[tokio::test]
async fn a_changed_order_counts_on_the_day_it_was_placed() {
    let (service, analyst) = three_days().await;
    let staff = service.staff().await;
    let order = staff.get("/v1/orders/number/2").await.ok().id();
    let items = order_of(&[("cup", 3, 500)])["items"].clone();
    staff.patch(&format!("/v1/orders/{order}"), json!({"items": items})).await.ok();
    let found = daily(&analyst, "from=2026-06-16&to=2026-06-16&basis=booked&currency=EUR").await;
    assert_eq!(found, rows(&[("2026-06-16 EUR", [2, 0, 2600, 0, 0, 0, 2600, 100, 0, 0, 100, 1300])]));
}

#[tokio::test]
async fn an_answered_order_is_in_the_reports_at_once_and_after_a_restart() {
    let service = Service::start().await;
    let (staff, analyst) = (service.staff().await, service.analyst().await);
    for placed in 1..=20 {
        staff.places(order_of(&[("tea", 1, 100)])).await.created();
        let found = daily(&analyst, "from=2026-06-15&to=2026-06-15&basis=booked").await;
        assert_eq!((found[0].1[0], found[0].1[2]), (placed, placed * 100));
    }
    service.reopen().await;
    assert_eq!(daily(&analyst, "from=2026-06-15&to=2026-06-15").await[0].1[0], 20);
}

#[tokio::test]
async fn revenue_by_user_keeps_currencies_apart() {
    let (service, analyst) = three_days().await;
    let (ada, staff) = (service.customer().await, service.staff().await);
    let revenue = async |query: &str| {
        let path = format!("/v1/analytics/revenue-by-user?from=2026-06-16&to=2026-06-18&{query}");
        let row = |row: &Value| {
            let amounts =
                ["orders", "gross_amount", "refunded_amount", "credited_amount", "cancelled_amount", "net_amount"];
            let whose = row["email"].as_str().unwrap_or("-").split('@').next().unwrap().to_owned();
            (whose + " " + row["currency"].as_str().unwrap(), amounts.map(|amount| row[amount].as_i64().unwrap()))
        };
        analyst.walk(&path).await.iter().map(row).collect::<Vec<_>>()
    };
    let named = |rows: &[(&str, [i64; 6])]| rows.iter().map(|(n, f)| ((*n).to_owned(), *f)).collect::<Vec<_>>();
    let cash = [
        ("customer EUR", [2, 2600, 400, 0, 0, 2200]),
        ("staff EUR", [1, 0, 0, 0, 0, 0]),
        ("staff JPY", [1, 0, 0, 0, 0, 0]),
    ];
    assert_eq!(revenue("basis=cash&sort=-gross_amount&limit=1").await, named(&cash));
    let booked = [
        ("staff JPY", [1, 3000, 0, 0, 0, 3000]),
        ("customer EUR", [2, 3101, 0, 400, 2001, 700]),
        ("staff EUR", [1, 500, 0, 0, 0, 500]),
    ];
    assert_eq!(revenue("basis=booked").await, named(&booked));
    assert_eq!(revenue("basis=booked&limit=2").await, named(&booked));
    let ascending: Vec<_> = named(&booked).into_iter().rev().collect();
    assert_eq!(revenue("basis=booked&sort=net_amount").await, ascending);
    assert_eq!(revenue("basis=booked&sort=-orders").await[0].0, "customer EUR");
    assert_eq!(revenue("basis=booked&currency=JPY").await, named(&booked[..1]));
    let rows = analyst.get("/v1/analytics/revenue-by-user?from=2026-06-16&to=2026-06-18&basis=booked").await.ok();
    assert_eq!((&rows["data"][1]["user_id"], &rows["data"][1]["name"]), (&json!(ada.id), &json!("customer")));
    assert_eq!(rows["data"][0]["user_id"], json!(staff.id));
}

#[tokio::test]
async fn status_counts_show_current_statuses() {
    let (_service, analyst) = three_days().await;
    let report = analyst.get("/v1/analytics/status-counts?from=2026-06-16&to=2026-06-18").await.ok();
    let row = |status: &str, payment_status: &str, currency: &str, orders: i64, total: i64| {
        json!({"status": status, "payment_status": payment_status, "currency": currency, "orders": orders,
            "total_amount": total})
    };
    let mut found = report["data"].as_array().unwrap().clone();
    found.sort_by_key(ToString::to_string);
    let mut expected = vec![
        row("pending", "partially_refunded", "EUR", 1, 1100),
        row("pending", "unpaid", "EUR", 1, 500),
        row("pending", "unpaid", "JPY", 1, 3000),
        row("cancelled", "partially_paid", "EUR", 1, 2001),
    ];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(found, expected);
    let day = analyst.get("/v1/analytics/status-counts?from=2026-06-17&to=2026-06-17&currency=EUR").await.ok();
    assert_eq!(day["data"], json!([row("cancelled", "partially_paid", "EUR", 1, 2001)]));
    assert_eq!(day["basis"], "booked");
}

#[tokio::test]
async fn every_report_states_its_period_and_basis() {
    let (_service, analyst) = three_days().await;
    let report = analyst.get("/v1/analytics/daily?from=2026-06-16&to=2026-06-17&basis=booked").await.ok();
    let mut head = report.json().clone();
    head.as_object_mut().unwrap().remove("data");
    let expected = json!({"basis": "booked", "tz": "UTC", "from": "2026-06-16", "to": "2026-06-17",
        "generated_at": "2026-06-18T12:00:00.000Z"});
    assert_eq!(head, expected);
    let paged = analyst.get("/v1/analytics/revenue-by-user?from=2026-06-16&to=2026-06-17&limit=1").await.ok();
    assert_eq!((&paged["basis"], &paged["page"]["has_more"]), (&json!("cash"), &json!(true)));
    let cursor = paged["page"]["next"].as_str().unwrap();
    let other = format!("/v1/analytics/revenue-by-user?from=2026-06-15&to=2026-06-17&limit=1&cursor={cursor}");
    analyst.get(&other).await.status(400).problem("invalid_cursor");
}

#[tokio::test]
async fn top_items_leave_out_cancelled_orders_and_drafts() {
    let (service, analyst) = three_days().await;
    let top = async |query: &str| {
        let report = analyst.get(&format!("/v1/analytics/top-items?{query}")).await.ok();
        assert_eq!(report["basis"], "booked");
        report["data"].clone()
    };
    let row = |sku: &str, name: &str, currency: &str, quantity: i64, orders: i64, total: i64| {
        json!({"sku": sku, "name": name, "currency": currency, "quantity": quantity, "orders": orders,
            "total_amount": total})
    };
    let (cup, tea) = (row("cup", "cup", "EUR", 1, 1, 500), row("tea", "tea", "EUR", 1, 1, 1100));
    let yen = row("tea", "tea", "JPY", 3, 1, 3000);
    assert_eq!(top("from=2026-06-16&to=2026-06-18").await, json!([yen, tea, cup]));
    assert_eq!(top("from=2026-06-16&to=2026-06-18&currency=EUR&limit=1").await, json!([tea]));
    assert_eq!(top("from=2026-06-17&to=2026-06-18").await, json!([]), "cancelled orders and drafts are left out");
    // Midnight in Kathmandu is a quarter past six in the evening of the day before in UTC.
    assert_eq!(top("from=2026-06-17&to=2026-06-17&tz=Asia/Kathmandu").await, json!([yen]));
    let staff = service.staff().await;
    let mut again = order_of(&[("cup", 2, 500), ("cup", 1, 400)]);
    again["items"][0]["name"] = "Old cup".into();
    again["items"][1]["name"] = "New cup".into();
    let order = staff.places(again).await.created().id();
    let day = "from=2026-06-16&to=2026-06-18&currency=EUR";
    assert_eq!(top(day).await[0], row("cup", "New cup", "EUR", 4, 2, 1900));
    let items = order_of(&[("pot", 1, 7)])["items"].clone();
    staff.patch(&format!("/v1/orders/{order}"), json!({"items": items})).await.ok();
    assert_eq!(top(day).await, json!([tea, cup, row("pot", "pot", "EUR", 1, 1, 7)]));
    staff.moves(&order, "cancel").await.ok();
    assert_eq!(top(day).await, json!([tea, cup]));
}

#[tokio::test]
async fn revenue_can_be_counted_and_orders_without_user_are_one_row() {
    let service = Service::start().await;
    let (admin, analyst) = (service.admin().await, service.analyst().await);
    let body = json!({"name": "shop", "permissions": ["orders:create"]});
    let key = admin.post("/v1/api-keys", body).await.created();
    let shop = service.anonymous().bearing(key["secret"].as_str().unwrap());
    for currency in ["EUR", "EUR", "JPY"] {
        shop.places(with(order_of(&[("tea", 1, 100)]), "currency", currency)).await.created();
    }
    let path = "/v1/analytics/revenue-by-user?from=2026-06-15&to=2026-06-15&basis=booked&limit=1&count=true";
    let page = analyst.get(path).await.ok();
    let nobody = json!({"user_id": null, "email": null, "name": null, "currency": "EUR", "orders": 2,
        "gross_amount": 200, "refunded_amount": 0, "credited_amount": 0, "cancelled_amount": 0, "net_amount": 200});
    assert_eq!((&page["data"], &page["page"]["total"]), (&json!([nobody]), &json!(2)));
    assert!(page.header("link").ends_with("rel=\"next\""), "{page}");
    assert_eq!(analyst.walk(path).await[1]["currency"], "JPY");
}

#[tokio::test]
async fn invalid_parameters_are_refused() {
    let service = Service::start().await;
    let analyst = service.analyst().await;
    for (query, place, code) in [
        ("to=2026-06-14", "from", "required"),
        ("from=2026-06-14", "to", "required"),
        ("from=2026-02-30&to=2026-06-14", "from", "invalid_format"),
        ("from=2026-06-14T00:00:00Z&to=2026-06-14", "from", "invalid_format"),
        ("from=2026-06-14&to=2026-06-14&basis=profit", "basis", "invalid_value"),
        ("from=2026-06-14&to=2026-06-14&currency=eur", "currency", "invalid_format"),
    ] {
        let answer = analyst.get(&format!("/v1/analytics/daily?{query}")).await;
        assert_eq!(answer.code(), 400, "{query}: {answer}");
        answer.problem("invalid_parameter").faults(&[(place, code)]);
    }
    for (query, faults) in [
        ("from=2026-06-15&to=2026-06-14", &[("to", "too_small")][..]),
        ("from=2016-06-15&to=2026-06-16", &[("to", "too_large")]),
        ("from=9998-12-31&to=9999-01-01", &[("to", "too_large")]),
        ("from=2026-06-14&to=2026-06-14&tz=Mars/Olympus", &[("tz", "unknown")]),
        (
            "from=2026-06-14&to=x&tz=berlin&currency=EUX&x=1",
            &[("to", "invalid_format"), ("tz", "unknown"), ("currency", "unknown"), ("x", "unknown_parameter")],
        ),
    ] {
        for report in ["daily", "revenue-by-user", "status-counts", "top-items", "taxes"] {
            let answer = analyst.get(&format!("/v1/analytics/{report}?{query}")).await;
            answer.status(400).problem("invalid_parameter").faults(faults);
        }
    }
    for query in ["from=2016-06-15&to=2026-06-15", "from=9998-12-30&to=9998-12-31", "from=0001-01-01&to=0001-01-02"] {
        analyst.get(&format!("/v1/analytics/daily?{query}&tz=Pacific/Kiritimati")).await.ok();
        analyst.get(&format!("/v1/analytics/top-items?{query}&tz=Pacific/Pago_Pago")).await.ok();
    }
}
