//! Checks a value against a shape. Each fault has its place, a stable code and a description of what would be correct.

use super::{Bounds, Format, MAX_FAULTS, Object, Shape, Text};
use crate::{
    domain::{
        calendar::{Zone, parse_date},
        money::Currency,
        time::Timestamp,
    },
    error::Fault,
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Number, Value};

/// How many characters of a client's key a pointer repeats.
const MAX_KEY_LENGTH: usize = 100;
/// Characters that are percent-encoded in a URI fragment (RFC 3986, section 3.5).
const NOT_IN_FRAGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The path from the document to a value. It becomes text only when there is a fault.
#[derive(Clone, Copy)]
enum Path<'a> {
    Document,
    Member(&'a Path<'a>, &'a str),
    Element(&'a Path<'a>, usize),
}

impl Path<'_> {
    /// The JSON pointer in URI-fragment form (RFC 6901, section 6).
    fn pointer(&self) -> String {
        match self {
            Self::Document => "#".to_owned(),
            Self::Element(parent, index) => format!("{}/{index}", parent.pointer()),
            Self::Member(parent, key) => {
                let key: String = key.chars().take(MAX_KEY_LENGTH).collect();
                let escaped = key.replace('~', "~0").replace('/', "~1");
                format!("{}/{}", parent.pointer(), utf8_percent_encode(&escaped, NOT_IN_FRAGMENT))
            }
        }
    }
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, path: Path<'_>, code: &'static str, detail: impl Into<String>) {
        if !self.full() {
            self.0.push(Fault::body(path.pointer(), code, detail));
        }
    }

    fn full(&self) -> bool {
        self.0.len() >= MAX_FAULTS
    }
}

impl Shape {
    /// The faults of `value`, at most [`MAX_FAULTS`]; none if it has this shape.
    pub(in crate::api) fn check(&self, value: &Value) -> Vec<Fault> {
        let mut faults = Faults::default();
        self.visit(value, Path::Document, &mut faults);
        faults.0
    }

    fn visit(&self, value: &Value, path: Path<'_>, faults: &mut Faults) {
        match (self, value) {
            (Self::Anything, _) | (Self::Nullable(_), Value::Null) | (Self::Boolean, Value::Bool(_)) => {}
            (Self::Nullable(inner), value) if inner.takes(value) => inner.visit(value, path, faults),
            (Self::Either(shapes), value) if self.takes(value) => {
                shapes.iter().filter(|shape| shape.takes(value)).for_each(|shape| shape.visit(value, path, faults));
            }
            (Self::Object(object), Value::Object(members)) => object.visit(members, path, faults),
            (Self::Array { item, length }, Value::Array(elements)) => {
                length.check(elements.len(), "element", ("too_few", "too_many"), path, faults);
                for (index, element) in elements.iter().enumerate() {
                    if faults.full() {
                        return;
                    }
                    item.visit(element, Path::Element(&path, index), faults);
                }
            }
            (Self::Text(text), Value::String(value)) => {
                if let Some((code, detail)) = text.fault(value) {
                    faults.add(path, code, format!("must {detail}"));
                }
            }
            (Self::Choice(choices), Value::String(value)) => {
                if !choices.contains(value) {
                    faults.add(path, "invalid_value", format!("must be {}", self.expected()));
                }
            }
            (Self::Integer { min, max }, Value::Number(number)) => integer(number, *min, *max, path, faults),
            _ => faults.add(path, "wrong_type", format!("must be {}", self.expected())),
        }
    }

    /// Whether `value` has the JSON type of this shape. If not, that is its only fault.
    fn takes(&self, value: &Value) -> bool {
        match self {
            Self::Anything => true,
            Self::Nullable(inner) => value.is_null() || inner.takes(value),
            Self::Either(shapes) => shapes.iter().any(|shape| shape.takes(value)),
            Self::Object(_) => value.is_object(),
            Self::Array { .. } => value.is_array(),
            Self::Text(_) | Self::Choice(_) => value.is_string(),
            Self::Integer { .. } => value.is_number(),
            Self::Boolean => value.is_boolean(),
        }
    }

    /// The name of the JSON type in JSON Schema. Two alternatives must not share it.
    pub(super) fn json_type(&self) -> &'static str {
        match self {
            Self::Anything => "any",
            Self::Nullable(_) => "null",
            Self::Either(_) => "either",
            Self::Object(_) => "object",
            Self::Array { .. } => "array",
            Self::Text(_) | Self::Choice(_) => "string",
            Self::Integer { .. } => "integer",
            Self::Boolean => "boolean",
        }
    }

    /// Describes a correct value, to follow "must be".
    fn expected(&self) -> String {
        match self {
            Self::Anything => "a JSON value".to_owned(),
            Self::Nullable(inner) => format!("{} or null", inner.expected()),
            Self::Either(shapes) => shapes.iter().map(Self::expected).collect::<Vec<_>>().join(" or "),
            Self::Object(_) => "an object".to_owned(),
            Self::Array { .. } => "an array".to_owned(),
            Self::Text(Text { expected: Some(words), .. }) => format!("text: {words}"),
            Self::Text(_) => "text".to_owned(),
            Self::Choice(choices) => format!("one of {}", choices.join(", ")),
            Self::Integer { .. } => "an integer".to_owned(),
            Self::Boolean => "true or false".to_owned(),
        }
    }
}

