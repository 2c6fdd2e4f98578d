//! Compiles a JSON Schema to a shape: the part of draft 2020-12 that the types here use, without references. A keyword
//! that would not be checked is an error, so that the published schema never promises more than is checked.

use super::{Bounds, Field, Format, Object, Others, Shape, Text};
use regex_lite::Regex;
use serde_json::{Map, Value};

type Schema = Map<String, Value>;

/// Keywords that do not restrict values.
const ANNOTATIONS: &[&str] =
    &["$schema", "title", "description", "default", "example", "examples", "deprecated", "writeOnly"];
/// Keywords that are checked.
const CHECKED: &[&str] = &[
    "type",
    "enum",
    "const",
    "anyOf",
    "oneOf",
    "properties",
    "required",
    "additionalProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "items",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minimum",
    "maximum",
];

/// The shape that `schema` describes, or a message that says which part of it is not supported.
pub(super) fn compile(schema: &Value) -> Result<Shape, String> {
    let Value::Object(schema) = schema else {
        return if *schema == Value::Bool(true) { Ok(Shape::Anything) } else { Err("false is not a shape".to_owned()) };
    };
    let unknown = |word: &&String| {
        !CHECKED.contains(&word.as_str()) && !ANNOTATIONS.contains(&word.as_str()) && !word.starts_with("x-")
    };
    if let Some(word) = schema.keys().find(unknown) {
        return Err(format!("{word} is not checked"));
    }
    if let Some(Value::Array(alternatives)) = schema.get("anyOf").or(schema.get("oneOf")) {
        return either(alternatives);
    }
    match (schema.get("enum"), schema.get("const"), schema.get("type")) {
        (Some(Value::Array(values)), _, _) => choice(values),
        (_, Some(value), _) => choice(std::slice::from_ref(value)),
        (_, _, Some(Value::String(name))) => of_type(name, schema),
        (_, _, Some(Value::Array(names))) => {
            let shapes = names.iter().filter_map(Value::as_str).map(|name| match name {
                "null" => Ok(None),
                name => of_type(name, schema).map(Some),
            });
            alternatives_of(shapes.collect::<Result<_, _>>()?)
        }
        _ if schema.keys().any(|word| CHECKED.contains(&word.as_str())) => Err("keywords without a type".to_owned()),
        _ => Ok(Shape::Anything),
    }
}

fn either(alternatives: &[Value]) -> Result<Shape, String> {
    let shapes = alternatives.iter().map(|schema| match schema.get("type").and_then(Value::as_str) {
        Some("null") => Ok(None),
        _ => compile(schema).map(Some),
    });
    alternatives_of(shapes.collect::<Result<_, _>>()?)
}

/// Combines several shapes; `None` stands for null. Lists of texts become one list.
fn alternatives_of(shapes: Vec<Option<Shape>>) -> Result<Shape, String> {
    let mut nullable = false;
    let mut choices = Vec::new();
    let mut others = Vec::new();
    for shape in shapes {
        match shape {
            None => nullable = true,
            Some(Shape::Nullable(inner)) => {
                nullable = true;
                others.push(*inner);
            }
            Some(Shape::Choice(more)) => choices.extend(more),
            Some(Shape::Either(more)) => others.extend(more),
            Some(shape) => others.push(shape),
        }
    }
    if !choices.is_empty() {
        others.insert(0, Shape::Choice(choices));
    }
    let types: Vec<_> = others.iter().map(Shape::json_type).collect();
    if (1..types.len()).any(|i| types[..i].contains(&types[i])) {
        return Err("alternatives of the same JSON type".to_owned());
    }
    let shape = match (others.pop(), others.is_empty()) {
        (Some(only), true) => only,
        (Some(last), false) => Shape::Either(others.into_iter().chain([last]).collect()),
        (None, _) => return Err("no alternatives".to_owned()),
    };
    Ok(if nullable { Shape::Nullable(Box::new(shape)) } else { shape })
}

fn choice(values: &[Value]) -> Result<Shape, String> {
    let texts = values.iter().filter(|value| !value.is_null()).map(|value| value.as_str().map(str::to_owned));
    let texts: Option<Vec<String>> = texts.collect();
    let shape = Shape::Choice(texts.ok_or("an enum of other things than text")?);
    Ok(if values.contains(&Value::Null) { Shape::Nullable(Box::new(shape)) } else { shape })
}

