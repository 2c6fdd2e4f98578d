//! Query parameters, checked against a schema like bodies: the fields of a type are the parameters. An error names
//! every parameter that is unknown, repeated or wrong, and lists the valid ones.

use super::fault::place;
use super::schema::{Field, MAX_FAULTS, Shape, shape_of};
use crate::error::{Error, Fault, Result, problem};
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The most faults that the detail of an error repeats.
const MAX_SENTENCES: usize = 3;

/// No parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// Parses the part of the URL after the question mark. Each field of `T` is a parameter. An array is written with
/// commas. A map whose schema has `x-prefix` takes all parameters with that prefix (`metadata.colour=red`).
///
/// # Errors
/// `invalid_parameter` with every fault; `internal` if `T` is not an object of such fields.
pub fn parse<T: JsonSchema + DeserializeOwned + 'static>(raw_query: &str) -> Result<T> {
    let shape = shape_of::<T>()?;
    let Shape::Object(object) = &*shape else {
        return Err(Error::internal(format!("{} is not an object", T::schema_name())));
    };
    let mut values = Map::new();
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for pair in raw_query.split('&').filter(|pair| !pair.is_empty()) {
        match parameter(&object.fields, pair) {
            Ok(parameter) if !seen.insert(parameter.name.clone()) => {
                faults.push(Fault::parameter(parameter.name, "repeated", "must be sent once"));
            }
            Ok(parameter) => {
                faults.extend(parameter.faults());
                parameter.put_into(&mut values);
            }
            Err(fault) => faults.push(fault),
        }
    }
    let missing = object.fields.iter().filter(|field| field.required && !seen.contains(&field.name));
    faults.extend(missing.map(|field| Fault::parameter(&field.name, "required", "is required")));
    if !faults.is_empty() {
        faults.truncate(MAX_FAULTS);
        let detail = format!("{} {}", sentences(&faults), valid_names(&object.fields));
        return Err(Error::new(&problem::INVALID_PARAMETER).detail(detail).with_faults(faults));
    }
    serde_json::from_value(Value::Object(values)).map_err(Error::internal)
}

/// A parameter of the request and the field that it belongs to.
struct Parameter<'a> {
    /// As the client wrote it, percent-decoded.
    name: String,
    field: &'a Field,
    value: Value,
    /// The value with its plus signs, if the client wrote some: in a query they mean spaces.
    with_plus: Option<Value>,
}

impl Parameter<'_> {
    fn faults(&self) -> impl Iterator<Item = Fault> {
        let shape = not_null(&self.field.shape);
        let faults = shape.check(&self.value);
        let meant_plus = self.with_plus.as_ref().is_some_and(|value| shape.check(value).is_empty());
        let hint = if meant_plus { "; write its plus sign as %2B, since + in a query is a space" } else { "" };
        faults.into_iter().map(move |fault| Fault::parameter(&self.name, fault.code, fault.detail + hint))
    }

    fn put_into(self, values: &mut Map<String, Value>) {
        match (values.get_mut(&self.field.name), self.value) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
            (_, value) => drop(values.insert(self.field.name.clone(), value)),
        }
    }
}

fn parameter<'a>(fields: &'a [Field], pair: &str) -> Result<Parameter<'a>, Fault> {
    let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
    let name = decode(name).map_err(|why| Fault::parameter(name, "invalid_format", why))?;
    let literal = text.contains('+').then(|| decode(&text.replace('+', "%2B"))).and_then(Result::ok);
    let text = decode(text).map_err(|why| Fault::parameter(&name, "invalid_format", why))?;
    for field in fields {
        let value = match &field.prefix {
            None if field.name == name => read(&field.shape, &text),
            Some(prefix) if name.len() > prefix.len() && name.starts_with(prefix) => {
                Value::Object(Map::from_iter([(name[prefix.len()..].to_owned(), Value::from(text))]))
            }
            _ => continue,
        };
        let with_plus = literal.map(|text| read(&field.shape, &text));
        return Ok(Parameter { name, field, value, with_plus });
    }
    Err(Fault::parameter(name, "unknown_parameter", "is unknown here"))
}

/// Decodes `application/x-www-form-urlencoded`, the form in which browsers and client libraries write queries.
fn decode(text: &str) -> Result<String, &'static str> {
    let text = text.replace('+', " ");
    let two_digits = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|c| c.is_ascii_hexdigit());
    if !text.split('%').skip(1).all(two_digits) {
        return Err("must have two hexadecimal digits after each %");
    }
    let decoded = percent_decode_str(&text).decode_utf8().map_err(|_| "must be UTF-8")?.into_owned();
    if decoded.contains('\0') { Err("must not have the character NUL") } else { Ok(decoded) }
}

/// Converts `text` to the JSON type that `shape` expects. Text that cannot be converted stays text, which the shape
/// then refuses.
fn read(shape: &Shape, text: &str) -> Value {
    match not_null(shape) {
        Shape::Array { item, .. } => text.split(',').map(|part| read(item, part)).collect(),
        Shape::Boolean => match text {
            "true" => true.into(),
            "false" => false.into(),
            _ => text.into(),
        },
        Shape::Integer { .. } => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
                return text.into();
            }
            // A number that does not fit exceeds every bound, so its exact value does not matter.
            text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }).into()
        }
        _ => text.into(),
    }
}

/// The shape without null, which a query cannot express.
fn not_null(shape: &Shape) -> &Shape {
    if let Shape::Nullable(inner) = shape { inner } else { shape }
}

/// The faults as one text. Few clients show `errors[]`.
fn sentences(faults: &[Fault]) -> String {
    let shown = faults.iter().take(MAX_SENTENCES).map(|fault| format!("{} {}", place(fault).1, fault.detail));
    let more = faults.len().saturating_sub(MAX_SENTENCES);
    let more = (more > 0).then(|| format!("{more} more; see errors"));
    format!("{}.", shown.chain(more).collect::<Vec<_>>().join("; "))
}