impl Object {
    fn visit(&self, members: &serde_json::Map<String, Value>, path: Path<'_>, faults: &mut Faults) {
        for field in self.fields.iter().filter(|field| field.required && !members.contains_key(&field.name)) {
            faults.add(Path::Member(&path, &field.name), "required", "is required");
        }
        if let Some(others) = &self.others {
            others.count.check(members.len(), "key", ("too_few", "too_many"), path, faults);
        }
        for (name, value) in members {
            if faults.full() {
                return;
            }
            let path = Path::Member(&path, name);
            match (self.field(name), &self.others) {
                (Some(field), _) => field.shape.visit(value, path, faults),
                (None, Some(others)) => {
                    if let Some((code, detail)) = others.key.fault(name) {
                        faults.add(path, code, format!("its name must {detail}"));
                    }
                    others.value.visit(value, path, faults);
                }
                (None, None) => faults.add(path, "unknown_field", "is unknown here or can only be read"),
            }
        }
    }

    /// The declared field with this name.
    pub(in crate::api) fn field(&self, name: &str) -> Option<&super::Field> {
        self.fields.binary_search_by(|field| field.name.as_str().cmp(name)).ok().map(|at| &self.fields[at])
    }
}

impl Text {
    /// The first fault of `value`: its code, and what would be correct, to follow "must".
    fn fault(&self, value: &str) -> Option<(&'static str, String)> {
        let length = value.chars().count();
        if length < self.length.min {
            let short =
                if self.length.min == 1 { "not be empty".to_owned() } else { at_least(self.length.min, "character") };
            return Some(("too_short", short));
        }
        if length > self.length.max {
            return Some(("too_long", at_most(self.length.max, "character")));
        }
        if let Some(pattern) = self.pattern.as_ref().filter(|pattern| !pattern.is_match(value)) {
            let expected = self.expected.as_ref().map(|words| format!("be {words}"));
            return Some(("invalid_format", expected.unwrap_or_else(|| format!("match {}", pattern.as_str()))));
        }
        self.format
            .filter(|format| !format.accepts(value))
            .map(|format| (format.code(), format!("be {}", format.expected())))
    }
}

impl Format {
    fn accepts(self, value: &str) -> bool {
        match self {
            Self::Date => parse_date(value).is_some(),
            Self::DateTime => Timestamp::parse(value).is_some(),
            Self::Currency => Currency::parse(value).is_some(),
            Self::Zone => Zone::parse(value).is_some(),
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Date | Self::DateTime => "invalid_format",
            Self::Currency | Self::Zone => "unknown",
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Date => "a date such as 2026-11-23",
            Self::DateTime => "a date-time such as 2026-11-23T03:14:11.123Z",
            Self::Currency => "a currency of ISO 4217 in capital letters, such as EUR",
            Self::Zone => "a time zone of the IANA database, such as Europe/Berlin",
        }
    }
}

impl Bounds {
    fn check(self, count: usize, what: &str, codes: (&'static str, &'static str), path: Path<'_>, faults: &mut Faults) {
        if count < self.min {
            faults.add(path, codes.0, format!("must {}", at_least(self.min, what)));
        } else if count > self.max {
            faults.add(path, codes.1, format!("must {}", at_most(self.max, what)));
        }
    }
}

fn at_least(count: usize, what: &str) -> String {
    format!("have at least {count} {what}{}", if count == 1 { "" } else { "s" })
}

fn at_most(count: usize, what: &str) -> String {
    format!("have at most {count} {what}{}", if count == 1 { "" } else { "s" })
}

fn integer(number: &Number, min: i64, max: i64, path: Path<'_>, faults: &mut Faults) {
    // An integer that does not fit an i64 exceeds every bound, so its exact value does not matter.
    let (value, beyond) = match (number.as_i64(), number.as_f64()) {
        (Some(value), _) => (value, false),
        (None, Some(value)) if value.fract() == 0.0 => (if value > 0.0 { i64::MAX } else { i64::MIN }, true),
        _ => return faults.add(path, "wrong_type", "must be an integer"),
    };
    if value < min || beyond && value < 0 {
        faults.add(path, "too_small", format!("must be at least {min}"));
    } else if value > max || beyond {
        faults.add(path, "too_large", format!("must be at most {max}"));
    }
}