fn of_type(name: &str, schema: &Schema) -> Result<Shape, String> {
    match name {
        "object" => object(schema).map(Shape::Object),
        "array" => {
            let item =
                schema.get("items").map_or(Ok(Shape::Anything), compile).map_err(|fault| format!("[]: {fault}"))?;
            Ok(Shape::Array { item: Box::new(item), length: bounds(schema, "minItems", "maxItems")? })
        }
        "string" => text(schema).map(Shape::Text),
        "integer" => integer(schema),
        "boolean" => Ok(Shape::Boolean),
        other => Err(format!("the type {other} is not checked")),
    }
}

fn object(schema: &Schema) -> Result<Object, String> {
    let required = |name: &str| {
        schema.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|other| other == name))
    };
    let mut fields = Vec::new();
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let shape = compile(field).map_err(|fault| format!("{name}: {fault}"))?;
        let prefix = field.get("x-prefix").and_then(Value::as_str).map(str::to_owned);
        fields.push(Field { name: name.clone(), required: required(name), shape, prefix });
    }
    fields.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let others = match schema.get("additionalProperties") {
        Some(Value::Bool(false)) => None,
        None | Some(Value::Bool(true)) if !fields.is_empty() => {
            return Err("an object with fields must deny unknown ones".to_owned());
        }
        other => Some(Others {
            key: schema.get("propertyNames").and_then(Value::as_object).map_or_else(|| text(&Map::new()), text)?,
            value: Box::new(other.map_or(Ok(Shape::Anything), compile).map_err(|fault| format!("{{}}: {fault}"))?),
            count: bounds(schema, "minProperties", "maxProperties")?,
        }),
    };
    Ok(Object { fields, others })
}

fn text(schema: &Schema) -> Result<Text, String> {
    let pattern = schema.get("pattern").and_then(Value::as_str);
    Ok(Text {
        length: bounds(schema, "minLength", "maxLength")?,
        pattern: pattern.map(Regex::new).transpose().map_err(|fault| fault.to_string())?,
        expected: schema.get("x-expected").and_then(Value::as_str).map(str::to_owned),
        format: match schema.get("format").and_then(Value::as_str) {
            Some("date") => Some(Format::Date),
            Some("date-time") => Some(Format::DateTime),
            Some("iso-4217") => Some(Format::Currency),
            Some("iana-time-zone") => Some(Format::Zone),
            _ => None,
        },
    })
}

fn bounds(schema: &Schema, min: &str, max: &str) -> Result<Bounds, String> {
    let bound = |word: &str, default: usize| match schema.get(word) {
        None => Ok(default),
        Some(value) => value.as_u64().and_then(|n| usize::try_from(n).ok()).ok_or(format!("{word} is not a count")),
    };
    Ok(Bounds { min: bound(min, 0)?, max: bound(max, usize::MAX)? })
}

fn integer(schema: &Schema) -> Result<Shape, String> {
    // The bounds of the Rust type apply too; otherwise serde would refuse a value that passed the check.
    let (least, greatest) = match schema.get("format").and_then(Value::as_str) {
        Some("int8") => (i8::MIN.into(), i8::MAX.into()),
        Some("int16") => (i16::MIN.into(), i16::MAX.into()),
        Some("int32") => (i32::MIN.into(), i32::MAX.into()),
        Some("uint8") => (0, u8::MAX.into()),
        Some("uint16") => (0, u16::MAX.into()),
        Some("uint32") => (0, u32::MAX.into()),
        Some("uint64" | "uint") => (0, i64::MAX),
        _ => (i64::MIN, i64::MAX),
    };
    let bound = |word: &str, default: i64| match schema.get(word) {
        None => Ok(default),
        Some(value) => value.as_i64().ok_or(format!("{word} is not an integer")),
    };
    let (min, max) = (bound("minimum", least)?, bound("maximum", greatest)?);
    Ok(Shape::Integer { min: min.max(least), max: max.min(greatest) })
}
