//! Lists and reports as files: their addresses, their names, the style of spreadsheets, rows for items, and orders with
//! their payments.

use crate::support::{Client, Service, document::DOCUMENT, order_of, with};
use serde_json::{Value, json};

/// A shop of two orders, one of them a draft in yen, whose names and notes are what spreadsheets stumble over.
async fn shop(service: &Service) -> (String, String) {
    let manager = service.manager().await;
    let mut body = order_of(&[("tea", 2, 1250), ("cup", 1, 300)]);
    body["items"][0]["name"] = "Grüner Tee".into();
    body["items"][0]["tax_rate"] = "19".into();
    body["fees"] = json!([{"name": "Versand", "amount": 499, "tax_rate": "19"}]);
    body["customer"] = json!({"name": "Müller", "email": "mueller@example.com"});
    body["note"] = "\n=1+1".into();
    body["external_ref"] = "S-1".into();
    let order = manager.places(body).await.created().id();
    let draft = with(with(order_of(&[("pot", 1, 1999)]), "draft", true), "currency", "JPY");
    let draft = manager.places(draft).await.created().id();
    let pending = manager.pays(&order, json!({"amount": 1000, "status": "pending"})).await.created().id();
    manager.patch(&format!("/v1/transactions/{pending}"), json!({"status": "failed"})).await.ok();
    manager.pays(&order, json!({"amount": 500})).await.created();
    (order, draft)
}

#[tokio::test]
async fn every_list_and_report_is_a_file_at_an_address_of_its_own() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let (order, _) = shop(&service).await;
    for path in [
        "/v1/orders?status=pending".to_owned(),
        "/v1/transactions?kind=payment".to_owned(),
        "/v1/events?after=1".to_owned(),
        format!("/v1/orders/{order}/events?order=desc"),
        format!("/v1/orders/{order}/transactions?"),
        "/v1/users?q=a".to_owned(),
        format!("/v1/users/{}/sessions?", admin.id),
        "/v1/roles?".to_owned(),
        "/v1/api-keys?".to_owned(),
        "/v1/webhooks?".to_owned(),
    ] {
        let (list, query) = path.split_once('?').unwrap();
        for (ending, accept) in [("csv", "text/csv"), ("ndjson", "application/x-ndjson")] {
            // The ending decides, whatever `Accept` says.
            let file = admin.get(&format!("{list}.{ending}?{query}")).header("accept", "image/png").await.ok();
            let negotiated = admin.get(&path).header("accept", accept).await.ok();
            assert_eq!(file.text(), negotiated.text(), "{path}");
            assert!(file.header("content-type").starts_with(accept), "{file}");
            let name = list.rsplit('/').next().unwrap();
            let disposition = format!("attachment; filename=\"{name}-2026-06-15.{ending}\"");
            assert_eq!(file.header("content-disposition"), disposition);
        }
        for page in ["limit=1", "cursor=x", "count=true", "wait=1"] {
            admin.get(&format!("{list}.csv?{page}")).await.status(400).problem("invalid_parameter");
        }
    }
    for report in ["daily", "revenue-by-user", "status-counts", "top-items", "taxes"] {
        let path = format!("/v1/analytics/{report}");
        let days = "from=2026-06-14&to=2026-06-15";
        for (ending, media, how) in [("csv", "text/csv", "attachment"), ("svg", "image/svg+xml", "inline")] {
            let file = admin.get(&format!("{path}.{ending}?{days}")).await.ok();
            assert_eq!(file.text(), admin.get(&format!("{path}?{days}")).header("accept", media).await.ok().text());
            let name = format!("{how}; filename=\"{report}-2026-06-14-2026-06-15.{ending}\"");
            assert_eq!(file.header("content-disposition"), name);
            for page in ["cursor=x", "count=true"] {
                admin.get(&format!("{path}.{ending}?{days}&{page}")).await.status(400).problem("invalid_parameter");
            }
        }
        admin.get(&format!("{path}.ndjson?{days}")).await.status(404).problem("not_found");
    }
    admin.get("/v1/analytics/revenue-by-user.svg?from=2026-06-14&to=2026-06-15&limit=1").await.status(400);
    admin.get("/v1/orders.xlsx").await.status(404);
    service.anonymous().get("/v1/orders.csv").await.status(401);
}

