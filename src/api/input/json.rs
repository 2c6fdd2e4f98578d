//! Strict JSON: RFC 8259 with the restrictions of I-JSON (RFC 7493). Ambiguous and dangerous documents are refused
//! here, before any schema is checked. `serde_json` does the parsing; this module adds the restrictions.

use crate::{
    domain::money::MAX_AMOUNT,
    error::{Error, Result, problem},
};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, error::Category};
use std::fmt;

/// The deepest nesting of a document. The outermost array or object is level 1.
pub const MAX_DEPTH: usize = 32;
/// How many characters of a client's key an error repeats.
const MAX_ECHO: usize = 64;

/// Parses one JSON document. An integer that is written with a fraction or exponent (`1999.0`, `1e3`) becomes an
/// integer.
///
/// # Errors
/// `invalid_json` unless the bytes are one JSON document in UTF-8 with unique keys, at most [`MAX_DEPTH`] levels, no
/// NUL and no lone surrogates in text, and numbers that fit a double.
pub fn parse(bytes: &[u8]) -> Result<Value> {
    if bytes.trim_ascii().is_empty() {
        return Err(Error::new(&problem::INVALID_JSON).detail("There is no content. Send one JSON document."));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Document { levels_left: MAX_DEPTH }.deserialize(&mut deserializer).map_err(|fault| invalid(&fault))?;
    deserializer.end().map_err(|fault| invalid(&fault))?;
    Ok(value)
}

/// Serialises a document so that neither white space nor the order of keys makes a difference.
///
/// # Errors
/// Never for a value that [`parse`] returned.
pub fn canonical(value: &Value) -> Result<Vec<u8>> {
    // serde_json keeps the keys of a map sorted while its feature `preserve_order` is off; a test checks that.
    serde_json::to_vec(value).map_err(Error::internal)
}

fn invalid(fault: &serde_json::Error) -> Error {
    let (line, column, text) = (fault.line(), fault.column(), fault.to_string());
    let detail = match fault.classify() {
        Category::Eof => format!("The JSON is incomplete: it ends at line {line} column {column}."),
        // A restriction of this module, in its own words.
        Category::Data => format!("The JSON is not acceptable: {text}."),
        Category::Syntax | Category::Io => format!("This is not JSON: {text}."),
    };
    Error::new(&problem::INVALID_JSON).detail(detail)
}

/// Deserialises a JSON value that may nest this many levels deeper.
#[derive(Clone, Copy)]
struct Document {
    levels_left: usize,
}

impl Document {
    fn inner<E: de::Error>(self) -> Result<Self, E> {
        match self.levels_left.checked_sub(1) {
            Some(levels_left) => Ok(Self { levels_left }),
            None => Err(E::custom(format_args!("it is nested more than {MAX_DEPTH} levels deep"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Document {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        number(value).map(Value::Number).ok_or_else(|| E::custom("it has a number out of range"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        without_nul(text).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(inner)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let key = without_nul(key)?;
            if object.contains_key(&key) {
                let echo: String = key.chars().take(MAX_ECHO).collect();
                return Err(de::Error::custom(format_args!("the key {echo:?} appears twice in one object")));
            }
            let value = members.next_value_seed(inner)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// Converts a whole number to an integer, because JSON Schema counts 1999.0 as one.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "2^53 - 1 and less is exact in both")]
fn number(value: f64) -> Option<Number> {
    if value.fract() == 0.0 && value.abs() <= MAX_AMOUNT as f64 {
        return Some((value as i64).into());
    }
    Number::from_f64(value)
}

fn without_nul<E: de::Error>(text: String) -> Result<String, E> {
    if text.contains('\0') { Err(E::custom("it has text with the character NUL")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn detail(bytes: &[u8]) -> String {
        let error = parse(bytes).unwrap_err();
        assert!(error.is(&problem::INVALID_JSON));
        error.public_detail().unwrap().to_owned()
    }

    #[test]
    fn a_document_is_parsed() {
        let text = r#" {"items":[{"sku":"TEA-250","quantity":2}],"note":null,"draft":false,"\u00e9":"\ud83d\ude00"} "#;
        let expected = json!({"items":[{"sku":"TEA-250","quantity":2}],"note":null,"draft":false,"é":"😀"});
        assert_eq!(parse(text.as_bytes()).unwrap(), expected);
        assert_eq!(parse(b"7").unwrap(), json!(7));
    }

    #[test]
    fn integers_may_be_written_as_fractions() {
        for (text, expected) in [
            ("1999.0", json!(1999)),
            ("1e3", json!(1000)),
            ("-0.0", json!(0)),
            ("9007199254740991.0", json!((1_i64 << 53) - 1)),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap(), expected, "{text}");
        }
        for text in ["19.99", "9007199254740994.0", "1e300", "20000000000000000000"] {
            assert!(parse(text.as_bytes()).unwrap().is_f64(), "{text}");
        }
    }

    #[test]
    fn keys_are_unique_at_every_depth() {
        assert_eq!(
            detail(br#"{"a":1,"a":2}"#),
            r#"The JSON is not acceptable: the key "a" appears twice in one object at line 1 column 10."#
        );
        assert!(detail(br#"[{"x":{"b":1,"c":2,"\u0062":3}}]"#).contains(r#"the key "b" appears twice"#));
    }

    #[test]
    fn depth_is_limited() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(32).as_bytes()).is_ok());
        assert!(detail(nested(33).as_bytes()).contains("nested more than 32 levels deep"));
        assert!(detail("{\"a\":".repeat(100_000).as_bytes()).contains("nested more than 32 levels deep"));
        assert!(parse(format!("{}1{}", "{\"a\":".repeat(32), "}".repeat(32)).as_bytes()).is_ok());
    }

    #[test]
    fn dangerous_and_malformed_documents_are_refused() {
        let refused: &[&[u8]] = &[
            b"",
            b" ",
            b"{",
            b"nul",
            b"{} {}",
            b"{}x",
            b"[1,]",
            b"{\"a\":1,}",
            b"{'a':1}",
            b"NaN",
            b"01",
            b"+1",
            b"1e400",
            b"\"\\u0000\"",
            b"{\"\\u0000\":1}",
            b"\"\\ud800\"",
            b"\"\\udc00x\"",
            b"\"\\ud800\\u0041\"",
            b"\"\xff\"",
            b"\"\xed\xa0\x80\"",
            b"\xef\xbb\xbf{}",
            b"\"a\nb\"",
            b"\"\0\"",
            b"// no\n{}",
            b"\xff\xfe{\0}\0",
        ];
        for bytes in refused {
            assert!(detail(bytes).ends_with('.'), "{:?}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(detail(b"{\n \"a\" 1}"), "This is not JSON: expected `:` at line 2 column 6.");
        assert_eq!(detail(b"{\"a\":"), "The JSON is incomplete: it ends at line 1 column 5.");
        assert_eq!(detail(b" "), "There is no content. Send one JSON document.");
    }

    #[test]
    fn canonical_bytes_ignore_space_and_order() {
        let one = parse(br#"{"b":[1,{"z":0,"y":1}],"a":2}"#).unwrap();
        let other = parse(b"{ \"a\" : 2,\n\"b\": [1, {\"y\": 1, \"z\": 0}] }").unwrap();
        assert_eq!(canonical(&one).unwrap(), canonical(&other).unwrap());
        assert_ne!(canonical(&one).unwrap(), canonical(&parse(br#"{"a":2,"b":[{"z":0,"y":1},1]}"#).unwrap()).unwrap());
    }
}
