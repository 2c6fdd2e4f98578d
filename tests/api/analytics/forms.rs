//! Reports as CSV and as charts.

use super::three_days;
use crate::support::{Answer, Client, Service, order_of, with};
use axum::{
    body::Body,
    http::{Method, Request},
};
use http_body_util::BodyExt;
use orderd::{api, domain::money::Currency};
use serde_json::json;
use std::path::Path;
use tower::ServiceExt;

async fn form(who: &Client, report: &str, accept: &str) -> Answer {
    who.get(&format!("/v1/analytics/{report}")).header("accept", accept).await
}

const DAYS: &str = "from=2026-06-16&to=2026-06-18";

#[tokio::test]
async fn csv_has_the_fields_of_the_rows_in_their_order() {
    let (service, analyst) = three_days().await;
    let ada = service.customer().await;
    let daily = form(&analyst, &format!("daily?{DAYS}&currency=EUR"), "text/csv").await.ok();
    let expected = "date,currency,orders_placed,orders_cancelled,gross_amount,refunded_amount,credited_amount,\
        cancelled_amount,net_amount,tax_amount,credited_tax_amount,cancelled_tax_amount,net_tax_amount,\
        average_order_amount\r\n\
        2026-06-16,EUR,2,0,1100,0,0,0,1100,100,0,0,100,800\r\n2026-06-17,EUR,1,0,1500,0,0,0,1500,0,0,0,0,2001\r\n\
        2026-06-18,EUR,0,1,0,400,0,0,-400,0,36,0,-36,0\r\n";
    assert_eq!(daily.text(), expected);
    assert!(daily.header("content-type").starts_with("text/csv"), "{daily}");
    let revenue = form(&analyst, &format!("revenue-by-user?{DAYS}&basis=booked&currency=EUR"), "text/csv").await.ok();
    let staff = service.staff().await;
    let expected = format!(
        "user_id,email,name,currency,orders,gross_amount,refunded_amount,credited_amount,cancelled_amount,net_amount\r\n\
         {},customer@example.com,customer,EUR,2,3101,0,400,2001,700\r\n\
         {},staff@example.com,staff,EUR,1,500,0,0,0,500\r\n",
        ada.id, staff.id
    );
    assert_eq!(revenue.text(), expected);
    let statuses = form(&analyst, "status-counts?from=2026-06-17&to=2026-06-17", "text/csv").await.ok();
    let expected = "status,payment_status,currency,orders,total_amount\r\ncancelled,partially_paid,EUR,1,2001\r\n";
    assert_eq!(statuses.text(), expected);
    let items = form(&analyst, &format!("top-items?{DAYS}&limit=2"), "text/csv").await.ok();
    let expected = "sku,name,currency,quantity,orders,total_amount\r\ntea,tea,JPY,3,1,3000\r\ntea,tea,EUR,1,1,1100\r\n";
    assert_eq!(items.text(), expected);
    let taxes = form(&analyst, &format!("taxes?{DAYS}"), "text/csv").await.ok();
    let expected = "tax_rate,currency,net_amount,tax_amount\r\n,EUR,1136,64\r\n,JPY,3000,0\r\n";
    assert_eq!(taxes.text(), expected);
}

/// Every currency code.
fn currencies() -> Vec<String> {
    let letters = || 'A'..='Z';
    let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}"))));
    codes.filter(|code| Currency::parse(code).is_some()).collect()
}

/// Reads `path` as CSV part by part, and calls `change` after the first part.
async fn csv_parts(service: &Service, who: &Client, path: &str, change: impl AsyncFnOnce()) -> Vec<String> {
    let request = Request::get(path).header("accept", "text/csv");
    let request = request.header("authorization", format!("Bearer {}", who.token())).body(Body::empty()).unwrap();
    let Ok(response) = api::router(service.app()).oneshot(request).await;
    let mut body = response.into_body();
    let mut next = async || {
        let frame = body.frame().await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    };
    let mut parts = vec![next().await.unwrap()];
    change().await;
    while let Some(part) = next().await {
        parts.push(part);
    }
    parts
}

#[tokio::test]
async fn a_long_csv_report_comes_in_parts_and_shows_one_snapshot() {
    let service = Service::start().await;
    let (admin, analyst) = (service.admin().await, service.analyst().await);
    let mut lines = String::new();
    for user in [&admin, &analyst, &service.staff().await, &service.customer().await] {
        for (amount, currency) in (1000..).zip(currencies()) {
            let order =
                with(with(order_of(&[("tea", 1, amount)]), "currency", currency.as_str()), "user_id", user.id.as_str());
            let order = with(order, "external_ref", format!("{currency} {}", user.id));
            lines += &(order.to_string() + "\n");
        }
    }
    let import = admin.call(Method::POST, "/v1/orders/import").body("application/x-ndjson", lines).await.ok();
    assert_eq!(import.text().matches("created").count(), 4 * currencies().len(), "{import}");
    let report = "revenue-by-user?from=2026-06-15&to=2026-06-15&basis=booked";
    let before = form(&analyst, report, "text/csv").await.ok().text().to_owned();
    let rows = 4 * currencies().len();
    assert_eq!(before.lines().count(), 1 + rows);
    let last = before.lines().last().unwrap().split(',').nth(3).unwrap().to_owned();
    // The last row becomes the first one while the report is read.
    let change = async || {
        let order = with(order_of(&[("tea", 1, 9_000_000)]), "currency", last.as_str());
        service.staff().await.places(order).await.created();
    };
    let parts = csv_parts(&service, &analyst, &format!("/v1/analytics/{report}"), change).await;
    assert!(rows > 500 && parts.len() > 1, "{rows} rows in {} part", parts.len());
    assert_eq!(parts.concat(), before);
    let after = form(&analyst, report, "text/csv").await.ok();
    assert_eq!(after.text().lines().nth(1).unwrap().split(',').nth(3), Some(last.as_str()), "{after}");
}

