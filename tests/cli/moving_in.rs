//! `orderd import` with tables: the rows of items that an export writes, and the orders that a shop at Shopify exports.

mod shopify;

use crate::{
    server::{ADMIN, Server},
    support::TestDir,
};
use serde_json::{Value, json};
use std::fs;

const ITEMS: &str = "\u{feff}number,external_ref,placed_at,status,currency,prices_include_tax,customer_name,customer_email,\
    id,sku,name,quantity,returned_quantity,unit_amount,discount_amount,allocated_discount_amount,tax_rate,tax_amount,total_amount\r\n\
    7,old-7,2024-01-05T10:00:00.000Z,fulfilled,EUR,false,Ada,'=ada@example.com,itm_1,TEA,\"Tea, \"\"green\"\"\",2,0,1000,0,200,19,342,2142\r\n\
    7,old-7,2024-01-05T10:00:00.000Z,fulfilled,EUR,false,Ada,'=ada@example.com,itm_2,CUP,'-Cup,1,0,500,100,40,,0,360\r\n\
    7,old-7,2024-01-05T10:00:00.000Z,fulfilled,EUR,false,Ada,'=ada@example.com,,,Shipping,1,,500,,,19,95,595\r\n\
    9,,2024-01-06T10:00:00.000Z,cancelled,JPY,true,,,itm_3,TEA,Tea,1,0,1100,0,0,10,100,1100\r\n\
    10,old-10,2024-01-06T10:00:00.000Z,pending,EUR,false,,,itm_4,TEA,Tea,1,0,1000,0,0,19,190,1\r\n";

fn exported(dir: &TestDir, flags: &str) -> Vec<Value> {
    let out = dir.run(&format!("export --db orders.db --sort created_at {flags}"));
    assert_eq!(out.code, 0, "{}", out.err);
    out.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_order_that_is_larger_than_the_memory_of_an_import_is_refused_and_the_others_come() {
    let dir = TestDir::new();
    Server::start(&dir, &ADMIN, "").stop();
    let columns = "number,external_ref,currency,sku,name,quantity,unit_amount,total_amount";
    let rows = [("first", 3), ("long", 9_000_000), ("last", 3)];
    let rows = rows.map(|(reference, length)| format!(",{reference},EUR,a,{},1,1,1\n", "x".repeat(length)));
    dir.write("long.csv", &format!("{columns}\n{}", rows.concat()));
    let imported = dir.run("import --db orders.db --format csv long.csv");
    assert!(imported.err.starts_with("created 2, there already 0, failed 1\n"), "{}", imported.err);
}

#[test]
fn rows_of_items_become_orders_and_failed_ones_are_kept() {
    let dir = TestDir::new();
    Server::start(&dir, &ADMIN, "").stop();
    dir.write("old.csv", ITEMS);
    let imported = dir.run("import --db orders.db --format csv old.csv");
    let expected = "created 2, there already 0, failed 1\n  1 total_differs, first in line 6\n\
        orderd: old.csv: 1 of 3 failed; they are in old.csv.failed\n";
    assert_eq!((imported.code, imported.err.as_str()), (1, expected));
    let lines: Vec<Value> = imported.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["line"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 5, 6]);
    let orders = exported(&dir, "");
    assert_eq!(orders.len(), 2);
    for (member, value) in [
        ("number", json!(7)),
        ("status", json!("fulfilled")),
        ("placed_at", json!("2024-01-05T10:00:00.000Z")),
        ("fulfilled_at", json!("2024-01-05T10:00:00.000Z")),
        ("customer", json!({"name": "Ada", "email": "=ada@example.com", "phone": null, "address": null})),
        ("order_discount_amount", json!(240)),
        ("tax_amount", json!(437)),
        ("total_amount", json!(3097)),
        ("user_id", json!(null)),
    ] {
        assert_eq!(orders[0][member], value, "{member}");
    }
    assert_eq!((&orders[0]["items"][1]["name"], &orders[0]["fees"][0]["amount"]), (&json!("-Cup"), &json!(500)));
    assert_eq!((&orders[1]["number"], &orders[1]["total_amount"]), (&json!(9), &json!(1100)));
    // The file of the failed orders has its header, so that it can be corrected and imported.
    let failed = fs::read_to_string(dir.path().join("old.csv.failed")).unwrap();
    dir.write("again.csv", &failed.replace("190,1\n", "190,1190\n"));
    let again = dir.run("import --db orders.db --format csv again.csv");
    assert_eq!((again.code, again.err.as_str()), (0, "created 1, there already 0, failed 0\n"));
    let all = dir.run("import --db orders.db --format csv --failed rest old.csv");
    assert_eq!((all.code, all.err.as_str()), (0, "created 0, there already 3, failed 0\n"));
    assert!(!dir.path().join("rest").exists());
    assert_eq!(dir.run("verify --db orders.db").code, 0);
}

#[test]
fn a_file_of_another_form_is_refused() {
    let dir = TestDir::new();
    Server::start(&dir, &ADMIN, "").stop();
    dir.write("old.csv", ITEMS);
    let wrong = dir.run("import --db orders.db old.csv");
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.starts_with("orderd: old.csv: The first line is no JSON object."), "{}", wrong.err);
    let wrong = dir.run("import --db orders.db --format shopify old.csv");
    let expected = "orderd: old.csv: the first row must name the columns; missing: name, financial status";
    assert!(
        wrong.code == 1 && wrong.err.starts_with("orderd: old.csv: the first row must name"),
        "{} {expected}",
        wrong.err
    );
}

#[test]
fn the_orders_of_a_shop_move_in_with_their_totals_taxes_and_refunds() {
    let dir = TestDir::new();
    Server::start(&dir, &ADMIN, "").stop();
    let shop = shopify::Shop::of(1_000);
    dir.write("orders_export.csv", &shop.csv);
    let imported = dir.run("import --db orders.db --format shopify orders_export.csv");
    let expected = "created 1000, there already 0, failed 3\n  3 validation_failed, first in line ";
    assert!(imported.code == 1 && imported.err.starts_with(expected), "{}", imported.err);
    let orders = exported(&dir, "--filter include=transactions");
    assert_eq!(orders.len(), shop.orders.len());
    for (found, expected) in orders.iter().zip(&shop.orders) {
        let seen = shopify::Sold {
            number: found["number"].as_i64().unwrap(),
            currency: found["currency"].as_str().unwrap().to_owned(),
            status: found["status"].as_str().unwrap().to_owned(),
            total: found["total_amount"].as_i64().unwrap(),
            tax: found["tax_amount"].as_i64().unwrap(),
            paid: found["paid_amount"].as_i64().unwrap(),
            refunded: found["refunded_amount"].as_i64().unwrap(),
        };
        assert_eq!(&seen, expected, "{found}");
    }
    let failed = fs::read_to_string(dir.path().join("orders_export.csv.failed")).unwrap();
    assert_eq!(failed.lines().filter(|line| line.starts_with("#9")).count(), 3, "{failed}");
    assert!(failed.starts_with("Name,Email,Financial Status"), "{failed}");
    let verified = dir.run("verify --db orders.db");
    assert_eq!(verified.code, 0, "{}", verified.out);
    let again = dir.run("import --db orders.db --format shopify --failed none orders_export.csv");
    assert!(again.err.starts_with("created 0, there already 1000, failed 3\n"), "{}", again.err);
}
