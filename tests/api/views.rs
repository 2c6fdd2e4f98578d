//! The views for analysts: they show what the API shows.

use crate::support::{Service, order_of, with};
use orderd::domain::money::Currency;
use rusqlite::{Connection, types::Value as Field};
use serde_json::{Value, json};

/// The rows of a view as JSON objects.
fn rows(connection: &Connection, view: &str) -> Vec<Value> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {view}")).unwrap();
    let names: Vec<_> = statement.column_names().into_iter().map(str::to_owned).collect();
    let row = |row: &rusqlite::Row<'_>| {
        let field = |(at, name): (usize, &String)| {
            let value = match row.get(at).unwrap() {
                Field::Null => Value::Null,
                Field::Integer(number) => number.into(),
                Field::Real(number) => number.into(),
                Field::Text(text) => text.into(),
                Field::Blob(_) => panic!("{view}.{name} is no text"),
            };
            (name.clone(), value)
        };
        Ok(Value::Object(names.iter().enumerate().map(field).collect()))
    };
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

/// Asserts that a row of a view has the same values as a document of the API, whose amounts have `unit` minor units.
fn same(row: &Value, document: &Value, unit: f64) {
    let mut compared = 0;
    for (name, value) in row.as_object().unwrap() {
        let Some(expected) = document.get(name) else { continue };
        compared += 1;
        let expected = match expected {
            Value::Number(amount) if name.ends_with("amount") => json!(amount.as_f64().unwrap() / unit),
            Value::Bool(flag) => json!(i64::from(*flag)),
            Value::Object(_) => expected.to_string().into(),
            Value::String(rate) if name == "tax_rate" => json!(rate.parse::<f64>().unwrap()),
            other => other.clone(),
        };
        assert_eq!(value, &expected, "{name}");
    }
    assert!(compared >= 8, "only {compared} columns have the names of the API: {row}");
}

#[tokio::test]
async fn views_show_what_the_api_shows() {
    let service = Service::start().await;
    let manager = service.manager().await;
    let mut body = order_of(&[("tea", 2, 1250), ("cup", 1, 305)]);
    body["items"][0]["tax_rate"] = "8.875".into();
    body["customer"] = json!({"name": "Ada", "email": "ada@example.com"});
    body["metadata"] = json!({"colour": "red"});
    let order = manager.places(body).await.created().id();
    let payment =
        manager.pays(&order, json!({"amount": 2000, "provider": "p", "provider_ref": "r"})).await.created().id();
    manager.refunds(&order, json!({"amount": 333, "payment_id": payment, "reason": "late"})).await.created();
    manager.moves(&order, "confirm").await.ok();
    let yen = with(with(order_of(&[("pot", 1, 1999)]), "currency", "JPY"), "draft", true);
    manager.places(yen).await.created();
    let dinar = manager.places(with(order_of(&[("pot", 1, 1999)]), "currency", "KWD")).await.created().id();
    manager.moves(&dinar, "cancel").await.ok();

    let connection = Connection::open(service.path()).unwrap();
    let orders = manager.walk("/v1/orders?sort=created_at").await;
    let units = [100.0, 1.0, 1000.0];
    for ((row, order), unit) in rows(&connection, "v_orders").iter().zip(&orders).zip(units) {
        same(row, order, unit);
        assert_eq!(row["customer_email"], order["customer"].get("email").cloned().unwrap_or_default());
    }
    let items = rows(&connection, "v_order_items");
    assert_eq!(items.len(), 4);
    for row in &items {
        let at = orders.iter().position(|order| order["id"] == row["order_id"]).unwrap();
        let line = usize::try_from(row["line"].as_u64().unwrap()).unwrap() - 1;
        same(row, &orders[at]["items"][line], units[at]);
        assert_eq!((&row["order_number"], &row["placed_at"]), (&orders[at]["number"], &orders[at]["placed_at"]));
    }
    let mut transactions = manager.walk("/v1/transactions").await;
    transactions.reverse();
    let listed = rows(&connection, "v_transactions");
    assert_eq!(listed.len(), transactions.len());
    listed.iter().zip(&transactions).for_each(|(row, transaction)| same(row, transaction, 100.0));
    let events = manager.get("/v1/events").await.ok();
    let listed = rows(&connection, "v_events");
    assert_eq!(listed.len(), events["data"].as_array().unwrap().len());
    for (row, event) in listed.iter().zip(events["data"].as_array().unwrap()) {
        let mut event = event.clone();
        let data: Value = serde_json::from_str(row["data"].as_str().unwrap()).unwrap();
        assert_eq!(data, event.as_object_mut().unwrap().remove("data").unwrap());
        same(row, &event, 1.0);
    }
}

#[tokio::test]
async fn views_know_the_decimals_of_every_currency() {
    let service = Service::start().await;
    let connection = Connection::open(service.path()).unwrap();
    let view = "SELECT sql FROM sqlite_schema WHERE name = 'orders_with_unit'";
    let sql: String = connection.query_row(view, [], |row| row.get(0)).unwrap();
    let unit = &sql[sql.find("CASE").unwrap()..sql.find(" AS unit").unwrap()];
    let mut statement = connection.prepare(&format!("SELECT {unit} FROM (SELECT ?1 AS currency)")).unwrap();
    for currency in Currency::all() {
        let found: f64 = statement.query_row([currency.code()], |row| row.get(0)).unwrap();
        assert!((found - 10_f64.powi(currency.exponent().into())).abs() < 0.5, "{currency}: {found}");
    }
}
