use super::{
    super::table::{self, Format},
    *,
};
use money::rate_in;

const HEADER: &str = "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Currency,Subtotal,Shipping,Taxes,Total,\
    Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Lineitem taxable,Cancelled at,\
    Refunded Amount,Outstanding Balance,Tax 1 Name,Tax 1 Value,Lineitem discount,Duties";

/// The orders of a file with these rows, or the columns at fault.
fn orders(rows: &[&str]) -> Vec<Result<Value, String>> {
    let (text, mut found) = (format!("\u{feff}{HEADER}\n{}\n", rows.join("\n")), vec![]);
    let keep = |line: super::super::super::InputLine| {
        let order = line.text.map(|text| serde_json::from_slice(&text).unwrap());
        found.push(order.map_err(|error| format!("{error}")));
        true
    };
    table::each_order(text.as_bytes(), Format::Shopify, keep).unwrap();
    found
}

fn order(rows: &[&str]) -> Value {
    let mut found = orders(rows);
    assert_eq!(found.len(), 1);
    found.remove(0).unwrap()
}

#[test]
fn texts_are_read_as_shopify_writes_them() {
    for (name, rate) in [
        ("DE MwSt 19%", Some(190_000)),
        ("Washington State Tax 6.5 %", Some(65_000)),
        ("VAT (20.0%)", Some(200_000)),
        ("19%", Some(190_000)),
        ("GST", None),
        ("ü%", None),
    ] {
        assert_eq!(rate_in(name), rate, "{name}");
    }
    for (name, found) in
        [("#1001", Some(1001)), ("DE-1001-X", Some(1001)), ("#10-2", None), ("Sale", None), ("#0", None)]
    {
        assert_eq!(number(name), found, "{name}");
    }
    let parsed = |text| parse_time(text).map(|at| at.to_string());
    assert_eq!(parsed("2023-05-14 10:22:01 -0400").as_deref(), Some("2023-05-14T14:22:01.000Z"));
    assert_eq!(parsed("2023-05-14 10:22:01 UTC").as_deref(), Some("2023-05-14T10:22:01.000Z"));
    for text in ["2023-05-14", "14.05.2023 10:22", "2023-05-14 10:22:01 -0400 x", "2023-05-14 10:22:01 ü"] {
        assert_eq!(parsed(text), None, "{text}");
    }
    let (euro, yen) = (Decimals::of(Currency::parse("EUR")), Decimals::of(Currency::parse("JPY")));
    for (text, amount) in [
        ("19.9", Some(1990)),
        ("0.05", Some(5)),
        ("7", Some(700)),
        ("1.005", None),
        ("1,00", None),
        ("", None),
        ("-1", None),
    ] {
        assert_eq!(euro.parse(text), amount, "{text}");
    }
    assert_eq!((yen.parse("1980.00"), yen.parse("19.8"), euro.parse_signed("-1.5")), (Some(1980), None, Some(-150)));
}

#[test]
fn an_order_has_several_rows_with_a_discount_and_tax_beside_the_prices() {
    let found = order(&[
        "#1001,a@example.com,partially_refunded,2024-01-02 10:00:00 +0100,fulfilled,2024-01-03 10:00:00 +0100,EUR,\
         90.00,5.00,18.05,113.05,10.00,2024-01-01 10:00:00 +0100,2,Tea,30.00,TEA,true,,20.00,0.00,DE MwSt 19%,18.05,0.00,",
        "#1001,a@example.com,,,,,,,,,,,2024-01-01 10:00:00 +0100,1,\"Cup, blue\",40.00,,true,,,,,,,",
    ]);
    assert_eq!(
        (&found["external_ref"], &found["number"], &found["status"]),
        (&json!("#1001"), &json!(1001), &json!("fulfilled"))
    );
    assert_eq!((&found["order_discount_amount"], &found["prices_include_tax"]), (&json!(1000), &json!(false)));
    assert_eq!(
        found["items"],
        json!([
            {"sku": "TEA", "name": "Tea", "quantity": 2, "unit_amount": 3000, "discount_amount": 0, "tax_rate": "19"},
            {"sku": "Cup, blue", "name": "Cup, blue", "quantity": 1, "unit_amount": 4000, "discount_amount": 0, "tax_rate": "19"},
        ])
    );
    assert_eq!(found["fees"], json!([{"name": "Shipping", "amount": 500, "tax_rate": "19"}]));
    let [payment, refund] = found["transactions"].as_array().unwrap().as_slice() else { panic!("{found}") };
    assert_eq!((&payment["amount"], &payment["occurred_at"]), (&json!(11305), &json!("2024-01-02T09:00:00.000Z")));
    assert_eq!((&refund["amount"], &refund["occurred_at"]), (&json!(2000), &json!("2024-01-03T09:00:00.000Z")));
}