#[test]
fn the_document_has_an_operation_for_each_file_and_json_alone_for_each_list() {
    let names = |path: &str| -> Vec<&str> {
        let parameters = DOCUMENT["paths"][path]["get"]["parameters"].as_array().unwrap();
        parameters.iter().filter_map(|parameter| parameter["name"].as_str()).collect()
    };
    let media = |path: &str| -> Vec<&String> {
        DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"].as_object().unwrap().keys().collect()
    };
    assert_eq!(media("/v1/orders"), ["application/json"]);
    assert_eq!(media("/v1/orders.csv"), ["text/csv"]);
    assert_eq!(media("/v1/orders/{id}/events.ndjson"), ["application/x-ndjson"]);
    assert_eq!(media("/v1/analytics/daily"), ["application/json"]);
    assert_eq!(media("/v1/analytics/daily.svg"), ["image/svg+xml"]);
    let has = |path: &str, name: &str| names(path).contains(&name);
    for (name, page, csv, lines) in [
        ("status", true, true, true),
        ("limit", true, false, false),
        ("cursor", true, false, false),
        ("count", true, false, false),
        ("style", false, true, false),
        ("rows", false, true, false),
        ("include", true, false, true),
    ] {
        let found = ["/v1/orders", "/v1/orders.csv", "/v1/orders.ndjson"].map(|path| has(path, name));
        assert_eq!(found, [page, csv, lines], "{name}");
    }
    assert!(has("/v1/analytics/top-items.svg", "limit") && !has("/v1/analytics/revenue-by-user.svg", "limit"));
    assert!(!has("/v1/events.csv", "wait") && has("/v1/events.csv", "order"));
}

