//! Reconciling: the stored figures and the rows agree after everything that can happen, and where they do not, it shows.

use crate::upgrade::service_on;
use orderd::store::{Store, verify};
use rusqlite::Connection;
use serde_json::{Value, json};

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()
}

#[tokio::test]
async fn figures_agree_with_the_rows() {
    let service = service_on("v1").await;
    let admin = service.anonymous().log_in("admin@example.com", crate::support::PASSWORD).await;
    let report = admin.get("/v1/analytics/reconcile").await.ok();
    assert_eq!(report["ok"], true);
    let names = ["sales", "user_sales", "status_sales"]
        .map(|table| ["day", "hour", "quarter_hour"].map(|span| format!("{table}_{span}")));
    let expected: Vec<_> = names
        .concat()
        .into_iter()
        .chain(["item_sales_day", "order_totals", "order_payments"].map(str::to_owned))
        .collect();
    let found: Vec<_> = report["checks"].as_array().unwrap().iter().map(|check| check["name"].clone()).collect();
    assert_eq!(json!(found), json!(expected));
    for check in report["checks"].as_array().unwrap() {
        assert_eq!((&check["ok"], &check["stored"]), (&json!(true), &check["recomputed"]));
    }
    let orders = admin.walk("/v1/orders?currency=EUR").await;
    let placed: Vec<_> = orders.iter().filter(|order| !order["placed_at"].is_null()).collect();
    let total: i64 = placed.iter().map(|order| order["total_amount"].as_i64().unwrap()).sum();
    let euros = &check(report.json(), "sales_hour")["stored"]["totals"]["EUR"];
    assert_eq!((&euros["orders_placed"], &euros["booked_amount"]), (&json!(placed.len()), &json!(total)));
}

#[tokio::test]
async fn a_figure_in_the_wrong_place_shows_though_every_total_is_right() {
    let service = service_on("v1").await;
    let admin = service.anonymous().log_in("admin@example.com", crate::support::PASSWORD).await;
    let connection = Connection::open(service.path()).unwrap();
    let moved = "UPDATE sales SET paid_amount = paid_amount + iif(bucket = (SELECT min(bucket) FROM sales
        WHERE span = 3600 AND currency = 'EUR'), 1, -1) WHERE span = 3600 AND currency = 'EUR' AND bucket IN
        (SELECT min(bucket) FROM sales WHERE span = 3600 AND currency = 'EUR' UNION
         SELECT max(bucket) FROM sales WHERE span = 3600 AND currency = 'EUR')";
    assert_eq!(connection.execute(moved, []).unwrap(), 2);
    let report = admin.get("/v1/analytics/reconcile").await.ok();
    let wrong = check(report.json(), "sales_hour");
    assert_eq!((&report["ok"], &wrong["ok"]), (&json!(false), &json!(false)));
    assert_eq!(wrong["stored"]["totals"], wrong["recomputed"]["totals"]);
    assert_ne!(wrong["stored"]["digest"], wrong["recomputed"]["digest"]);
    assert_eq!(check(report.json(), "sales_day")["ok"], true);
    let checks = Store::inspect(&service.path(), verify::all).unwrap().unwrap();
    let faults: Vec<_> = checks.iter().filter_map(|check| Some((check.name, check.fault.as_deref()?))).collect();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].0 == "sales_hour" && faults[0].1.starts_with("span 3600, bucket "), "{faults:?}");
}

#[tokio::test]
async fn it_is_for_those_who_may_see_figures() {
    let service = crate::support::Service::start().await;
    service.staff().await.get("/v1/analytics/reconcile").await.status(403);
    let report = service.analyst().await.get("/v1/analytics/reconcile").await.ok();
    assert_eq!(report["ok"], true);
    service.analyst().await.get("/v1/analytics/reconcile?from=x").await.status(400);
}
