//! What the checks report, for one sample type that has every kind of shape.

use super::*;
use crate::{
    api::input::fault::{POINTER, place},
    error::{Fault, problem},
};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

/// A body with every kind of shape.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the tests only look at faults")]
struct Sample {
    #[schemars(regex(pattern = "^[A-Z]{3}$"), extend("x-expected" = "three capital letters"))]
    currency: String,
    #[schemars(length(min = 1, max = 3))]
    items: Vec<Line>,
    #[schemars(range(min = 0, max = 1500))]
    #[serde(default)]
    discount: i64,
    #[schemars(length(max = 5))]
    note: Option<String>,
    #[schemars(extend("maxProperties" = 2, "propertyNames" = {"minLength": 1, "maxLength": 4}))]
    #[serde(default)]
    metadata: BTreeMap<String, Option<String>>,
    refund: Option<Refund>,
    kind: Option<Kind>,
    at: Option<When>,
    draft: Option<bool>,
    anything: Option<Value>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the tests only look at faults")]
struct Line {
    #[schemars(length(min = 1, max = 64))]
    sku: String,
    #[schemars(range(min = 1))]
    quantity: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Refund {
    Full,
    None,
    #[serde(untagged)]
    #[allow(dead_code, reason = "the tests only look at faults")]
    Amount(#[schemars(range(min = 1))] i64),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// With a doc comment schemars describes each variant by a constant of its own.
    Payment,
    Refund,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[allow(dead_code, reason = "the tests only look at faults")]
struct When(#[schemars(extend("format" = "date-time"))] String);

fn faults_of(value: Value) -> Vec<(String, &'static str, String)> {
    let error = valid::<Sample>(value).unwrap_err();
    assert!(error.is(&problem::VALIDATION_FAILED), "{error}");
    let pointer = |fault: &Fault| {
        let (part, name) = place(fault);
        assert_eq!(part, POINTER);
        name.into_owned()
    };
    error.faults().iter().map(|fault| (pointer(fault), fault.code, fault.detail.clone())).collect()
}

/// The faults of a valid body after `field` was set to `value`.
fn with(field: &str, value: Value) -> Vec<(String, &'static str, String)> {
    let mut order = json!({"currency": "EUR", "items": [{"sku": "TEA", "quantity": 2}]});
    order[field] = value;
    faults_of(order)
}

fn one(field: &str, value: Value, pointer: &str, code: &str, detail: &str) {
    let shown = value.to_string();
    let found = with(field, value);
    let found: Vec<_> = found.iter().map(|(at, code, detail)| (at.as_str(), *code, detail.as_str())).collect();
    assert_eq!(found, [(pointer, code, detail)], "{field} = {shown}");
}

#[test]
fn valid_values_pass() {
    let full = json!({
        "currency": "EUR", "items": [{"sku": "TEA", "quantity": 4_294_967_295_u32}], "discount": 1500,
        "note": "ééééé", "metadata": {"a": "b", "cdef": null}, "refund": 12, "kind": "refund",
        "at": "2026-11-23T03:14:11.123Z", "draft": true, "anything": {"x": [1.5]},
    });
    valid::<Sample>(full).unwrap();
    let nulls = json!({
        "currency": "EUR", "items": [{"sku": "TEA", "quantity": 1}], "note": null, "refund": null, "kind": null,
        "at": null, "draft": null, "anything": null,
    });
    valid::<Sample>(nulls).unwrap();
    valid::<Sample>(json!({"currency": "EUR", "items": [{"sku": "T", "quantity": 1}], "refund": "full"})).unwrap();
}

#[test]
fn each_fault_has_its_place_code_and_description() {
    one("currency", json!("eur"), "#/currency", "invalid_format", "must be three capital letters");
    one("currency", json!(7), "#/currency", "wrong_type", "must be text: three capital letters");
    one("currency", json!(null), "#/currency", "wrong_type", "must be text: three capital letters");
    one("items", json!([]), "#/items", "too_few", "must have at least 1 element");
    one("items", json!({}), "#/items", "wrong_type", "must be an array");
    one("items", json!([7]), "#/items/0", "wrong_type", "must be an object");
    one("discount", json!(1501), "#/discount", "too_large", "must be at most 1500");
    one("discount", json!(1e30), "#/discount", "too_large", "must be at most 1500");
    one("discount", json!(u64::MAX), "#/discount", "too_large", "must be at most 1500");
    one("discount", json!(-1), "#/discount", "too_small", "must be at least 0");
    one("discount", json!(19.99), "#/discount", "wrong_type", "must be an integer");
    one("discount", json!("5"), "#/discount", "wrong_type", "must be an integer");
    one("note", json!("éééééé"), "#/note", "too_long", "must have at most 5 characters");
    one("note", json!(5), "#/note", "wrong_type", "must be text or null");
    one("metadata", json!({"a": "", "b": "", "c": ""}), "#/metadata", "too_many", "must have at most 2 keys");
    one("metadata", json!({"abcde": ""}), "#/metadata/abcde", "too_long", "its name must have at most 4 characters");
    one("metadata", json!({"": ""}), "#/metadata/", "too_short", "its name must not be empty");
    one("metadata", json!({"a": 1}), "#/metadata/a", "wrong_type", "must be text or null");
    one("refund", json!("half"), "#/refund", "invalid_value", "must be one of full, none");
    one("refund", json!(0), "#/refund", "too_small", "must be at least 1");
    one("refund", json!([]), "#/refund", "wrong_type", "must be one of full, none or an integer or null");
    one("kind", json!("gift"), "#/kind", "invalid_value", "must be one of refund, payment");
    one("at", json!("today"), "#/at", "invalid_format", "must be a date-time such as 2026-11-23T03:14:11.123Z");
    one("draft", json!(0), "#/draft", "wrong_type", "must be true or false or null");
    one("total_amount", json!(5), "#/total_amount", "unknown_field", "is unknown here or can only be read");
}

#[test]
fn every_fault_is_reported() {
    let order =
        json!({"items": [{"sku": "", "quantity": 0}, {"quantity": 4_294_967_296_u64, "a/b~ %é": 1}], "note": 1});
    let found: Vec<_> = faults_of(order).into_iter().map(|(at, code, _)| format!("{at} {code}")).collect();
    let expected = [
        "#/currency required",
        "#/items/0/quantity too_small",
        "#/items/0/sku too_short",
        "#/items/1/sku required",
        "#/items/1/a~1b~0%20%25%C3%A9 unknown_field",
        "#/items/1/quantity too_large",
        "#/note wrong_type",
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_number_of_faults_and_the_length_of_pointers_are_limited() {
    let unknown: serde_json::Map<_, _> = (0..1000).map(|i| (format!("{i}{}", "x".repeat(500)), json!(1))).collect();
    let found = faults_of(Value::Object(unknown));
    assert_eq!(found.len(), MAX_FAULTS);
    assert!(found.iter().all(|(at, ..)| at.len() < 120));
}

#[test]
fn a_body_must_be_an_object() {
    assert_eq!(faults_of(json!([])), [("#".to_owned(), "wrong_type", "must be an object".to_owned())]);
}

#[test]
fn a_schema_that_cannot_be_checked_is_refused() {
    let refused = |schema: Value| compile::compile(&schema).unwrap_err();
    assert_eq!(refused(json!({"type": "array", "uniqueItems": true})), "uniqueItems is not checked");
    let open = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    assert_eq!(refused(open), "an object with fields must deny unknown ones");
    let nested = json!({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "number"}}});
    assert_eq!(refused(nested), "a: the type number is not checked");
    let alike = json!({"anyOf": [{"type": "string"}, {"type": "string", "enum": ["a"]}]});
    assert_eq!(refused(alike), "alternatives of the same JSON type");
}
