//! One declaration per body and query: the Rust type's JSON Schema, compiled to a [`Shape`] that names every fault of
//! a value before serde reads it. The OpenAPI document is written from the same schema, so that what is published and
//! what is checked cannot differ. Rules that relate fields to one another are the domain's matter.

mod check;
mod compile;

use crate::error::{Error, Result};
use regex_lite::Regex;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    any::TypeId,
    collections::HashMap,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

/// The most faults that one answer names.
pub const MAX_FAULTS: usize = 100;

/// What a JSON value has to be.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Any value.
    Anything,
    /// Null, or what is inside.
    Nullable(Box<Shape>),
    /// One of these, which are all of different JSON types.
    Either(Vec<Shape>),
    /// An object.
    Object(Object),
    /// An array.
    Array {
        /// What each element has to be.
        item: Box<Shape>,
        /// How many elements there may be.
        length: Bounds,
    },
    /// Text.
    Text(Text),
    /// One of these texts.
    Choice(Vec<String>),
    /// A whole number within these bounds, both included.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// True or false.
    Boolean,
}

/// What the fields of an object have to be.
#[derive(Debug)]
pub(crate) struct Object {
    /// The declared fields, sorted by name.
    pub(crate) fields: Vec<Field>,
    /// What any other member has to be; without it there may be none.
    others: Option<Others>,
}

/// A declared field.
#[derive(Debug)]
pub(crate) struct Field {
    /// As clients write it.
    pub(crate) name: String,
    /// Whether it must be there.
    pub(crate) required: bool,
    /// What it has to be.
    pub(crate) shape: Shape,
    /// How query parameters start whose rest is a key of this field, an object (`x-prefix` in the schema).
    pub(crate) prefix: Option<String>,
}

/// The members of a map.
#[derive(Debug)]
struct Others {
    key: Text,
    value: Box<Shape>,
    count: Bounds,
}

/// What a text has to be.
#[derive(Debug)]
pub(crate) struct Text {
    /// In characters.
    length: Bounds,
    pattern: Option<Regex>,
    format: Option<Format>,
}

/// The formats of JSON Schema that are checked; others are notes for the reader.
#[derive(Clone, Copy, Debug)]
enum Format {
    /// An RFC 3339 full-date.
    Date,
    /// An RFC 3339 date-time.
    DateTime,
    /// The code of a currency.
    Currency,
    /// The name of a time zone.
    Zone,
}

/// How many there may be, both included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    min: usize,
    max: usize,
}

/// Reads a `T`, or names every fault of `value`.
///
/// # Errors
/// `validation_failed` with all faults; `internal` when the schema of `T` promises what its `Deserialize` does not
/// keep, or has a keyword that is not checked here.
pub fn valid<T: JsonSchema + DeserializeOwned + 'static>(value: Value) -> Result<T> {
    let faults = shape_of::<T>()?.check(&value);
    if !faults.is_empty() {
        return Err(Error::invalid(faults));
    }
    serde_json::from_value(value).map_err(Error::internal)
}

/// The shape of `T`, compiled once.
pub(crate) fn shape_of<T: JsonSchema + 'static>() -> Result<Arc<Shape>> {
    static SHAPES: LazyLock<RwLock<HashMap<TypeId, Arc<Shape>>>> = LazyLock::new(RwLock::default);
    let key = TypeId::of::<T>();
    if let Some(shape) = SHAPES.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(shape.clone());
    }
    let mut generator =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let schema = generator.root_schema_for::<T>();
    let shape = compile::compile(schema.as_value())
        .map_err(|fault| Error::internal(format!("schema of {}: {fault}", T::schema_name())))?;
    let shape = Arc::new(shape);
    SHAPES.write().unwrap_or_else(PoisonError::into_inner).insert(key, shape.clone());
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::super::fault::{POINTER, place};
    use super::*;
    use crate::error::{Fault, problem};
    use serde::Deserialize;
    use serde_json::json;
    use std::collections::BTreeMap;

    /// An order, as far as these tests need one.
    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "the tests look at faults alone")]
    struct Sample {
        #[schemars(regex(pattern = "^[A-Z]{3}$"))]
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
    #[allow(dead_code, reason = "the tests look at faults alone")]
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
        #[allow(dead_code, reason = "the tests look at faults alone")]
        Amount(#[schemars(range(min = 1))] i64),
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        /// With words, which schemars turns into a list of constants.
        Payment,
        Refund,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(transparent)]
    #[allow(dead_code, reason = "the tests look at faults alone")]
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

    /// The faults of a good order after `field` was set to `value`.
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
    fn good_values_pass() {
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
    fn each_fault_has_its_place_code_and_remedy() {
        one("currency", json!("eur"), "#/currency", "invalid_format", "must match ^[A-Z]{3}$");
        one("currency", json!(7), "#/currency", "wrong_type", "must be text");
        one("currency", json!(null), "#/currency", "wrong_type", "must be text");
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
        one(
            "metadata",
            json!({"abcde": ""}),
            "#/metadata/abcde",
            "too_long",
            "its name must have at most 4 characters",
        );
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
    fn every_fault_is_named() {
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
    fn faults_and_their_places_are_limited() {
        let unknown: serde_json::Map<_, _> = (0..1000).map(|i| (format!("{i}{}", "x".repeat(500)), json!(1))).collect();
        let found = faults_of(Value::Object(unknown));
        assert_eq!(found.len(), MAX_FAULTS);
        assert!(found.iter().all(|(at, ..)| at.len() < 120));
    }

    #[test]
    fn a_body_is_an_object() {
        assert_eq!(faults_of(json!([])), [("#".to_owned(), "wrong_type", "must be an object".to_owned())]);
    }

    #[test]
    fn what_cannot_be_checked_is_not_promised() {
        let refused = |schema: Value| compile::compile(&schema).unwrap_err();
        assert_eq!(refused(json!({"type": "array", "uniqueItems": true})), "uniqueItems is not checked");
        let open = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        assert_eq!(refused(open), "an object with fields must deny unknown ones");
        let nested = json!({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "number"}}});
        assert_eq!(refused(nested), "a: the type number is not checked");
        let alike = json!({"anyOf": [{"type": "string"}, {"type": "string", "enum": ["a"]}]});
        assert_eq!(refused(alike), "alternatives of the same JSON type");
    }
}