#[test]
fn a_tax_in_the_prices_is_recognised_and_one_that_fits_no_rate_is_shared() {
    let included = order(&[
        "#1,,paid,,,,EUR,119.00,0,19.00,119.00,0,2024-01-01 10:00:00 UTC,1,Tea,119,T,true,,0,,VAT 19%,19.00,0,",
    ]);
    assert_eq!((&included["prices_include_tax"], &included["items"][0]["tax_rate"]), (&json!(true), &json!("19")));
    let shared = order(&[
        "#2,,paid,,,,USD,100.00,0,7.01,107.01,0,2024-01-01 10:00:00 UTC,1,Tea,70,T,true,,0,,State 6%,6.01,0,",
        "#2,,,,,,,,,,,,,1,Book,30,B,false,,,,,,,",
    ]);
    assert_eq!((&shared["items"][0]["tax_amount"], &shared["items"][1]["tax_amount"]), (&json!(701), &json!(0)));
    let free_shipping = order(&[
        "#3,,pending,,,,USD,100.00,5.00,8.00,108.00,5.00,2024-01-01 10:00:00 UTC,1,Tea,100,T,true,,0,,Tax 8%,8.00,0,",
    ]);
    assert_eq!((&free_shipping["fees"], &free_shipping["prices_include_tax"]), (&json!([]), &json!(false)));
    let tip = order(&[
        "#4,,voided,,,,USD,10.00,0,0,13.00,0,2024-01-01 10:00:00 UTC,1,Tea,10,T,true,2024-01-02 10:00:00 UTC,0,,,,0,",
    ]);
    assert_eq!(
        (&tip["fees"][0]["name"], &tip["fees"][0]["amount"], &tip["status"]),
        (&json!("Tip"), &json!(300), &json!("cancelled"))
    );
    assert_eq!(tip["transactions"][0]["status"], "voided");
}

#[test]
fn what_cannot_be_read_is_named_by_its_column() {
    let found = orders(&[
        "#1,,paid,soon,,,EUR,x,0,0,10,0,,1,Tea,10,T,true,,0,,,,0,",
        "#2,,gift,,,,EUR,20,0,0,20,0,2024-01-01 10:00:00 UTC,1,Tea,10,T,true,,0,,,,0,",
        "#3,,paid,,,,EUR,10,0,0,10,0,2024-01-01 10:00:00 UTC,0,Tea,10,T,true,,0,,,,0,",
    ]);
    let faults: Vec<_> = found.into_iter().map(Result::unwrap_err).collect();
    for (at, columns) in [
        (0, ["created at", "paid at", "subtotal"].as_slice()),
        (1, &["financial status", "subtotal"]),
        (2, &["lineitem quantity"]),
    ] {
        for column in columns {
            assert!(faults[at].contains(&format!("column {column}")), "{column}: {}", faults[at]);
        }
    }
    let missing = table::each_order("Name,Total\n".as_bytes(), Format::Shopify, |_| true);
    assert!(
        matches!(missing, Err(super::super::FileError::Form(text)) if text.contains("missing: financial status, currency"))
    );
}