async fn csv(who: &Client, path: &str) -> Vec<Vec<String>> {
    let answer = who.get(path).await.ok();
    let text = answer.text().trim_start_matches('\u{feff}').to_owned();
    text.split_terminator("\r\n").map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn a_spreadsheet_gets_a_mark_decimals_and_local_times() {
    let service = Service::with(&[("reporting.timezone", "Europe/Berlin")]).await;
    let manager = service.manager().await;
    shop(&service).await;
    let answer = manager.get("/v1/orders.csv?style=excel&sort=created_at").await.ok();
    assert!(answer.text().starts_with("\u{feff}id,number,"), "{answer}");
    assert!(answer.text().contains("\"'\n=1+1\""), "{answer}");
    assert!(answer.text().contains("Müller"));
    let rows = csv(&manager, "/v1/transactions.csv?style=excel&status=succeeded").await;
    let column = |name: &str| rows[0].iter().position(|column| column == name).unwrap();
    assert_eq!(
        (rows[1][column("amount")].as_str(), rows[1][column("occurred_at")].as_str()),
        ("5.00", "2026-06-15 14:00:00")
    );
    let plain = csv(&manager, "/v1/transactions.csv?status=succeeded").await;
    assert_eq!(plain[1][column("amount")], "500");
    assert!(plain[1][column("occurred_at")].ends_with('Z'));
    let drafts = csv(&manager, "/v1/orders.csv?style=excel&status=draft").await;
    let total = drafts[0].iter().position(|column| column == "total_amount").unwrap();
    assert_eq!(drafts[1][total], "1999", "yen have no decimals");
    let daily = csv(&manager, "/v1/analytics/daily.csv?style=excel&from=2026-06-15&to=2026-06-15&currency=EUR").await;
    let gross = daily[0].iter().position(|column| column == "gross_amount").unwrap();
    assert_eq!((daily[1][0].as_str(), daily[1][gross].as_str()), ("2026-06-15", "5.00"));
    for path in ["/v1/orders?style=excel", "/v1/orders.ndjson?style=excel", "/v1/events?style=excel"] {
        manager.get(path).await.status(400).faults(&[("style", "conflict")]);
    }
    manager.get("/v1/analytics/daily?style=excel&from=2026-06-15&to=2026-06-15").await.status(400);
    manager.get("/v1/orders.csv?style=calc").await.status(400).faults(&[("style", "invalid_value")]);
}

#[tokio::test]
async fn rows_can_be_items_and_fees() {
    let service = Service::start().await;
    let manager = service.manager().await;
    shop(&service).await;
    let rows = csv(&manager, "/v1/orders.csv?rows=items&sort=created_at").await;
    let head = "number,external_ref,placed_at,status,currency,prices_include_tax,customer_name,customer_email,id,sku,name,\
        quantity,returned_quantity,unit_amount,discount_amount,allocated_discount_amount,tax_rate,tax_amount,total_amount";
    assert_eq!(rows[0].join(","), head);
    let order = "1,S-1,2026-06-15T12:00:00.000Z,pending,EUR,false,Müller,mueller@example.com";
    let without_id = |row: &[String]| [&row[..8], &row[9..]].concat().join(",");
    assert_eq!(without_id(&rows[1]), format!("{order},tea,Grüner Tee,2,0,1250,0,0,19,475,2975"));
    assert_eq!(without_id(&rows[2]), format!("{order},cup,Cup,1,0,300,0,0,,0,300").replace("Cup", &rows[2][10]));
    assert_eq!(rows[3].join(","), format!("{order},,,Versand,1,0,499,0,0,19,95,594"));
    assert!(rows[1][8].starts_with("itm_"));
    assert!(rows[4].join(",").starts_with(",,,draft,JPY,false,,,itm_"), "{:?}", rows[4]);
    assert_eq!(rows.len(), 5);
    for path in ["/v1/orders?rows=items", "/v1/orders.ndjson?rows=items"] {
        manager.get(path).await.status(400).faults(&[("rows", "conflict")]);
    }
}

#[tokio::test]
async fn orders_can_have_their_payments_and_refunds() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let (order, _) = shop(&service).await;
    let page = manager.get("/v1/orders?include=transactions&sort=created_at").await.ok();
    let lines = manager.get("/v1/orders.ndjson?include=transactions&sort=created_at").await.ok();
    let lines: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(page["data"].as_array().unwrap(), &lines);
    assert_eq!(lines[1]["transactions"], json!([]));
    let mut listed = manager.walk(&format!("/v1/orders/{order}/transactions")).await;
    listed.reverse();
    assert_eq!(lines[0]["transactions"].as_array().unwrap(), &listed, "the oldest first");
    let mut alone = lines[0].clone();
    alone.as_object_mut().unwrap().remove("transactions");
    assert_eq!(&alone, manager.get(&format!("/v1/orders/{order}")).await.ok().json());
    manager.get("/v1/orders.csv?include=transactions").await.status(400).faults(&[("include", "conflict")]);
    manager.get("/v1/orders?include=events").await.status(400).faults(&[("include", "invalid_value")]);
}

#[tokio::test]
async fn exports_are_audited_and_pages_and_reports_are_not() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let (order, _) = shop(&service).await;
    admin.get("/v1/orders").await.ok();
    admin.get("/v1/orders.csv?q=secret&status=pending").await.ok();
    admin.get("/v1/orders").header("accept", "application/x-ndjson").await.ok();
    admin.get(&format!("/v1/orders/{order}/events.csv")).await.ok();
    admin.get("/v1/analytics/daily.csv?from=2026-06-15&to=2026-06-15").await.ok();
    service.customer().await.get("/v1/users.csv").await.status(403);
    admin.get("/v1/audit.ndjson").await.ok();
    let trail = admin.walk("/v1/audit").await;
    let exports: Vec<_> = trail.iter().filter(|entry| entry["action"].as_str().unwrap().ends_with(".export")).collect();
    let actions: Vec<_> = exports.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["audit.export", "orders.events.export", "orders.export", "orders.export"]);
    assert_eq!(exports[3]["changes"], json!({"format": "csv", "parameters": ["q", "status"]}));
    assert_eq!(exports[2]["changes"], json!({"format": "ndjson", "parameters": []}));
    assert_eq!((&exports[3]["actor"], &exports[3]["outcome"]), (&json!(admin.id), &json!("success")));
}