#[tokio::test]
async fn only_json_has_pages_and_accept_chooses_the_form() {
    let (_service, analyst) = three_days().await;
    let path = format!("revenue-by-user?{DAYS}&limit=1");
    form(&analyst, &path, "text/csv").await.status(400).problem("invalid_parameter").faults(&[("limit", "conflict")]);
    for (accept, media) in [
        ("*/*", "application/json"),
        ("text/csv;q=0.4, image/svg+xml;q=0.5", "image/svg+xml"),
        ("text/csv, image/svg+xml;q=0.5", "text/csv"),
        ("image/*", "image/svg+xml"),
        ("text/html", "application/json"),
    ] {
        let answer = form(&analyst, &format!("daily?{DAYS}"), accept).await.ok();
        assert!(answer.header("content-type").starts_with(media), "{accept}: {answer}");
        assert_eq!(answer.header("vary"), "Accept, Accept-Encoding");
    }
    assert_eq!(analyst.get("/v1/analytics/daily").await.status(400).header("vary"), "Accept, Accept-Encoding");
}

#[tokio::test]
async fn a_chart_has_a_panel_for_each_currency_with_its_decimals() {
    let (_service, analyst) = three_days().await;
    let chart = form(&analyst, &format!("daily?{DAYS}&basis=booked"), "image/svg+xml").await.ok();
    let text = chart.text();
    assert_eq!(text.matches("class=\"currency\"").count(), 2, "{text}");
    assert!(text.contains("gross 36.01 · credited 4.00 · cancelled 20.01 · net 12.00"), "{text}");
    assert!(text.contains("gross 3,000 · credited 0 · cancelled 0 · net 3,000"), "{text}");
    assert!(text.contains("2026-06-16 to 2026-06-18 · UTC · orders placed (booked)"), "{text}");
    assert_eq!(chart.header("content-security-policy"), "default-src 'none'; style-src 'unsafe-inline'");
    for report in ["revenue-by-user", "status-counts", "top-items", "taxes"] {
        let chart = form(&analyst, &format!("{report}?{DAYS}"), "image/svg+xml").await.ok();
        assert!(chart.text().contains("<title id=\"title\">") && chart.text().ends_with("</svg>"), "{chart}");
    }
    let empty = form(&analyst, "top-items?from=2020-01-01&to=2020-01-02", "image/svg+xml").await.ok();
    assert!(empty.text().contains("No data for this period."), "{empty}");
}

#[tokio::test]
async fn a_chart_of_days_marks_the_one_that_is_not_over_and_draws_none_after_it() {
    let (service, analyst) = three_days().await;
    let marks = async |range: &str| {
        let chart = form(&analyst, &format!("daily?{range}&currency=EUR&tz=Europe/Berlin"), "image/svg+xml").await.ok();
        let text = chart.text();
        (text.matches("not over yet").count(), text.matches("<circle").count())
    };
    assert_eq!(marks(DAYS).await, (1, 3), "today is the last day");
    assert_eq!(marks("from=2026-06-16&to=2026-06-30").await, (1, 3));
    assert_eq!(marks("from=2026-06-18&to=2026-06-18").await, (1, 1));
    assert_eq!(marks("from=2026-06-16&to=2026-06-17").await, (0, 2));
    assert_eq!(marks("from=2026-06-20&to=2026-06-21").await, (0, 0));
    service.at("2026-06-18T21:59:59.999Z");
    assert_eq!(marks(DAYS).await, (1, 3));
    service.at("2026-06-18T22:00:00.000Z");
    assert_eq!(marks(DAYS).await, (0, 3), "a day ends when it ends in the zone of the report");
}

#[tokio::test]
async fn text_in_charts_and_csv_does_nothing() {
    let service = Service::start().await;
    let (staff, analyst) = (service.staff().await, service.analyst().await);
    let mut order = order_of(&[("=1+1", 1, 100)]);
    order["items"][0]["name"] = json!("</text><script>alert(1)</script>\u{1}\u{202e}");
    staff.places(order).await.created();
    let chart = form(&analyst, "top-items?from=2026-06-15&to=2026-06-15", "image/svg+xml").await.ok();
    assert!(!chart.text().contains("<script") && !chart.text().contains(['\u{1}', '\u{202e}']), "{chart}");
    let csv = form(&analyst, "top-items?from=2026-06-15&to=2026-06-15", "text/csv").await.ok();
    assert!(csv.text().contains("\r\n'=1+1,</text>"), "{csv}");
}

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "an environment variable accepts the new chart")]
async fn a_chart_equals_its_snapshot() {
    let (_service, analyst) = three_days().await;
    let chart = form(&analyst, &format!("status-counts?{DAYS}"), "image/svg+xml").await.ok();
    let now = chart.text().replace("><", ">\n<") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/snapshots/status-counts.svg");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    assert_eq!(
        now,
        std::fs::read_to_string(&file).unwrap_or_default(),
        "if the change is intended, run with BLESS=1 and review it"
    );
}
