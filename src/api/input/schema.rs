//! The checks of bodies and queries. The JSON Schema of a Rust type is compiled to a [`Shape`], which reports every
//! fault of a value before serde reads it. Checks are hand-written because serde stops at the first fault. The OpenAPI
//! document is made from the same schema, so that it always describes what is checked. Rules between fields are not
//! checked here.

mod check;
mod compile;
#[cfg(test)]
mod tests;

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

/// The most faults that one error reports.
pub const MAX_FAULTS: usize = 100;

/// The JSON values that a schema allows.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Any value.
    Anything,
    /// Null or the inner shape.
    Nullable(Box<Shape>),
    /// One of several shapes, each of another JSON type.
    Either(Vec<Shape>),
    Object(Object),
    Array {
        item: Box<Shape>,
        length: Bounds,
    },
    Text(Text),
    /// One of these texts.
    Choice(Vec<String>),
    /// An integer within these bounds, both included.
    Integer {
        min: i64,
        max: i64,
    },
    Boolean,
}

#[derive(Debug)]
pub(crate) struct Object {
    /// The declared fields, sorted by name.
    pub(crate) fields: Vec<Field>,
    /// The shape of members that are not declared; `None` if there may be no such members.
    others: Option<Others>,
}

/// A declared field of an object.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
    /// The prefix of query parameters that are members of this field, which is a map (`x-prefix` in the schema).
    pub(crate) prefix: Option<String>,
}

/// The members of an object that are not declared, such as the entries of a map.
#[derive(Debug)]
struct Others {
    key: Text,
    value: Box<Shape>,
    count: Bounds,
}

#[derive(Debug)]
pub(crate) struct Text {
    /// In characters, not bytes.
    length: Bounds,
    pattern: Option<Regex>,
    /// What the pattern means, to follow "must be" (`x-expected` in the schema).
    expected: Option<String>,
    format: Option<Format>,
}

/// The values of the keyword `format` that are checked. Others only inform the reader.
#[derive(Clone, Copy, Debug)]
enum Format {
    /// An RFC 3339 full-date.
    Date,
    /// An RFC 3339 date-time.
    DateTime,
    /// A currency code of ISO 4217.
    Currency,
    /// The name of a time zone of the IANA database.
    Zone,
}

/// Bounds of a count, both included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    min: usize,
    max: usize,
}

/// Converts `value` to a `T` after it has been checked against the schema of `T`.
///
/// # Errors
/// `validation_failed` with every fault; `internal` if the schema of `T` allows what its `Deserialize` refuses, or has
/// a keyword that is not checked.
pub fn valid<T: JsonSchema + DeserializeOwned + 'static>(value: Value) -> Result<T> {
    let faults = shape_of::<T>()?.check(&value);
    if !faults.is_empty() {
        return Err(Error::invalid(faults));
    }
    serde_json::from_value(value).map_err(Error::internal)
}

/// The shape of `T`, which is compiled once.
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