fn valid_names(fields: &[Field]) -> String {
    if fields.is_empty() {
        return "No query parameter is valid here.".to_owned();
    }
    let name = |field: &Field| field.prefix.as_ref().map_or(field.name.clone(), |prefix| format!("{prefix}<key>"));
    format!("Valid query parameters here: {}.", fields.iter().map(name).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::fault::PARAMETER;
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize, JsonSchema, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Filters {
        #[schemars(range(min = 1))]
        limit: Option<u64>,
        count: Option<bool>,
        status: Option<Vec<Status>>,
        #[schemars(length(min = 1, max = 5))]
        q: Option<String>,
        #[serde(default)]
        #[schemars(extend("x-prefix" = "metadata.", "propertyNames" = {"maxLength": 4}))]
        metadata: BTreeMap<String, String>,
    }

    #[derive(Debug, Deserialize, JsonSchema, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Status {
        Draft,
        Pending,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "the tests only look at faults")]
    struct Range {
        #[schemars(extend("format" = "date"))]
        from: String,
        #[schemars(extend("format" = "date"))]
        to: String,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "the tests only look at faults")]
    struct Since {
        #[schemars(extend("format" = "date-time"))]
        since: String,
    }

    fn faults<T: JsonSchema + DeserializeOwned + std::fmt::Debug + 'static>(query: &str) -> Vec<String> {
        let error = parse::<T>(query).unwrap_err();
        assert!(error.is(&problem::INVALID_PARAMETER), "{error}");
        let show = |fault: &Fault| {
            let (part, name) = place(fault);
            assert_eq!(part, PARAMETER);
            format!("{name} {}: {}", fault.code, fault.detail)
        };
        error.faults().iter().map(show).collect()
    }

    #[test]
    fn parameters_are_converted_as_the_schema_says() {
        let filters: Filters = parse(
            "limit=99999999999999999999&count=true&status=draft,pending&q=t%c3%a9+%2B&metadata.a=1&metadata.b=%20&",
        )
        .unwrap();
        let expected = Filters {
            limit: Some(i64::MAX.unsigned_abs()),
            count: Some(true),
            status: Some(vec![Status::Draft, Status::Pending]),
            q: Some("té +".to_owned()),
            metadata: [("a".to_owned(), "1".to_owned()), ("b".to_owned(), " ".to_owned())].into(),
        };
        assert_eq!(filters, expected);
        assert_eq!(parse::<Filters>("").unwrap().limit, None);
    }

    #[test]
    fn every_fault_is_reported() {
        assert_eq!(
            faults::<Filters>(
                "limit=0&limit=5&limti=1&count=yes&status=draft,gone&q=&metadata.colour=a&metadata.=x&metadata=1"
            ),
            [
                "limit too_small: must be at least 1",
                "limit repeated: must be sent once",
                "limti unknown_parameter: is unknown here",
                "count wrong_type: must be true or false",
                "status invalid_value: must be one of draft, pending",
                "q too_short: must not be empty",
                "metadata.colour too_long: its name must have at most 4 characters",
                "metadata. unknown_parameter: is unknown here",
                "metadata unknown_parameter: is unknown here",
            ]
        );
        assert_eq!(
            faults::<Range>("to=2026-02-30"),
            ["to invalid_format: must be a date such as 2026-11-23", "from required: is required"]
        );
        for number in ["1.0", "+1", "1e3", "", "-", " 1", "0x1"] {
            let query = format!("limit={}", number.replace('+', "%2B"));
            assert_eq!(faults::<Filters>(&query), ["limit wrong_type: must be an integer"], "{number}");
        }
    }

    #[test]
    fn a_plus_sign_that_became_a_space_is_pointed_out() {
        let day = "must be a date-time such as 2026-11-23T03:14:11.123Z";
        let hint = "; write its plus sign as %2B, since + in a query is a space";
        let at = |time: &str| faults::<Since>(&format!("since={time}"));
        assert_eq!(at("2026-11-23T03:14:11+01:00"), [format!("since invalid_format: {day}{hint}")]);
        assert_eq!(at("yesterday+1"), [format!("since invalid_format: {day}")]);
        parse::<Since>("since=2026-11-23T03:14:11%2B01:00").unwrap();
    }

    #[test]
    fn percent_encoding_must_be_complete_and_utf_8() {
        for (query, fault) in [
            ("q=%", "q invalid_format: must have two hexadecimal digits after each %"),
            ("q=%4", "q invalid_format: must have two hexadecimal digits after each %"),
            ("q=%zz", "q invalid_format: must have two hexadecimal digits after each %"),
            ("q=%ff", "q invalid_format: must be UTF-8"),
            ("q=%00", "q invalid_format: must not have the character NUL"),
        ] {
            assert_eq!(faults::<Filters>(query), [fault]);
        }
    }

    #[test]
    fn the_error_lists_the_valid_parameters() {
        let detail = |error: Error| error.public_detail().unwrap().to_owned();
        assert_eq!(
            detail(parse::<Filters>("x=1").unwrap_err()),
            "x is unknown here. Valid query parameters here: count, limit, metadata.<key>, q, status."
        );
        assert_eq!(
            detail(parse::<NoParameters>("x").unwrap_err()),
            "x is unknown here. No query parameter is valid here."
        );
        assert_eq!(
            detail(parse::<NoParameters>("a&b&c&d&e").unwrap_err()),
            "a is unknown here; b is unknown here; c is unknown here; 2 more; see errors. No query parameter is valid here."
        );
        parse::<NoParameters>("").unwrap();
    }
}
