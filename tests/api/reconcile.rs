//! Reconciliation: rollups agree with the rows after every kind of change, and a difference is reported.

use crate::upgrade::service_on;
use orderd::store::{Store, verify};
use rusqlite::Connection;
use serde_json::{Value, json};

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()
}

/// An encoded entry in hexadecimal that adds a payment in euros to the sums of a bucket. `paid` is the encoded amount:
/// 2 means 1, and 1 means −1.
fn encoded_payment(bucket: i64, paid: u8) -> String {
    let mut bytes = vec![];
    let mut number = bucket << 1;
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes.extend_from_slice(b"EUR");
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, paid, 0, 0]);
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

#[tokio::test]
async fn rollups_agree_with_the_rows() {
    let service = service_on("v1").await;
    let admin = service.anonymous().log_in("admin@example.com", crate::support::PASSWORD).await;
    let report = admin.get("/v1/analytics/reconcile").await.ok();
    assert_eq!(report["ok"], true);
    let names = ["sales", "user_sales", "status_sales", "item_sales", "tax_sales"]
        .map(|table| ["32_days", "day", "hour", "quarter_hour"].map(|span| format!("{table}_{span}")));
    let expected: Vec<_> = names
        .concat()
        .into_iter()
        .chain(["order_totals", "order_credits", "order_payments", "order_returns"].map(str::to_owned))
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
async fn a_sum_in_the_wrong_bucket_is_found_although_every_total_is_right() {
    let service = service_on("v1").await;
    let admin = service.anonymous().log_in("admin@example.com", crate::support::PASSWORD).await;
    let connection = Connection::open(service.path()).unwrap();
    let ends = "SELECT min(bucket), max(bucket) FROM rollups WHERE rollup = 'sales' AND span = 3600";
    let (first, last): (i64, i64) = connection.query_row(ends, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    for (bucket, paid) in [(first, 2), (last, 1)] {
        let more = format!(
            "UPDATE rollups SET sums = CAST(sums || x'{}' AS BLOB)
            WHERE rollup = 'sales' AND span = 3600 AND bucket = {bucket}",
            encoded_payment(bucket, paid)
        );
        assert_eq!(connection.execute(&more, []).unwrap(), 1);
    }
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
async fn reconciliation_needs_the_permission_for_analytics() {
    let service = crate::support::Service::start().await;
    service.staff().await.get("/v1/analytics/reconcile").await.status(403);
    let report = service.analyst().await.get("/v1/analytics/reconcile").await.ok();
    assert_eq!(report["ok"], true);
    service.analyst().await.get("/v1/analytics/reconcile?from=x").await.status(400);
}
